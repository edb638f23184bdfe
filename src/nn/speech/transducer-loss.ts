// The transducer loss on the host, in f64: forward and backward variables, exact occupancies, gradients (Graves 2012). A label may take
// a number of frames, as one fixed duration of token-and-duration transducers (Xu et al. 2023). The readable version;
// transducer-graph.ts computes the same inside a program.
import { CairnError } from '../../errors.ts';

/** Lattices of a batch: log-probabilities `[batch, frames, columns]` of the blank and of the next label. */
export interface HostLattice {
  readonly blank: ArrayLike<number>;
  readonly label: ArrayLike<number>;
  readonly batch: number;
  readonly frames: number;
  /** Labels + 1. */
  readonly columns: number;
  /** Frames by which a label moves on; one that reaches beyond the end ends the utterance. Default 0, the classical transducer. */
  readonly labelFrames?: number;
}

export interface TransducerLoss {
  /** -log P of each utterance. */
  readonly losses: Float64Array;
  /** Expected uses of every blank and label step, `[batch, frames, columns]`: minus the gradients of the summed loss. */
  readonly blank: Float64Array;
  readonly label: Float64Array;
}

/** log(exp(a) + exp(b)) */
export function logAddExp(a: number, b: number): number {
  const top = Math.max(a, b);
  return top === -Infinity ? top : top + Math.log1p(Math.exp(Math.min(a, b) - top));
}

/**
 * @param lengths real frames and labels of each utterance
 * @throws CairnError `no_frames` for an utterance without frames, `bad_lattice` when forward and backward disagree
 */
export function transducerLoss(
  lattice: HostLattice,
  lengths: { readonly frames: ArrayLike<number>; readonly labels: ArrayLike<number> },
): TransducerLoss {
  const { batch, frames, columns } = lattice;
  const losses = new Float64Array(batch);
  const blank = new Float64Array(batch * frames * columns);
  const label = new Float64Array(batch * frames * columns);
  for (let i = 0; i < batch; i++) {
    const [T, U] = [lengths.frames[i]!, lengths.labels[i]!];
    if (!(T >= 1 && T <= frames)) throw noFrames(T, frames);
    if (!(U >= 0 && U < columns)) {
      throw new CairnError('bad_lattice', `Expected 0 to ${columns - 1} labels, got ${U}.`);
    }
    losses[i] = one(lattice, i, T, U, blank, label);
  }
  return { losses, blank, label };
}

function noFrames(got: number, most: number): CairnError {
  return new CairnError('no_frames', `Expected 1 to ${most} frames in an utterance, got ${got}.`, {
    hint: 'Leave out utterances shorter than one frame.',
  });
}

function one(
  { blank: lb, label: ly, frames, columns, labelFrames = 0 }: HostLattice,
  i: number,
  T: number,
  U: number,
  gammaBlank: Float64Array,
  gammaLabel: Float64Array,
): number {
  const base = i * frames * columns;
  const at = (t: number, u: number): number => base + t * columns + u;
  const width = U + 1;
  const after = (t: number): number => Math.min(t + labelFrames, T);
  // Row T is the end.
  const A = new Float64Array((T + 1) * width).fill(-Infinity);
  const B = new Float64Array((T + 1) * width).fill(-Infinity);
  A[0] = 0;
  for (let t = 0; t < T; t++) {
    for (let u = 0; u <= U; u++) {
      const a = A[t * width + u]!;
      const [stay, say] = [(t + 1) * width + u, after(t) * width + u + 1];
      A[stay] = logAddExp(A[stay]!, a + lb[at(t, u)]!);
      if (u < U) A[say] = logAddExp(A[say]!, a + ly[at(t, u)]!);
    }
  }
  B[T * width + U] = 0;
  const byBlank = (t: number, u: number): number => lb[at(t, u)]! + B[(t + 1) * width + u]!;
  const byLabel = (t: number, u: number): number => ly[at(t, u)]! + B[after(t) * width + u + 1]!;
  for (let t = T - 1; t >= 0; t--) {
    for (let u = U; u >= 0; u--) {
      B[t * width + u] = u < U ? logAddExp(byBlank(t, u), byLabel(t, u)) : byBlank(t, u);
    }
  }
  const logP = A[T * width + U]!;
  if (!(Math.abs(logP - B[0]!) <= 1e-6 * T)) {
    throw new CairnError('bad_lattice', `Expected equal forward and backward probabilities, got ${logP} and ${B[0]}.`, {
      hint: 'Check the lattice for NaN and infinities.',
    });
  }
  for (let t = 0; t < T; t++) {
    for (let u = 0; u <= U; u++) {
      const a = A[t * width + u]!;
      gammaBlank[at(t, u)] = Math.exp(a + byBlank(t, u) - logP);
      if (u < U) gammaLabel[at(t, u)] = Math.exp(a + byLabel(t, u) - logP);
    }
  }
  return -logP;
}
