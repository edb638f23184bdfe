// Tables that are read instead of computed ("The Power of External Memory in Increasing Predictive Model Capacity", arXiv
// 2302.00003): a position looks up rows and adds them to a layer's output, concatenates them to its input, or uses them as a
// small network. A step costs what the rows cost that it reads. All forms start as if the table were not there.
import { CairnError } from '../../errors.ts';
import { type Builder, gather, normal, ROWS, type Tensor, zeros } from '../../tensor/index.ts';
import { type LookupInputs, lookUp, type Rows } from './lookup.ts';

export type MemoryLookup = 'token' | 'ngram' | 'lsh' | 'softmax' | 'product';
export type MemoryConsume = 'add' | 'concat' | 'expert';

/**
 * Parameters: `table [rows, width]`, with joined reads `[rows, width / reads]`; or for small networks `down` and `up [rows, width * rank]`; `concat.weight
 * [2 width, width]`; `gate_key.weight [width, width]`; and those of the lookup: `hash.*`, `router.weight`, `query.weight`, `keys`.
 */
export interface MemoryTable {
  readonly lookup: MemoryLookup;
  readonly consume: MemoryConsume;
  readonly width: number;
  /** Rows; with `lsh` in each of `reads` tables. */
  readonly entries: number;
  /** Rows of a position: hashes of n-grams, hashed tables, or product keys found. */
  readonly reads: number;
  /** How the rows of several hashes of an n-gram make one: summed out of one table, or joined, each `width / reads` wide out of its own. */
  readonly combine?: 'sum' | 'concat';
  /** Hidden units of a row used as a network. */
  readonly rank: number;
  /** Scales what was read by how well it fits the position's vector. */
  readonly gate: boolean;
}

/** What the table adds to a layer's output. x `[..., width]`: the layer's input; the result has its shape. */
export function readMemory(b: Builder, table: MemoryTable, x: Tensor, inputs: Omit<LookupInputs, 'unit'>): Tensor {
  const unit = x.div(x.mul(x).mean(-1, true).add(1e-6).sqrt());
  const rows = lookUp(b, table, { ...inputs, unit });
  if (table.consume === 'expert') {
    if (table.gate) throw new CairnError('bad_memory', 'Expected no gate with rows used as networks, got one.');
    return runExperts(b, table, unit, rows);
  }
  const read = table.combine === 'concat' ? joined(b, table, rows) : summed(b, table, rows); // [..., width]
  const value = table.gate ? read.mul(fit(b, table, unit, read)) : read;
  if (table.consume === 'add') return value;
  const { width } = table;
  const halves = b.scope('concat', () => b.param(b.path('weight'), [2 * width, width], lowerHalf));
  return unit.matmul(halves.sliceAxis(0, 0, width)).add(value.matmul(halves.sliceAxis(0, width, 2 * width)));
}

/** Rows in all. */
export function rowsOf(table: Pick<MemoryTable, 'lookup' | 'entries' | 'reads' | 'combine'>): number {
  const { lookup, entries, reads, combine } = table;
  return lookup === 'lsh' || combine === 'concat' ? entries * reads : entries;
}

/** One row, or the weighted sum of several. */
function summed(b: Builder, table: MemoryTable, { index, weights }: Rows): Tensor {
  const stored = b.param(b.path('table'), [rowsOf(table), table.width], zeros, { decay: false, tags: [ROWS] });
  return weighted(gather(stored, index), weights);
}

/** One narrow row out of each of `reads` tables that lie one after another, side by side. */
function joined(b: Builder, table: MemoryTable, { index }: Rows): Tensor {
  const { entries, width, reads, lookup } = table;
  if (lookup !== 'ngram' || width % reads !== 0) {
    throw new CairnError('bad_memory', `Expected joined rows of n-grams, a part of ${width} each, got ${reads} rows.`);
  }
  const shape = [rowsOf(table), width / reads];
  const stored = b.param(b.path('table'), shape, zeros, { decay: false, tags: [ROWS] });
  const first = Array.from({ length: reads }, (_, m) => m * entries);
  const read = gather(stored, index.add(b.constant(first, [reads], 'i32')));
  return read.reshape([...index.shape.slice(0, -1), width]);
}

/** `[..., reads, n]` to `[..., n]`. */
function weighted(read: Tensor, weights: Tensor | undefined): Tensor {
  if (!weights) return read.shape.at(-2) === 1 ? read.squeeze(-2) : read.sum(-2);
  return read.mul(weights.unsqueeze(weights.shape.length)).sum(-2);
}

/** How well what was read fits, `[..., 1]` from 0 to 1. */
function fit(b: Builder, { width }: MemoryTable, unit: Tensor, read: Tensor): Tensor {
  const key = b.scope('gate_key', () => b.param(b.path('weight'), [width, width], normal(1 / Math.sqrt(width))));
  return unit
    .mul(read.matmul(key))
    .sum(-1, true)
    .mul(1 / Math.sqrt(width))
    .sigmoid();
}

/** `V gelu(U x)` for each row read, summed by weight; V starts at zero. */
function runExperts(b: Builder, table: MemoryTable, unit: Tensor, { index, weights }: Rows): Tensor {
  const { width, rank } = table;
  const options = { decay: false, tags: [ROWS] };
  const count = index.shape.at(-1)!;
  const lead = index.shape.slice(0, -1);
  const shape = [rowsOf(table), width * rank];
  const down = gather(b.param(b.path('down'), shape, normal(1 / Math.sqrt(width)), options), index);
  const up = gather(b.param(b.path('up'), shape, zeros, options), index);
  // Both as [..., reads, rank, width]; products with a vector are sums over an axis.
  const wide = (t: Tensor): Tensor => t.reshape([...lead, count, rank, width]);
  const at = unit.shape.length - 1;
  const hidden = wide(down).mul(unit.unsqueeze(at).unsqueeze(at)).sum(-1).gelu(); // [..., reads, rank]
  const answers = wide(up).mul(hidden.unsqueeze(hidden.shape.length)).sum(-2); // [..., reads, width]
  return weighted(answers, weights);
}

/** Zeros above, normal below: what is concatenated first adds nothing until the table does. */
const lowerHalf: ReturnType<typeof normal> = (rng, shape) => {
  const out = normal(1 / Math.sqrt(shape[1]!))(rng, shape);
  out.fill(0, 0, out.length / 2);
  return out;
};
