import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Builder, defineProgram, interpret, ModelState, Rng, type Tensor } from '../../tensor/index.ts';
import { parameterGradientGap } from '../experts/_testing.ts';
import { lookUp } from './lookup.ts';
import { type MemoryTable, readMemory, rowsOf } from './memory-table.ts';
import { ngramRows } from './ngram-hash.ts';

const base: MemoryTable = { lookup: 'ngram', consume: 'add', width: 6, entries: 16, reads: 1, rank: 3, gate: false };
const T = 9;

function normals(seed: number, count: number): Float64Array {
  const out = new Float64Array(count);
  new Rng(seed).fork('n').fillNormal(out);
  return out;
}

const ids = Int32Array.from({ length: T }, (_, i) => (i * 5 + 1) % 7);

/** What a table says about nine positions, with random weights everywhere; feeds and all. */
function setting(table: MemoryTable, seed: number) {
  const x = normals(seed, T * 6);
  const ngrams = ngramRows({ ngram: 2, entries: table.entries, hashes: table.reads }, ids);
  const feeds: Record<string, Float64Array | Int32Array> & { ngrams?: Int32Array } = { x };
  if (table.lookup === 'ngram') feeds.ngrams = ngrams;
  if (table.lookup === 'token') feeds['ids'] = ids;
  const build = (b: Builder): { x: Tensor; inputs: Parameters<typeof readMemory>[3] } => ({
    x: b.input('x', [1, T, 6]),
    inputs: {
      ...(table.lookup === 'ngram' ? { ngrams: b.input('ngrams', [1, T, table.reads], 'i32') } : {}),
      ...(table.lookup === 'token' ? { ids: b.input('ids', [1, T], 'i32') } : {}),
    },
  });
  const def = defineProgram(
    (b) => {
      const { x: input, inputs } = build(b);
      b.output('y', readMemory(b, table, input, inputs));
    },
    { dtype: 'f64' },
  );
  const state = ModelState.init(def, new Rng(seed));
  const fresh = interpret(def, feeds, state).outputs['y']!.data;
  state.names().forEach((name, i) => {
    const t = state.get(name);
    state.set(name, { ...t, data: normals(seed * 50 + i, t.data.length).map((v) => 0.6 * v) });
  });
  return { feeds, build, state, fresh, x, y: interpret(def, feeds, state).outputs['y']!.data };
}

const lookups: MemoryTable[] = [
  base,
  { ...base, reads: 3 },
  { ...base, reads: 3, combine: 'concat' },
  { ...base, lookup: 'token', entries: 7 },
  { ...base, lookup: 'lsh' },
  { ...base, lookup: 'lsh', reads: 3 },
  { ...base, lookup: 'softmax' },
  { ...base, lookup: 'product', reads: 3 },
];
const tables: MemoryTable[] = lookups.flatMap((t) => [
  t,
  { ...t, gate: true },
  { ...t, consume: 'concat' as const },
  ...(t.combine === 'concat' ? [] : [{ ...t, consume: 'expert' as const }]),
]);

const nameOf = (t: MemoryTable): string =>
  `${t.lookup} x ${t.reads}${t.combine === 'concat' ? ' joined' : ''}, ${t.consume}${t.gate ? ', gated' : ''}`;

test.each(tables.map((t) => [nameOf(t), t] as const))('%s: silent at first; gradients are exact', (_, table) => {
  for (const seed of [1, 2]) {
    const { feeds, build, state, fresh, y } = setting(table, seed);
    expect(Math.max(...Array.from(fresh, Math.abs))).toBe(0);
    expect(Math.max(...Array.from(y, Math.abs))).toBeGreaterThan(0.01);
    const { worst, names } = parameterGradientGap(
      (b) => {
        const { x, inputs } = build(b);
        const losses: Tensor[] = [];
        const out = readMemory(b, table, x, { ...inputs, addLoss: (_name, value) => losses.push(value) });
        return losses.reduce((sum, v) => sum.add(v), out.sin().sum());
      },
      feeds,
      new Rng(seed),
      state,
    );
    expect(worst).toBeLessThan(1e-5);
    expect(names).toContain(table.consume === 'expert' ? 'up' : 'table');
    if (table.consume !== 'expert')
      expect(state.get('table').shape).toEqual([rowsOf(table), table.combine === 'concat' ? 2 : 6]);
  }
});

test('rows that are read and added are the sum of the table at the hashed places', () => {
  const table = { ...base, reads: 3 };
  const { state, y, feeds } = setting(table, 4);
  const stored = state.get('table').data;
  const rows = feeds.ngrams!;
  for (let t = 0; t < T; t++) {
    for (let d = 0; d < 6; d++) {
      const sum = [0, 1, 2].reduce((s, m) => s + Number(stored[rows[t * 3 + m]! * 6 + d]), 0);
      expect(y[t * 6 + d]).toBeCloseTo(sum, 12);
    }
  }
});

test('rows that are joined lie side by side, each out of the table of its hash; one joined row is one summed row', () => {
  const { state, y, feeds } = setting({ ...base, reads: 3, combine: 'concat' }, 4);
  const stored = state.get('table').data;
  const rows = feeds.ngrams!;
  for (let t = 0; t < T; t++) {
    for (let d = 0; d < 6; d++) {
      const m = Math.floor(d / 2);
      expect(y[t * 6 + d]).toBe(stored[(m * base.entries + rows[t * 3 + m]!) * 2 + (d % 2)]);
    }
  }
  expect(setting({ ...base, combine: 'concat' }, 4).y).toEqual(setting(base, 4).y);
});

test('a row used as a network is V gelu(U x)', () => {
  const table: MemoryTable = { ...base, consume: 'expert' };
  const { state, y, feeds, x } = setting(table, 4);
  const [down, up] = [state.get('down').data, state.get('up').data];
  const rows = feeds.ngrams!;
  const gelu = (v: number): number =>
    Number(
      interpret(
        defineProgram((b) => b.output('y', b.constant([v]).gelu()), { dtype: 'f64' }),
        {},
        undefined,
      ).outputs['y']!.data[0],
    );
  for (let t = 0; t < T; t++) {
    const own = x.slice(t * 6, (t + 1) * 6);
    const scale = 1 / Math.sqrt(own.reduce((s, v) => s + v * v, 0) / 6 + 1e-6);
    const expected = new Float64Array(6);
    for (let r = 0; r < 3; r++) {
      let h = 0;
      for (let d = 0; d < 6; d++) h += Number(down[(rows[t]! * 3 + r) * 6 + d]) * own[d]! * scale;
      for (let d = 0; d < 6; d++) expected[d]! += gelu(h) * Number(up[(rows[t]! * 3 + r) * 6 + d]);
    }
    expected.forEach((v, d) => expect(y[t * 6 + d]).toBeCloseTo(v, 10));
  }
});

test('product keys find what a search of all pairs finds', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 1e6 }), fc.integer({ min: 1, max: 5 }), (seed, reads) => {
      const table: MemoryTable = { ...base, lookup: 'product', entries: 25, reads };
      const def = defineProgram(
        (b) => {
          const { index, weights } = lookUp(b, table, { unit: b.input('x', [1, T, 6]) });
          b.output('index', index);
          b.output('weights', weights!);
        },
        { dtype: 'f64' },
      );
      const state = ModelState.init(def, new Rng(seed));
      const x = normals(seed, T * 6);
      const { index, weights } = interpret(def, { x }, state).outputs;
      const [w, keys] = [state.get('query.weight').data, state.get('keys').data];
      for (let t = 0; t < T; t++) {
        const q = Array.from({ length: 6 }, (_, j) =>
          Array.from({ length: 6 }, (__, i) => x[t * 6 + i]! * Number(w[i * 6 + j])).reduce((a, v) => a + v, 0),
        );
        const dot = (part: number, key: number): number =>
          [0, 1, 2].reduce((s, i) => s + q[part * 3 + i]! * Number(keys[(part * 5 + key) * 3 + i]), 0);
        const all = Array.from({ length: 25 }, (_, row) => ({
          row,
          score: dot(0, Math.floor(row / 5)) + dot(1, row % 5),
        }));
        all.sort((a, c) => c.score - a.score);
        const best = all.slice(0, reads);
        const total = best.reduce((s, r) => s + Math.exp(r.score), 0);
        best.forEach(({ row, score }, k) => {
          expect(index!.data[t * reads + k]).toBe(row);
          expect(weights!.data[t * reads + k]).toBeCloseTo(Math.exp(score) / total, 10);
        });
      }
    }),
    { numRuns: 10 },
  );
});

test('hashed rows depend on the last n tokens only, and on all of them; a cut sequence goes on', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 0, max: 64 }), { minLength: 6, maxLength: 30 }),
      fc.integer({ min: 1, max: 4 }),
      fc.integer({ min: 1, max: 5 }),
      (tokens, ngram, cut) => {
        const hash = { ngram, entries: 1 << 20, hashes: 2 };
        const whole = ngramRows(hash, tokens);
        expect([
          ...ngramRows(hash, tokens.slice(0, cut)),
          ...ngramRows(hash, tokens.slice(cut), tokens.slice(0, cut)),
        ]).toEqual([...whole]);
        const at = tokens.length - 1;
        for (let back = 0; back < tokens.length; back++) {
          const changed = tokens.map((v, i) => (i === at - back ? v + 1 : v));
          const same = ngramRows(hash, changed)[at * 2] === whole[at * 2];
          // One in a million n-grams shares its row by chance.
          expect(same).toBe(back >= ngram);
        }
      },
    ),
    { numRuns: 40 },
  );
});

test('the rows of all bigrams of 65 tokens are spread as evenly as chance has it', () => {
  const n = 4096;
  const loads = new Int32Array(n);
  for (let a = 0; a < 65; a++)
    for (let b = 0; b < 65; b++) loads[ngramRows({ ngram: 2, entries: n, hashes: 1 }, [b], [a])[0]!]!++;
  const mean = 4225 / n;
  const chi2 = loads.reduce((s, v) => s + (v - mean) ** 2 / mean, 0);
  // n - 1 degrees of freedom, standard deviation sqrt(2 n).
  expect(Math.abs(chi2 - n) / Math.sqrt(2 * n)).toBeLessThan(5);
});

test('inputs that are missing are named', () => {
  expect(() => defineProgram((b) => void readMemory(b, base, b.input('x', [1, 2, 6]), {}))).toThrow('hashed n-grams');
  const gated: MemoryTable = { ...base, consume: 'expert', gate: true, lookup: 'lsh' };
  expect(() => defineProgram((b) => void readMemory(b, gated, b.input('x', [1, 2, 6]), {}))).toThrow('no gate');
});
