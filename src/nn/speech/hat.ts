// Prediction network, joint and output distributions of one size, as a graph: the factorised form (HAT, Variani et al. 2020) and the
// plain one (RNN-T, Graves 2012). The prediction network has no state: it sees the last two labels.
import {
  type Builder,
  defineProgram,
  logSigmoid,
  logSoftmax,
  normal,
  type ProgramDef,
  scaledNormal,
  type Tensor,
  zeros,
} from '../../tensor/index.ts';
import type { AsrConfig, AsrSize } from './config.ts';

/** Log-probabilities of a lattice: `[batch, frames, labels + 1]` of the blank and of the next label (meaningless in the last column). */
export interface Lattice {
  readonly blank: Tensor;
  readonly label: Tensor;
}

/** The encoder's part of the joint. `[batch, frames, width] -> [batch, frames, joint_size]` */
export function encoderProjection(b: Builder, config: AsrConfig, size: AsrSize, encoded: Tensor): Tensor {
  const name = `joint.${size}.encoder`;
  const weight = b.param(`${name}.weight`, [config.hidden_size, config.joint_size], scaledNormal());
  return encoded.matmul(weight).add(b.param(`${name}.bias`, [config.joint_size], zeros, { decay: false }));
}

/**
 * The prediction network's part of the joint, for the last label and the one before.
 * @param labels i32 `[batch, n, 2]`, 0 where there is none
 * @returns `[batch, n, joint_size]`
 */
export function predict(b: Builder, config: AsrConfig, size: AsrSize, labels: Tensor): Tensor {
  const [batch, n] = labels.shape as [number, number];
  const { embedding_size: width, joint_size: joint } = config;
  const table = b.param(`decoder.${size}.embed`, [config.vocabulary.length + 1, width], normal(0.1), { decay: false });
  const weight = b.param(`decoder.${size}.proj`, [2 * width, joint], scaledNormal());
  return table
    .gather(labels)
    .reshape([batch, n, 2 * width])
    .matmul(weight);
}

/**
 * Log-probabilities of every step of the lattice.
 * @param encoded `[batch, frames, joint_size]` from `encoderProjection`
 * @param predicted `[batch, labels + 1, joint_size]` from `predict`
 * @param next i32 `[batch, labels + 1]`: the label that follows, from 1 on; anything in the last column
 */
export function lattice(
  b: Builder,
  config: AsrConfig,
  size: AsrSize,
  encoded: Tensor,
  predicted: Tensor,
  next: Tensor,
): Lattice {
  const [batch, frames] = encoded.shape as [number, number];
  const columns = predicted.shape[1]!;
  const z = encoded.unsqueeze(2).add(predicted.unsqueeze(1)).tanh(); // [batch, frames, columns, joint]
  const { blank, labels } = distributions(b, config, size, z);
  const wanted = next.sub(1).max(0).reshape([batch, 1, columns, 1]).expand([batch, frames, columns, 1]);
  return { blank: blank.squeeze(3), label: labels.gatherElements(wanted, 3).squeeze(3) };
}

/**
 * Log-probabilities of the blank `[..., 1]` and of all labels `[..., vocabulary]` at points of the joint `[..., joint_size]`.
 */
export function distributions(
  b: Builder,
  config: AsrConfig,
  size: AsrSize,
  z: Tensor,
): { blank: Tensor; labels: Tensor } {
  const count = config.vocabulary.length;
  const affine = (name: string, outputs: number): Tensor =>
    z
      .matmul(b.param(`joint.${size}.${name}.weight`, [config.joint_size, outputs], scaledNormal()))
      .add(b.param(`joint.${size}.${name}.bias`, [outputs], zeros, { decay: false }));
  if (config.transducer === 'rnnt') {
    const p = logSoftmax(affine('output', count + 1));
    return { blank: p.sliceAxis(-1, 0, 1), labels: p.sliceAxis(-1, 1) };
  }
  const a = affine('blank', 1);
  return { blank: logSigmoid(a), labels: logSigmoid(a.neg()).add(logSoftmax(affine('label', count))) };
}

/**
 * One decision of a size as a program: `joint [1, joint_size]` of a frame and `context` i32 `[1, 1, 2]` (the last label and the one before)
 * to log-probabilities `blank [1, 1]` and `labels [1, vocabulary]`.
 */
export function decoderProgram(config: AsrConfig, size: AsrSize): ProgramDef {
  return defineProgram((b) => {
    const said = predict(b, config, size, b.input('context', [1, 1, 2], 'i32')).squeeze(1);
    const { blank, labels } = distributions(b, config, size, b.input('joint', [1, config.joint_size]).add(said).tanh());
    b.output('blank', blank);
    b.output('labels', labels);
  });
}
