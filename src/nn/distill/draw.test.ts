import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { defineProgram, grad, interpret, Rng } from '../../tensor/index.ts';
import { drawSparse, type SparseDistribution } from './draw.ts';
import { klDense, klTopkRenorm } from './losses.ts';

interface Case {
  readonly p: Float64Array;
  readonly order: number[];
  readonly k: number;
}

/** A distribution of any sharpness, some entries equal, some zero. */
function draw(seed: number): Case {
  const rng = new Rng(seed).fork('case');
  const n = 1 + rng.integer(14);
  const scale = [0, 0.5, 3, 30, 600][rng.integer(5)]!;
  const logits = Array.from({ length: n }, () => (rng.bernoulli(0.2) ? 0 : scale * rng.normal()));
  const top = Math.max(...logits);
  const total = logits.reduce((s, v) => s + Math.exp(v - top), 0);
  const p = Float64Array.from(logits, (v) => Math.exp(v - top) / total);
  return { p, order: Array.from(p.keys()).sort((a, b) => p[b]! - p[a]!), k: 1 + rng.integer(n) };
}

const cases = fc.integer({ min: 1, max: 1e6 }).map(draw);

/** Every outcome with its probability: nothing changes between two places where a tooth may meet an edge. */
function outcomes({ p, order, k }: Case): [probability: number, SparseDistribution][] {
  const sums = order.reduce<number[]>((all, i) => [...all, all.at(-1)! + p[i]!], [0]);
  const edges = new Set([0, 1]);
  for (let kept = 0; kept < k; kept++) {
    const c = (1 - sums[kept]!) / (k - kept);
    if (!(c > 1e-12)) break;
    for (const s of sums.slice(kept)) edges.add(((((s - sums[kept]!) / c) % 1) + 1) % 1);
  }
  const sorted = [...edges].sort((a, b) => a - b);
  return sorted
    .slice(1)
    .map((edge, i) => [edge - sorted[i]!, drawSparse(p, order, k, (edge + sorted[i]!) / 2)] as const)
    .filter(([length]) => length > 1e-9)
    .map(([length, outcome]) => [length, outcome]);
}

test('k different tokens, heaviest first, that sum to one: those above the threshold as they are, the others equal', () => {
  fc.assert(
    fc.property(cases, fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), ({ p, order, k }, uniform) => {
      const { ids, weights } = drawSparse(p, order, k, uniform);
      expect(new Set(ids).size).toBe(k);
      expect(weights.reduce((a, b) => a + b)).toBeCloseTo(1, 12);
      const c = weights[k - 1]!;
      ids.forEach((id, i) => {
        if (i > 0) expect(weights[i]! <= weights[i - 1]! * (1 + 1e-12)).toBe(true);
        expect(Math.abs(weights[i]! - Math.max(p[id]!, Math.min(c, weights[i]!)))).toBeLessThan(1e-12);
      });
      for (const [id, v] of p.entries()) if (v > c + 1e-12) expect(ids).toContain(id);
    }),
    { numRuns: 300 },
  );
});

test('every token weighs its probability on average, over all outcomes', () => {
  fc.assert(
    fc.property(cases, (drawn) => {
      const expected = new Float64Array(drawn.p.length);
      for (const [probability, { ids, weights }] of outcomes(drawn)) {
        ids.forEach((id, i) => (expected[id]! += probability * weights[i]!));
      }
      expected.forEach((v, i) => expect(Math.abs(v - drawn.p[i]!)).toBeLessThan(1e-6));
    }),
    { numRuns: 300 },
  );
});

test('all of all tokens are the distribution itself', () => {
  fc.assert(
    fc.property(cases, fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), ({ p, order }, uniform) => {
      const { ids, weights } = drawSparse(p, order, p.length, uniform);
      expect(Array.from(ids)).toEqual(order);
      expect(Array.from(weights)).toEqual(order.map((i) => p[i]));
    }),
  );
});

test('no other chances of being drawn have less variance', () => {
  fc.assert(
    fc.property(cases, fc.integer({ min: 1, max: 1e6 }), (drawn, seed) => {
      const { p, k } = drawn;
      let variance = 0;
      for (const [probability, { ids, weights }] of outcomes(drawn)) {
        const error = Float64Array.from(p, (v) => -v);
        ids.forEach((id, i) => (error[id]! += weights[i]!));
        variance += probability * error.reduce((s, v) => s + v * v, 0);
      }
      // A token drawn with chance r weighs p / r: its second moment is p^2 / r. Any r up to 1 that sum to k.
      const rng = new Rng(seed);
      const raw = Array.from(p, () => rng.uniform());
      let r = raw.map(() => 1);
      for (let low = 0, high = 1e9, i = 0; i < 100; i++) {
        const scale = (low + high) / 2;
        r = raw.map((v) => Math.min(1, v * scale));
        if (r.reduce((a, b) => a + b) > k) high = scale;
        else low = scale;
      }
      const other = p.reduce((s, v, i) => s + v * v * (1 / r[i]! - 1), 0);
      expect(variance).toBeLessThanOrEqual(other + 1e-6);
    }),
    { numRuns: 200 },
  );
});

test("the expected gradient of a student's divergence is that of the whole distributions", () => {
  for (const seed of [2, 3, 5, 8, 11]) {
    const drawn = draw(seed);
    const { p } = drawn;
    const logits = Float64Array.from(p, (_, i) => new Rng(seed).fork('student').fork(i).normal());
    const gradient = (kind: 'dense' | SparseDistribution): Float64Array => {
      const def = defineProgram(
        (b) => {
          const x = b.input('x', [p.length]);
          const loss =
            kind === 'dense'
              ? klDense(
                  x,
                  b.constant(
                    Float64Array.from(p, (v) => Math.max(-1000, Math.log(v))),
                    [p.length],
                  ),
                  1.5,
                )
              : klTopkRenorm(
                  x,
                  {
                    ids: b.constant(kind.ids, [kind.ids.length], 'i32'),
                    logp: b.constant(
                      kind.weights.map((v) => Math.max(-1000, Math.log(v))),
                      [kind.ids.length],
                    ),
                  },
                  1.5,
                );
          b.output('g', grad(loss, [x])[0]!);
        },
        { dtype: 'f64' },
      );
      return Float64Array.from(interpret(def, { x: logits }, undefined).outputs['g']!.data);
    };
    const expected = new Float64Array(p.length);
    for (const [probability, outcome] of outcomes(drawn)) {
      gradient(outcome).forEach((v, i) => (expected[i]! += probability * v));
    }
    gradient('dense').forEach((v, i) => expect(Math.abs(v - expected[i]!)).toBeLessThan(1e-6));
  }
});
