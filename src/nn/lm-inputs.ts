// Numbers that the host computes from token ids and feeds beside them: the one list that training, evaluation, generation
// and export go by. A block that needs such numbers adds its inputs here and reads them with `call.input(name)`.
import type { HostTensor } from '../tensor/index.ts';
import type { LmConfig } from './lm-config.ts';
import { NGRAM_INPUT, ngramOf } from './lm-memory.ts';
import { ngramRows } from './memory-tables/index.ts';

/** One host-computed input `[batch, time, ...trailing]`. */
export interface LmInput {
  readonly name: string;
  /** One sentence for whoever feeds an exported model. */
  readonly about: string;
  readonly dtype: 'i32' | 'f32';
  readonly trailing: readonly number[];
  /**
   * The values of one row, `ids.length` times the trailing size.
   * @param before the ids of the row before these, oldest first; empty at the start of a sequence
   */
  readonly values: (ids: Int32Array, before: ArrayLike<number>) => Int32Array | Float32Array;
}

/** The inputs that a config asks for beside ids; none for a plain model. */
export function lmInputs(config: LmConfig): readonly LmInput[] {
  const hash = ngramOf(config);
  if (!hash) return [];
  return [
    {
      name: NGRAM_INPUT,
      about: `Rows of the memory tables: the last ${hash.ngram} ids of each position, hashed ${hash.hashes} times.`,
      dtype: 'i32',
      trailing: [hash.hashes],
      values: (ids, before) => ngramRows(hash, ids, before),
    },
  ];
}

/**
 * Feeds of `lmInputs` for a batch of ids `[batch, length]`.
 * @param before ids before those of the (only) row, for decoding; absent: every row starts a sequence
 */
export function lmFeeds(
  config: LmConfig,
  ids: Int32Array,
  batch: number,
  before: ArrayLike<number> = [],
): Record<string, HostTensor> {
  const length = ids.length / batch;
  const feeds: Record<string, HostTensor> = {};
  for (const { name, dtype, trailing, values } of lmInputs(config)) {
    const size = length * trailing.reduce((n, d) => n * d, 1);
    const data = dtype === 'i32' ? new Int32Array(batch * size) : new Float32Array(batch * size);
    for (let row = 0; row < batch; row++) {
      data.set(values(ids.subarray(row * length, (row + 1) * length), before), row * size);
    }
    feeds[name] = { data, shape: [batch, length, ...trailing], dtype };
  }
  return feeds;
}

/** The inputs as an exported model describes them in its metadata. */
export function describeInputs(config: LmConfig): string {
  return JSON.stringify(lmInputs(config).map(({ name, about, dtype, trailing }) => ({ name, about, dtype, trailing })));
}
