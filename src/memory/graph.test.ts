import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Rng } from '../tensor/index.ts';
import { graphOf, indexOfNode, loadGraph, pageRank } from './graph.ts';
import { syntheticEvent } from './conformance.ts';
import { InMemoryStore } from './in-memory-store.ts';
import { byEdge, type Edge, EDGE_UNIT, edgeKinds, EdgeSum, type Link, packLinks, unpackLinks } from './links.ts';
import { damped, forwardPush, graphNeighbourhood, storeNeighbourhood } from './walk.ts';

/** Random undirected edges between n nodes with keys far apart. */
function randomEdges(rng: Rng, n: number, m: number): Edge[] {
  const sum = new EdgeSum();
  for (let i = 0; i < m; i++) {
    const [a, b] = [rng.integer(n), rng.integer(n)];
    if (a !== b) sum.add([{ from: key(a), kind: 'with', to: key(b), weight: 1 + rng.integer(1 << 20) }], i, 1);
  }
  return sum.increments().map((edge) => ({ ...edge, time: Math.floor(edge.seconds / edge.count) }));
}

const key = (i: number): number => 7 + i * 1e9;

/** x = alpha v + (1 - alpha) x P by Gaussian elimination; rows of P are given. */
function denseSolve(alpha: number, v: readonly number[], p: readonly (readonly number[])[]): number[] {
  const n = v.length;
  const a = Array.from({ length: n }, (_, i) => [
    ...Array.from({ length: n }, (_, j) => (i === j ? 1 : 0) - (1 - alpha) * p[j]![i]!),
    alpha * v[i]!,
  ]);
  for (let i = 0; i < n; i++) {
    const pivot = a.slice(i).reduce((best, row, k) => (Math.abs(row[i]!) > Math.abs(a[best]![i]!) ? i + k : best), i);
    [a[i], a[pivot]] = [a[pivot]!, a[i]!];
    for (let r = 0; r < n; r++) {
      if (r === i) continue;
      const f = a[r]![i]! / a[i]![i]!;
      for (let c = i; c <= n; c++) a[r]![c]! -= f * a[i]![c]!;
    }
  }
  return a.map((row, i) => row[n]! / row[i]!);
}

describe('importance', () => {
  it('sums to 1 and agrees with a dense solve', () => {
    for (let seed = 0; seed < 8; seed++) {
      const rng = new Rng(seed).fork('pagerank');
      const graph = graphOf(randomEdges(rng, 25, 20 + rng.integer(80)));
      const n = graph.nodes.length;
      const rank = pageRank(graph, { tolerance: 1e-12, iterations: 1000 });
      expect(Math.abs(rank.reduce((s, v) => s + v, 0) - 1)).toBeLessThan(1e-9);
      const u = [...graph.counts].map((c) => Math.log1p(c));
      const total = u.reduce((s, v) => s + v, 0);
      const p = Array.from({ length: n }, (_, i) => {
        const row = Array.from({ length: n }, () => 0);
        for (let e = graph.offsets[i]!; e < graph.offsets[i + 1]!; e++) row[graph.targets[e]!]! += graph.weights[e]!;
        const out = row.reduce((s, v) => s + v, 0);
        return row.map((v) => v / out);
      });
      const dense = denseSolve(
        0.15,
        u.map((v) => v / total),
        p,
      );
      rank.forEach((v, i) => expect(Math.abs(v - dense[i]!)).toBeLessThan(1e-9));
      const quick = pageRank(graph);
      expect(quick.reduce((s, v, i) => s + Math.abs(v - dense[i]!), 0)).toBeLessThan(1e-5);
    }
  });

  it('reads the graph of a store, with weights that fade', async () => {
    const store = new InMemoryStore();
    const edges = randomEdges(new Rng(3), 12, 60);
    const links = edges
      .filter(({ from, to }) => from < to)
      .map(({ from, kind, to, weight }): Link => ({ from, kind, to, weight }));
    await store.write([{ kind: 'links', owner: 'test', at: 50_000, links }]);
    const graph = (await loadGraph(store))!;
    expect(graph.targets.length).toBe(links.length * 2);
    expect(indexOfNode(graph, links[0]!.from)).toBeGreaterThanOrEqual(0);
    expect(indexOfNode(graph, 3)).toBe(-1);
    const faded = (await loadGraph(store, { halfLife: 10_000, now: 80_000 }))!;
    faded.weights.forEach((w, i) => expect(w).toBeCloseTo(graph.weights[i]! / 8, 12));
    expect(await loadGraph(store, { most: 3 })).toBeUndefined();
  });
});

describe('a walk', () => {
  it('differs from the dense solution by no more than the mass it did not spread, nor than epsilon times the degrees', async () => {
    for (let seed = 0; seed < 8; seed++) {
      const rng = new Rng(seed).fork('walk');
      const graph = graphOf(randomEdges(rng, 40, 40 + rng.integer(120)));
      const n = graph.nodes.length;
      const degree = (i: number): number => graph.offsets[i + 1]! - graph.offsets[i]!;
      const p = Array.from({ length: n }, (_, i) => {
        const row = Array.from({ length: n }, () => 0);
        for (let e = graph.offsets[i]!; e < graph.offsets[i + 1]!; e++) {
          row[graph.targets[e]!]! += damped(graph.weights[e]!, degree(graph.targets[e]!));
        }
        const out = row.reduce((s, v) => s + v, 0);
        return row.map((v) => v / out);
      });
      const v = Array.from({ length: n }, () => 0);
      for (let i = 0; i < 3; i++) v[rng.integer(n)]! += 1 / 3;
      const seeds = new Map(v.flatMap((mass, i) => (mass > 0 ? [[graph.nodes[i]!, mass] as const] : [])));
      const dense = denseSolve(0.5, v, p);
      for (const epsilon of [1e-2, 1e-4, 1e-7]) {
        const walk = await forwardPush(seeds, graphNeighbourhood(graph), { epsilon });
        const sum = [...walk.mass.values()].reduce((s, m) => s + m, 0);
        expect(sum + walk.residual).toBeCloseTo(1, 10);
        const edges = graph.targets.length;
        expect(walk.residual).toBeLessThanOrEqual(epsilon * edges + 1e-12);
        dense.forEach((exact, i) => {
          const off = exact - (walk.mass.get(graph.nodes[i]!) ?? 0);
          expect(off).toBeGreaterThan(-1e-12);
          expect(off).toBeLessThanOrEqual(walk.residual + 1e-12);
        });
      }
    }
  });

  it('is the same over a snapshot and over the store, and tells the path of each node', async () => {
    const store = new InMemoryStore();
    const links = (
      [
        [1, 2],
        [2, 3],
        [3, 4],
        [1, 5],
      ] as const
    ).map(([from, to]): Link => ({ from, kind: 'has', to, weight: 2 ** 20 }));
    await store.write([{ kind: 'insert', event: { ...syntheticEvent(new Rng(1), 1), links } }]);
    const seeds = new Map([[1, 1]]);
    const a = await forwardPush(seeds, storeNeighbourhood(store));
    const b = await forwardPush(seeds, graphNeighbourhood((await loadGraph(store))!));
    expect([...a.mass].sort()).toEqual([...b.mass].sort());
    expect(a.pathTo(4).map(({ from, kind, to }) => `${from} ${kind} ${to}`)).toEqual(['1 has 2', '2 has 3', '3 has 4']);
    expect(a.pathTo(1)).toEqual([]);
    expect(a.mass.get(4)!).toBeLessThan(a.mass.get(3)!);
  });
});

describe('links', () => {
  const link = fc.record({
    from: fc.maxSafeNat(),
    kind: fc.constantFrom(...edgeKinds),
    to: fc.maxSafeNat(),
    weight: fc.integer({ min: 1, max: 2 ** 31 }),
  });

  it('come back from their bytes', () => {
    fc.assert(
      fc.property(fc.array(link, { maxLength: 40 }), (links) => {
        expect(unpackLinks(packLinks(links))).toEqual(links);
      }),
    );
    expect(() => unpackLinks(packLinks([{ from: 1, kind: 'has', to: 2, weight: 3 }]).fill(9, 0, 1))).toThrow(
      'checksum',
    );
  });

  it('add up to the same edges in any order, and to none after all were taken back', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(link, fc.integer({ min: -1e12, max: 1e12 })), { maxLength: 30 }), (owned) => {
        const [forward, backward] = [new EdgeSum(), new EdgeSum()];
        for (const [l, at] of owned) forward.add([l], at, 1);
        for (const [l, at] of owned.toReversed()) backward.add([l], at, 1);
        expect(backward.increments()).toEqual(forward.increments());
        for (const [l, at] of owned) forward.add([l], at, -1);
        expect(forward.increments()).toEqual([]);
        expect(backward.increments().every((e, i, all) => i === 0 || byEdge(all[i - 1]!, e) < 0)).toBe(true);
      }),
    );
    expect(EDGE_UNIT * 2 ** 20).toBe(1);
  });
});
