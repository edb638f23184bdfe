// Examples of many tasks that differ by a code, and what learns them: the interface between the formulations and the
// decision, and the score they are compared by.
import type { Rng } from '../../tensor/index.ts';

/** Examples of many tasks: `xs [n, width]`, `codes [n, codeWidth]`, `ys [n]`. */
export interface TaskData {
  readonly xs: Float32Array;
  readonly codes: Float32Array;
  readonly ys: Float32Array;
  readonly width: number;
  readonly codeWidth: number;
}

/** Answers for examples; the targets are not looked at. */
export type Predictor = (data: TaskData) => Promise<Float32Array>;

/** A fitted formulation. */
export interface Fitted {
  readonly predict: Predictor;
  /** Trained numbers of one model. */
  readonly parameters: number;
  /** Training examples of each of its models. */
  readonly sizes: readonly number[];
}

/** One way to learn many tasks. */
export interface Formulation {
  readonly name: string;
  fit(data: TaskData, rng: Rng): Promise<Fitted>;
}

export function rowsOf(data: TaskData): number {
  return data.ys.length;
}

/** The rows with these numbers. */
export function pickRows(data: TaskData, rows: ArrayLike<number>): TaskData {
  const n = rows.length;
  const { width, codeWidth } = data;
  const xs = new Float32Array(n * width);
  const codes = new Float32Array(n * codeWidth);
  const ys = new Float32Array(n);
  for (let i = 0; i < n; i++) {
    const row = rows[i]!;
    xs.set(data.xs.subarray(row * width, (row + 1) * width), i * width);
    codes.set(data.codes.subarray(row * codeWidth, (row + 1) * codeWidth), i * codeWidth);
    ys[i] = data.ys[row]!;
  }
  return { xs, codes, ys, width, codeWidth };
}

/** Share of the variance that predictions explain; 1 is perfect, 0 the mean, negative worse than the mean. */
export function rSquared(predicted: ArrayLike<number>, ys: ArrayLike<number>): number {
  let mean = 0;
  for (let i = 0; i < ys.length; i++) mean += ys[i]! / ys.length;
  let miss = 0;
  let all = 0;
  for (let i = 0; i < ys.length; i++) {
    miss += (ys[i]! - predicted[i]!) ** 2;
    all += (ys[i]! - mean) ** 2;
  }
  return 1 - miss / all;
}
