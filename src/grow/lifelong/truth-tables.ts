// The finite classes for Boolean targets: constants, copies of one candidate, and every truth table of every pair of
// candidates, counted with bit operations. Exhaustive on purpose: the two parts of a parity carry no information alone.
import { classSize, errorBits, type Fit, logHypotheses, modelBits } from './fit.ts';
import type { Model, Reference } from './model.ts';
import { popcount, type Samples } from './samples.ts';

/**
 * The best model of each finite class on all samples, in order of size; classes without a candidate are missing.
 * @param references candidates; those that are not Boolean on these samples are passed over
 * @param pairable candidates whose pairs are tried, default all
 */
export function fitTables(samples: Samples, references: readonly Reference[], pairable = references): Fit[] {
  const n = samples.count;
  const words = Math.ceil(n / 32);
  const target = samples.targetBits();
  const ones = count(target, words);
  const constant = finite(
    'constant',
    { kind: 'constant', value: ones * 2 >= n ? 1 : 0 },
    n,
    Math.min(ones, n - ones),
    1,
  );
  const fits = [constant];

  const usable = references.filter((r) => samples.bits(r) !== undefined);
  let best: Fit | undefined;
  for (const reference of usable) {
    const bits = samples.bits(reference)!;
    let differ = 0;
    for (let w = 0; w < words; w++) differ += popcount(bits[w]! ^ target[w]!);
    const errors = Math.min(differ, n - differ);
    if (best === undefined || errors < best.errors) {
      best = finite('copy', { kind: 'copy', input: reference, negate: differ * 2 > n }, n, errors, references.length);
    }
  }
  if (best !== undefined) fits.push(best);

  const pairs = pairable.filter((r) => samples.bits(r) !== undefined);
  const table = bestTable(samples, pairs, target, ones);
  if (table !== undefined) fits.push(finite('table', table.model, n, table.errors, pairable.length));
  return fits;
}

function finite(kind: 'constant' | 'copy' | 'table', model: Model, n: number, errors: number, candidates: number): Fit {
  const size = classSize(kind, candidates);
  return {
    model,
    judged: n,
    errors,
    bits: modelBits(kind, size) + errorBits(n, errors),
    logHypotheses: logHypotheses(kind, size),
  };
}

interface TableFit {
  readonly model: Extract<Model, { kind: 'table' }>;
  readonly errors: number;
}

/** The pair and table with the fewest errors among tables that depend on both inputs; ties go to the later pair. */
function bestTable(
  samples: Samples,
  references: readonly Reference[],
  target: Uint32Array,
  ones: number,
): TableFit | undefined {
  const n = samples.count;
  const words = Math.ceil(n / 32);
  const rows = references.map((r) => samples.bits(r)!);
  const sums = rows.map((row) => count(row, words));
  const hits = rows.map((row) => {
    let c = 0;
    for (let w = 0; w < words; w++) c += popcount(row[w]! & target[w]!);
    return c;
  });
  let best: TableFit | undefined;
  for (let j = references.length - 1; j > 0; j--) {
    for (let i = j - 1; i >= 0; i--) {
      const [a, b] = [rows[i]!, rows[j]!];
      let both = 0;
      let bothHit = 0;
      for (let w = 0; w < words; w++) {
        const and = a[w]! & b[w]!;
        both += popcount(and);
        bothHit += popcount(and & target[w]!);
      }
      // Cells in the order of the table's bits: neither, a alone, b alone, both.
      const seen = [n - sums[i]! - sums[j]! + both, sums[i]! - both, sums[j]! - both, both];
      const hit = [ones - hits[i]! - hits[j]! + bothHit, hits[i]! - bothHit, hits[j]! - bothHit, bothHit];
      let errors = 0;
      let table = 0;
      for (let cell = 0; cell < 4; cell++) {
        const misses = seen[cell]! - hit[cell]!;
        errors += Math.min(hit[cell]!, misses);
        if (hit[cell]! > misses) table |= 1 << cell;
      }
      if (best !== undefined && errors >= best.errors) continue;
      if (!dependsOnBoth(table)) continue;
      best = { model: { kind: 'table', inputs: [references[i]!, references[j]!], table }, errors };
      if (errors === 0) return best;
    }
  }
  return best;
}

function dependsOnBoth(table: number): boolean {
  const onA = (table & 1) !== ((table >>> 1) & 1) || ((table >>> 2) & 1) !== ((table >>> 3) & 1);
  const onB = (table & 3) !== table >>> 2;
  return onA && onB;
}

function count(bits: Uint32Array, words: number): number {
  let c = 0;
  for (let w = 0; w < words; w++) c += popcount(bits[w]!);
  return c;
}
