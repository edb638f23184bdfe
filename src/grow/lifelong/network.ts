// The last resort of a task: a small tanh network over the candidates that go best with the target, trained on the host by
// Adam. For digits and language there is nn/; this one is for what a few numbers tell together.
import type { Rng } from '../../tensor/index.ts';
import { type Fit, modelBits } from './fit.ts';
import { evaluate, type Model, type Reference, type TargetKind } from './model.ts';
import { isHeldOut, type Samples } from './samples.ts';
import { missBits } from './sparse.ts';

export interface NetworkOptions {
  readonly tolerance: number;
  readonly rng: Rng;
  /** Default 12. */
  readonly hidden?: number;
  /** Most inputs. Default 16. */
  readonly maxInputs?: number;
  /** Default 60,000 divided by the training samples, between 20 and 200. */
  readonly epochs?: number;
}

/** A small network, judged on the held-out samples. */
export function fitNetwork(
  samples: Samples,
  references: readonly Reference[],
  kind: TargetKind,
  options: NetworkOptions,
): Fit | undefined {
  const { rng, hidden = 12, maxInputs = 16, tolerance } = options;
  const train: number[] = [];
  for (let i = 0; i < samples.count; i++) if (!isHeldOut(i)) train.push(i);
  if (train.length < 64) return undefined;
  const inputs = mostRelated(samples, references, train).slice(0, maxInputs);
  const k = inputs.length;
  if (k === 0) return undefined;
  const scale = inputs.map(({ mean, sd }) => [mean, sd] as const);
  const columns = inputs.map(({ reference }) => samples.column(reference));
  const layout = { w: 2 * k, b: 2 * k + hidden * k, out: 2 * k + hidden * k + hidden };
  const parameters = new Float64Array(layout.out + hidden + 1);
  scale.forEach(([mean, sd], i) => {
    parameters[2 * i] = mean;
    parameters[2 * i + 1] = sd;
  });
  rng.fillNormal(parameters.subarray(layout.w, layout.b), 1 / Math.sqrt(k));
  rng.fillNormal(parameters.subarray(layout.out, layout.out + hidden), 1 / Math.sqrt(hidden));
  const meanY = kind === 'boolean' ? 0 : train.reduce((s, i) => s + samples.targets[i]!, 0) / train.length;
  const sdY =
    kind === 'boolean'
      ? 1
      : Math.sqrt(train.reduce((s, i) => s + (samples.targets[i]! - meanY) ** 2, 0) / train.length) || 1;

  const gradient = new Float64Array(parameters.length);
  const m = new Float64Array(parameters.length);
  const v = new Float64Array(parameters.length);
  const z = new Float64Array(hidden);
  const x = new Float64Array(k);
  const epochs = options.epochs ?? Math.min(200, Math.max(20, Math.round(60_000 / train.length)));
  const batch = Math.min(32, train.length);
  let step = 0;
  for (let epoch = 0; epoch < epochs; epoch++) {
    const order = rng.permutation(train.length);
    for (let at = 0; at + batch <= train.length; at += batch) {
      gradient.fill(0);
      for (let e = at; e < at + batch; e++) {
        const row = train[order[e]!]!;
        for (let i = 0; i < k; i++) x[i] = (columns[i]![row]! - parameters[2 * i]!) / parameters[2 * i + 1]!;
        let s = parameters[layout.out + hidden]!;
        for (let h = 0; h < hidden; h++) {
          let sum = parameters[layout.b + h]!;
          for (let i = 0; i < k; i++) sum += parameters[layout.w + h * k + i]! * x[i]!;
          z[h] = Math.tanh(sum);
          s += parameters[layout.out + h]! * z[h]!;
        }
        const y = samples.targets[row]!;
        const g = kind === 'boolean' ? 1 / (1 + Math.exp(-s)) - y : s - (y - meanY) / sdY;
        gradient[layout.out + hidden]! += g;
        for (let h = 0; h < hidden; h++) {
          gradient[layout.out + h]! += g * z[h]!;
          const back = g * parameters[layout.out + h]! * (1 - z[h]! * z[h]!);
          gradient[layout.b + h]! += back;
          for (let i = 0; i < k; i++) gradient[layout.w + h * k + i]! += back * x[i]!;
        }
      }
      step++;
      const rate = 0.02 * (1 - (0.9 * epoch) / epochs);
      for (let p = layout.w; p < parameters.length; p++) {
        const g = gradient[p]! / batch;
        m[p] = 0.9 * m[p]! + 0.1 * g;
        v[p] = 0.99 * v[p]! + 0.01 * g * g;
        parameters[p]! -=
          (rate * (m[p]! / (1 - 0.9 ** step))) / (Math.sqrt(v[p]! / (1 - 0.99 ** step)) + 1e-8) +
          rate * 1e-4 * parameters[p]!;
      }
    }
  }
  if (kind === 'number') {
    for (let h = 0; h <= hidden; h++) parameters[layout.out + h]! *= sdY;
    parameters[layout.out + hidden]! += meanY;
  }
  const model: Model = {
    kind: 'network',
    inputs: inputs.map((i) => i.reference),
    hidden,
    parameters: [...parameters],
    threshold: kind === 'boolean',
  };
  return judge(samples, model, kind, tolerance);
}

function judge(samples: Samples, model: Extract<Model, { kind: 'network' }>, kind: TargetKind, tolerance: number): Fit {
  let errors = 0;
  let judged = 0;
  let all = 0;
  for (let i = 0; i < samples.count; i++) {
    const value = evaluate(model, (r) => samples.column(r)[i]!);
    const wrong =
      kind === 'boolean' ? value !== samples.targets[i]! : Math.abs(value - samples.targets[i]!) > tolerance;
    if (wrong) all++;
    if (!isHeldOut(i)) continue;
    judged++;
    if (wrong) errors++;
  }
  const bits =
    modelBits('network', 1) +
    (model.parameters.length - 2 * model.inputs.length) * 0.5 * Math.log2(samples.count) +
    missBits(samples.count, all, kind);
  return { model, judged, errors, bits, logHypotheses: undefined };
}

interface Related {
  readonly reference: Reference;
  readonly mean: number;
  readonly sd: number;
  readonly strength: number;
}

/** Candidates that vary, by the size of their correlation with the target; ties by reference. */
function mostRelated(samples: Samples, references: readonly Reference[], train: readonly number[]): Related[] {
  const n = train.length;
  const meanY = train.reduce((s, i) => s + samples.targets[i]!, 0) / n;
  return references
    .map((reference): Related => {
      const column = samples.column(reference);
      let mean = 0;
      for (const i of train) mean += column[i]! / n;
      let variance = 0;
      let covariance = 0;
      for (const i of train) {
        variance += (column[i]! - mean) ** 2 / n;
        covariance += ((column[i]! - mean) * (samples.targets[i]! - meanY)) / n;
      }
      const sd = Math.sqrt(variance);
      return { reference, mean, sd, strength: sd > 1e-12 ? Math.abs(covariance) / sd : -1 };
    })
    .filter((r) => r.strength >= 0)
    .sort((a, b) => b.strength - a.strength || a.reference - b.reference);
}
