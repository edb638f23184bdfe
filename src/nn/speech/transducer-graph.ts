// The transducer loss inside a program, unrolled over the labels: column u of the forward variables is a log-sum-exp over the frames
// at which label u was emitted. Autodiff does the rest. Costs frames^2 a column, so it is meant for short label sequences.
import { type Builder, logSumExp, stack, stopGradient, type Tensor } from '../../tensor/index.ts';
import type { Lattice } from './hat.ts';

/** Pairs of frames in the wrong order get this; never -Infinity, which would make NaN gradients. */
const NEVER = -1e30;

/**
 * -log P of each utterance, `[batch]`.
 * @param pick i32 `[batch, 1]`: `(frames - 1) * columns + labels` of each utterance
 * @param fastEmit scales the gradient of labels by `1 + fastEmit` (Yu et al. 2021); the value does not change
 */
export function transducerGraph(b: Builder, lattice: Lattice, pick: Tensor, fastEmit = 0): Tensor {
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
      const entered = forward.add(column(label, u - 1));
      // [batch, t, s]: entered at s, waited until t
      const paths = waited.unsqueeze(2).sub(waited.unsqueeze(1)).add(entered.unsqueeze(1)).add(late);
      forward = logSumExp(paths);
    }
    ends.push(forward.add(stay));
  }
  const all = stack(ends, 2).reshape([batch, frames * columns]);
  return all.gatherElements(pick, 1).reshape([batch]).neg();
}

function emitEarlier(label: Tensor, strength: number): Tensor {
  return label.add(label.sub(stopGradient(label)).mul(strength));
}

/** The `pick` of a batch. */
export function pickEnds(frames: ArrayLike<number>, labels: ArrayLike<number>, columns: number): Int32Array {
  return Int32Array.from({ length: frames.length }, (_, i) => (frames[i]! - 1) * columns + labels[i]!);
}
