// Which rows of a table a position reads, and how much each counts: by token, by the last few tokens, by a locality-sensitive
// hash of its vector, by a trained softmax, or by product keys (Lample et al. 2019).
import { CairnError } from '../../errors.ts';
import { type Builder, gatherElements, normal, oneHot, type Tensor, topk } from '../../tensor/index.ts';
import { hashBuckets, lshHash } from '../experts/index.ts';
import type { MemoryTable } from './memory-table.ts';

/** Rows of a position, i32 `[..., reads]`, and their weights `[..., reads]`; without weights each counts 1. */
export interface Rows {
  readonly index: Tensor;
  readonly weights?: Tensor;
}

export interface LookupInputs {
  /** The position's vector with mean square 1, `[..., width]`. */
  readonly unit: Tensor;
  /** i32 `[...]`: token ids. */
  readonly ids?: Tensor;
  /** i32 `[..., hashes]`: see `ngramRows`. */
  readonly ngrams?: Tensor;
  readonly addLoss?: (name: string, value: Tensor, weight: number) => void;
}

const BALANCE_WEIGHT = 0.01;

/** Finds the rows, under the open scope. */
export function lookUp(b: Builder, table: MemoryTable, inputs: LookupInputs): Rows {
  switch (table.lookup) {
    case 'token':
      return { index: given(inputs.ids, 'token ids').unsqueeze(inputs.unit.shape.length - 1) };
    case 'ngram':
      return { index: given(inputs.ngrams, 'hashed n-grams') };
    case 'lsh':
      return byHash(b, table, inputs.unit);
    case 'softmax':
      return bySoftmax(b, table, inputs);
    case 'product':
      return byProductKeys(b, table, inputs.unit);
    default:
      return table.lookup satisfies never;
  }
}

function given(x: Tensor | undefined, what: string): Tensor {
  if (x) return x;
  throw new CairnError('missing_input', `Expected ${what} for this lookup, got none.`);
}

/** One row of each of `reads` tables that lie one after another, averaged. */
function byHash(b: Builder, { entries, width, reads }: MemoryTable, x: Tensor): Rows {
  const hash = lshHash({ inDim: width, buckets: entries, tables: reads });
  const bucket = b.scope('hash', () => hashBuckets(b, hash, x));
  if (reads === 1) return { index: bucket };
  const first = Array.from({ length: reads }, (_, r) => r * entries);
  return { index: bucket.add(b.constant(first, [reads], 'i32')), weights: b.constant(1 / reads).expand([reads]) };
}

/** The likeliest row, weighted by its probability: that is what trains the router. */
function bySoftmax(b: Builder, { entries, width }: MemoryTable, { unit, addLoss }: LookupInputs): Rows {
  const router = b.scope('router', () => b.param(b.path('weight'), [width, entries], normal(0.02), { decay: false }));
  const p = unit.matmul(router).softmax();
  const index = topk(p.stopGradient(), 1).indices;
  if (addLoss) {
    const lead = Array.from({ length: p.shape.length - 1 }, (_, i) => i);
    const chosen = oneHot(index.squeeze(-1), entries, p.dtype).mean(lead);
    addLoss('balance', chosen.mul(p.mean(lead)).sum().mul(entries), BALANCE_WEIGHT);
  }
  return { index, weights: gatherElements(p, index) };
}

/** Best sums of two half-keys, found among the best of each half; weights by softmax over the rows that were found. */
function byProductKeys(b: Builder, { entries, width, reads }: MemoryTable, x: Tensor): Rows {
  const side = Math.round(Math.sqrt(entries));
  const half = width / 2;
  const query = b.scope('query', () =>
    x.matmul(b.param(b.path('weight'), [width, width], normal(1 / Math.sqrt(width)))),
  );
  const keys = b.param(b.path('keys'), [2, side, half], normal(1 / Math.sqrt(half)), { decay: false });
  const best = [0, 1].map((part) => {
    const q = query.sliceAxis(-1, part * half, (part + 1) * half);
    return topk(q.matmul(keys.sliceAxis(0, part, part + 1).squeeze(0), { transB: true }), reads);
  }) as [{ values: Tensor; indices: Tensor }, { values: Tensor; indices: Tensor }];
  const rank = x.shape.length;
  const lead = x.shape.slice(0, -1);
  const pairs = (first: Tensor, second: Tensor): Tensor =>
    first
      .unsqueeze(rank)
      .add(second.unsqueeze(rank - 1))
      .reshape([...lead, reads * reads]);
  const sums = topk(pairs(best[0].values, best[1].values), reads);
  const rows = pairs(best[0].indices.mul(b.constant(side, [], 'i32')), best[1].indices);
  return { index: gatherElements(rows, sums.indices), weights: sums.values.softmax() };
}
