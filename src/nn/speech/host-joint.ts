// The joint and the prediction network of one size on the host, in f64: a few thousand multiplications a step, too little for a
// graph. Equal to hat.ts up to the accuracy of f32.
import type { ModelState } from '../../tensor/index.ts';
import type { AsrConfig, AsrSize } from './config.ts';

/** Log-probabilities at one point of the lattice. */
export interface JointOutput {
  readonly blank: number;
  /** `[vocabulary]`; label k is at k - 1. */
  readonly labels: Float64Array;
}

/** Distributions of one size, given a frame and the last two labels. */
export interface HostJoint {
  /** Labels without the blank. */
  readonly count: number;
  /** Values of an encoded frame. */
  readonly width: number;
  /** @param frame `[width]` @param last the last label or 0 @param before the label before it or 0 */
  step(frame: Float32Array, last: number, before: number): JointOutput;
  /** The internal language model: log-probabilities of the labels with the encoder's term left out. */
  internal(last: number, before: number): Float64Array;
}

const logSigmoid = (x: number): number => (x >= 0 ? -Math.log1p(Math.exp(-x)) : x - Math.log1p(Math.exp(x)));

export function createHostJoint(config: AsrConfig, size: AsrSize, state: ModelState): HostJoint {
  const { joint_size: width, embedding_size: half, transducer } = config;
  const count = config.vocabulary.length;
  const read = (name: string): ArrayLike<number> => state.get(name).data;
  const table = read(`decoder.${size}.embed`);
  const projection = read(`decoder.${size}.proj`);
  /** What a label adds to the joint as the last one (0) or the one before (1). */
  const partOf = (slot: 0 | 1): Float64Array[] =>
    Array.from({ length: count + 1 }, (_, label) => {
      const row = new Float64Array(width);
      for (let e = 0; e < half; e++) {
        const x = table[label * half + e]!;
        for (let j = 0; j < width; j++) row[j]! += x * projection[(slot * half + e) * width + j]!;
      }
      return row;
    });
  const [lasts, befores] = [partOf(0), partOf(1)];
  const outputs = transducer === 'hat' ? 1 + count : count + 1;
  // Column 0 is the blank in both forms.
  const weight = new Float64Array(width * outputs);
  const bias = new Float64Array(outputs);
  const fill = (name: string, from: number, columns: number): void => {
    const [w, b] = [read(`joint.${size}.${name}.weight`), read(`joint.${size}.${name}.bias`)];
    for (let c = 0; c < columns; c++) {
      bias[from + c] = b[c]!;
      for (let j = 0; j < width; j++) weight[j * outputs + from + c] = w[j * columns + c]!;
    }
  };
  if (transducer === 'hat') {
    fill('blank', 0, 1);
    fill('label', 1, count);
  } else fill('output', 0, count + 1);

  const logits = new Float64Array(outputs);
  const compute = (frame: Float32Array | undefined, last: number, before: number): void => {
    const [a, c] = [lasts[last]!, befores[before]!];
    logits.set(bias);
    for (let j = 0; j < width; j++) {
      const z = Math.tanh((frame ? frame[j]! : 0) + a[j]! + c[j]!);
      for (let k = 0; k < outputs; k++) logits[k]! += z * weight[j * outputs + k]!;
    }
  };
  return {
    count,
    width,
    step(frame, last, before) {
      compute(frame, last, before);
      if (transducer === 'rnnt') {
        const p = logSoftmaxOf(logits, 0);
        return { blank: p[0]!, labels: p.slice(1) };
      }
      const labels = logSoftmaxOf(logits, 1);
      const more = logSigmoid(-logits[0]!);
      return { blank: logSigmoid(logits[0]!), labels: labels.map((l) => l + more) };
    },
    internal(last, before) {
      compute(undefined, last, before);
      return logSoftmaxOf(logits, 1);
    },
  };
}

function logSoftmaxOf(logits: Float64Array, from: number): Float64Array {
  const part = logits.slice(from);
  const top = part.reduce((m, x) => Math.max(m, x), -Infinity);
  const total = top + Math.log(part.reduce((s, x) => s + Math.exp(x - top), 0));
  return part.map((x) => x - total);
}
