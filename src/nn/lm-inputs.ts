// Numbers that the host computes from token ids and feeds beside them: the one list that training, evaluation, generation
// and export go by. A block that needs such numbers adds its inputs here and reads them with `call.input(name)`.
import type { HostTensor } from '../tensor/index.ts';
import type { LmConfig } from './lm-config.ts';
import { NGRAM_INPUT, ngramOf } from './lm-memory.ts';
import { hasSoft, softWidth } from './lm-soft-config.ts';
import { ngramRows } from './memory-tables/index.ts';

/** Name of the vectors that stand for tokens. Without pictures and sounds they are zeros, which nothing reads. */
export const SOFT_INPUT = 'soft';

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
  const inputs: LmInput[] = [];
  if (hash) {
    inputs.push({
      name: NGRAM_INPUT,
      about: `Rows of the memory tables: the last ${hash.ngram} ids of each position, hashed ${hash.hashes} times.`,
      dtype: 'i32',
      trailing: [hash.hashes],
      values: (ids, before) => ngramRows(hash, ids, before),
    });
  }
  if (hasSoft(config)) {
    const width = softWidth(config);
    inputs.push({
      name: SOFT_INPUT,
      about:
        'Vectors of pictures and sounds, out of their encoders, at the places of their tokens; anything elsewhere.',
      dtype: 'f32',
      trailing: [width],
      values: (ids) => new Float32Array(ids.length * width),
    });
  }
  return inputs;
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
