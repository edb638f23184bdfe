// The graph that events leave behind: importance and random walks beside dense solutions, and events that a walk reaches
// though they share nothing with the cue.
import { forwardPush, type Graph, graphNeighbourhood, InMemoryStore, loadGraph, Memory, pageRank } from 'cairn/memory';
import type { Rng } from 'cairn/tensor';
import type { LabOptions, Part } from '../report.ts';
import { part, scene } from './scenes.ts';

const EPSILONS = [1e-2, 1e-3, 1e-4, 1e-5] as const;

export async function walks(rng: Rng, seed: number, chains: number, plot: LabOptions['plot']): Promise<Part> {
  await using memory = await Memory.open({ store: new InMemoryStore(), seed: `lab:${seed}`, spec: { dim: 256 } });
  // Chains of three events: neighbours in a chain share one thing, its ends share nothing.
  const links = Array.from({ length: chains }, (_, c) => Array.from({ length: 4 }, (_, i) => part(`t${c}-${i}`, rng)));
  const ids: string[][] = [];
  for (const [c, things] of links.entries()) {
    ids[c] = [];
    for (let i = 0; i < 3; i++) {
      const provenance = { source: 'lab', ordinal: 3 * c + i };
      const root = scene([things[i]!, things[i + 1]!]);
      ids[c]!.push((await memory.remember(root, { task: 'see', provenance, at: 3 * c + i })).id);
    }
  }
  let walked = 0;
  let plain = 0;
  for (const [c, things] of links.entries()) {
    const cue = { components: [{ object: things[0]! }] };
    const far = ids[c]![2]!;
    if ((await memory.recall(cue, 3)).some(({ id, path }) => id === far && path.length > 0)) walked++;
    if ((await memory.recall(cue, 3, { walk: false })).some(({ id }) => id === far)) plain++;
  }
  const graph = (await loadGraph(memory.store))!;
  const rank = pageRank(graph, { tolerance: 1e-12, iterations: 1000 });
  const total = rank.reduce((sum, v) => sum + v, 0);
  const start = graph.counts.map((count) => Math.log1p(count));
  const mass = start.reduce((sum, v) => sum + v, 0);
  const dense = denseWalk(
    graph,
    start.map((v) => v / mass),
    0.15,
    false,
  );
  const rankError = Math.max(...rank.map((v, i) => Math.abs(v - dense[i]!)));
  const seedNode = rng.integer(graph.nodes.length);
  const unit = new Float64Array(graph.nodes.length);
  unit[seedNode] = 1;
  const exact = denseWalk(graph, unit, 0.5, true);
  const runs = await Promise.all(
    EPSILONS.map(async (epsilon) => {
      const seeds = new Map([[graph.nodes[seedNode]!, 1]]);
      const walk = await forwardPush(seeds, graphNeighbourhood(graph), { epsilon });
      const off = Math.max(...exact.map((v, i) => Math.abs(v - (walk.mass.get(graph.nodes[i]!) ?? 0))));
      return { epsilon, off, residual: walk.residual, pushes: walk.pushes };
    }),
  );
  const broken = runs.filter(({ off, residual }) => off > residual + 1e-12).length;
  plot('walk-error', {
    title: 'Random walk by forward push beside the dense solution',
    x: { label: 'epsilon', scale: 'log' },
    y: { label: 'largest error', scale: 'log' },
    curves: [
      { name: 'largest error', points: runs.map(({ epsilon, off }) => [epsilon, Math.max(off, 1e-12)]) },
      {
        name: 'mass not spread (bound)',
        dashed: true,
        points: runs.map((r) => [r.epsilon, Math.max(r.residual, 1e-12)]),
      },
    ],
  });
  return {
    claims: [
      {
        id: 'walk-reaches-further',
        says: 'A walk finds the event two steps away that shares nothing with the cue; recall without a walk does not.',
        kind: 'measured',
        value: walked / chains,
        baseline: plain / chains,
        target: `1 of ${chains} chains with a walk, 0 without`,
        holds: walked === chains && plain === 0,
      },
      {
        id: 'importance-is-exact',
        says: 'Importance sums to 1 and agrees with a dense solution.',
        kind: 'bound',
        value: rankError,
        target: 'sum within 1e-9 of 1, every node within 1e-9',
        holds: Math.abs(total - 1) < 1e-9 && rankError < 1e-9,
      },
      {
        id: 'walk-error-is-bounded',
        says: 'No node of a walk is off by more than the mass that was not spread, and epsilon drives that to zero.',
        kind: 'bound',
        value: runs[runs.length - 1]!.off,
        baseline: runs[0]!.off,
        target: 'error at most the residual at every epsilon, below 1e-4 at the smallest',
        holds: broken === 0 && runs[runs.length - 1]!.off < 1e-4,
      },
    ],
    tables: [
      {
        title: `Walk over ${graph.nodes.length} nodes and ${graph.targets.length} edges`,
        columns: ['epsilon', 'largest error', 'mass not spread', 'pushes'],
        rows: runs.map(({ epsilon, off, residual, pushes }) => [epsilon, off, residual, pushes]),
      },
    ],
  };
}

/** x = alpha v + (1 - alpha) x P by iteration to the last digit; P with or without damping of hubs. */
function denseWalk(graph: Graph, v: Float64Array, alpha: number, damp: boolean): Float64Array {
  const n = graph.nodes.length;
  const degree = (i: number): number => graph.offsets[i + 1]! - graph.offsets[i]!;
  const p = Array.from({ length: n }, (_, i) => {
    const row = new Float64Array(n);
    for (let e = graph.offsets[i]!; e < graph.offsets[i + 1]!; e++) {
      const j = graph.targets[e]!;
      row[j]! += graph.weights[e]! / (damp ? Math.log(2 + degree(j)) : 1);
    }
    const out = row.reduce((sum, w) => sum + w, 0);
    return row.map((w) => w / out);
  });
  let x = v.slice();
  for (let round = 0; round < 400; round++) {
    const next = v.map((value) => alpha * value);
    for (let i = 0; i < n; i++) {
      if (x[i] === 0) continue;
      const share = (1 - alpha) * x[i]!;
      for (let j = 0; j < n; j++) next[j]! += share * p[i]![j]!;
    }
    x = next;
  }
  return x;
}
