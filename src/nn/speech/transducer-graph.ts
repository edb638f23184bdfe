// The transducer loss inside a program, unrolled over the labels: column u of the forward variables is a log-sum-exp over the frames
// at which label u was emitted. Autodiff does the rest. Costs frames^2 a column, so it is meant for short label sequences.
import { type Builder, concat, logSumExp, stack, stopGradient, type Tensor } from '../../tensor/index.ts';
import type { Lattice } from './hat.ts';

/** Pairs of frames in the wrong order get this; never -Infinity, which would make NaN gradients. */
const NEVER = -1e30;

/** Log-probability of a label beyond the end of its utterance. */
const OVER = -1e4;

export interface TransducerGraphOptions {
  /** Scales the gradient of labels by `1 + fastEmit` (Yu et al. 2021); the value does not change. Default 0. */
  readonly fastEmit?: number;
  /** Frames by which a label moves on. Default 0, the classical transducer; otherwise the lattice must be `runOut` so far. */
  readonly labelFrames?: number;
}

/**
 * Appends frames at which nothing but the blank happens, so that a label near the end can take its time; frames beyond the end of an
 * utterance become such frames too.
 * @param valid `[batch, frames, 1]`, 1 or 0
 */
export function runOut(lattice: Lattice, valid: Tensor | undefined, labelFrames: number): Lattice {
  const blank = valid ? lattice.blank.mul(valid) : lattice.blank;
  const label = valid ? lattice.label.add(valid.sub(1).mul(-OVER)) : lattice.label;
  const longer = (t: Tensor): Tensor => t.pad([0, 0, 0], [0, labelFrames, 0]);
  return { blank: longer(blank), label: longer(label.sub(OVER)).add(OVER) };
}

/**
 * -log P of each utterance, `[batch]`.
 * @param pick i32 `[batch, 1]`: `(frames - 1) * columns + labels` of each utterance
 */
export function transducerGraph(
  b: Builder,
  lattice: Lattice,
  pick: Tensor,
  options: TransducerGraphOptions = {},
): Tensor {
  const { fastEmit = 0, labelFrames = 0 } = options;
  const { blank } = lattice;
  const label = fastEmit === 0 ? lattice.label : emitEarlier(lattice.label, fastEmit);
  const [batch, frames, columns] = blank.shape as [number, number, number];
  const late = b.once(`late|${frames}|${b.dtype}`, () => {
    const data = new Float64Array(frames * frames);
    for (let t = 0; t < frames; t++) data.fill(NEVER, t * frames + t + 1, (t + 1) * frames);
    return b.constant(data, [frames, frames], b.dtype);
  });
  const column = (t: Tensor, u: number): Tensor => t.sliceAxis(2, u, u + 1).squeeze(2); // [batch, frames]
  const ends: Tensor[] = [];
  let forward: Tensor | undefined;
  for (let u = 0; u < columns; u++) {
    const stay = column(blank, u);
    const waited = stay.cumsum(1, { exclusive: true });
    if (!forward) forward = waited;
    else {
      const entered = later(b, forward.add(column(label, u - 1)), labelFrames);
      // [batch, t, s]: entered at s, waited until t
      const paths = waited.unsqueeze(2).sub(waited.unsqueeze(1)).add(entered.unsqueeze(1)).add(late);
      forward = logSumExp(paths);
    }
    ends.push(forward.add(stay));
  }
  const all = stack(ends, 2).reshape([batch, frames * columns]);
  return all.gatherElements(pick, 1).reshape([batch]).neg();
}

/** `[batch, frames]` moved by some frames; nothing was there before. */
function later(b: Builder, t: Tensor, by: number): Tensor {
  if (by === 0) return t;
  const [batch, frames] = t.shape as [number, number];
  const count = Math.min(by, frames);
  const never = b.once(`never|${batch}|${count}|${b.dtype}`, () =>
    b.constant(new Float64Array(batch * count).fill(NEVER), [batch, count], b.dtype),
  );
  return concat([never, t.sliceAxis(1, 0, frames - count)], 1);
}

function emitEarlier(label: Tensor, strength: number): Tensor {
  return label.add(label.sub(stopGradient(label)).mul(strength));
}

/** The `pick` of a batch. */
export function pickEnds(frames: ArrayLike<number>, labels: ArrayLike<number>, columns: number): Int32Array {
  return Int32Array.from({ length: frames.length }, (_, i) => (frames[i]! - 1) * columns + labels[i]!);
}
