// Which examples a training step sees, as a pure function of the seed and the step: a run that resumes at a step needs no
// other cursor. Not a loader: the caller gathers the rows.
import { CairnError } from '../errors.ts';
import type { Rng } from '../tensor/index.ts';

/** The examples of a step. */
export interface Batches {
  readonly stepsPerEpoch: number;
  /** Indices `[batchSize]` of step 0, 1, 2, … */
  at(step: number): Uint32Array;
}

/**
 * Passes over `count` examples, each pass in its own random order, cut into full batches; what does not fill a batch is
 * left out of that pass (each pass leaves out others).
 * @throws CairnError `bad_batch` unless 1 <= batchSize <= count.
 * @example
 * const batches = epochBatches({ count: 10, batchSize: 4, rng: new Rng(7) });
 * batches.at(5); // four distinct indices, always the same ones
 */
export function epochBatches(options: { count: number; batchSize: number; rng: Rng }): Batches {
  const { count, batchSize, rng } = options;
  if (!Number.isInteger(batchSize) || batchSize < 1 || batchSize > count) {
    throw new CairnError('bad_batch', `Expected a batch size from 1 to ${count}, got ${batchSize}.`);
  }
  const stepsPerEpoch = Math.floor(count / batchSize);
  let epoch = -1;
  let order: Uint32Array = new Uint32Array(0);
  return {
    stepsPerEpoch,
    at(step) {
      const wanted = Math.floor(step / stepsPerEpoch);
      if (wanted !== epoch) {
        epoch = wanted;
        order = rng.fork('epoch').fork(epoch).permutation(count);
      }
      const begin = (step % stepsPerEpoch) * batchSize;
      return order.slice(begin, begin + batchSize);
    },
  };
}

/** Windows of a token sequence, for next-token prediction. */
export interface Windows {
  /** Inputs and targets of a step, both `[batch, length]` row by row; targets are inputs moved by one. */
  at(step: number): { x: Int32Array; y: Int32Array };
  /** Where the windows of a step begin, `[batch]`. */
  starts(step: number): Int32Array;
}

/**
 * Random windows, drawn independently for every step.
 * @param options.tokens `[n]`, n > length
 */
export function randomWindows(options: { tokens: Int32Array; batch: number; length: number; rng: Rng }): Windows {
  const { tokens, batch, length, rng } = options;
  const starts = tokens.length - length;
  if (starts < 1) {
    throw new CairnError('bad_batch', `Expected more than ${length} tokens, got ${tokens.length}.`, {
      hint: 'Use a longer text or a shorter context.',
    });
  }
  const startsOf = (step: number): Int32Array => {
    const r = rng.fork('windows').fork(step);
    return Int32Array.from({ length: batch }, () => r.integer(starts));
  };
  return {
    starts: startsOf,
    at(step) {
      const x = new Int32Array(batch * length);
      const y = new Int32Array(batch * length);
      startsOf(step).forEach((s, i) => {
        x.set(tokens.subarray(s, s + length), i * length);
        y.set(tokens.subarray(s + 1, s + length + 1), i * length);
      });
      return { x, y };
    },
  };
}
