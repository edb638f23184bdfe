// Fills an evaluation table by letting every module of a task answer the same validation inputs, and fits the task's router
// on it. Runs modules directly: nothing is routed, traced or remembered.
import { CairnError } from '../errors.ts';
import { embedAll, PathRouter, type Encoder, type EvaluationTable } from '../route/index.ts';
import type { Rng } from '../tensor/index.ts';
import type { Answer, Budget, Call, Module } from './module.ts';

export interface CalibrateOptions<I> {
  /** Features of an input, the same at routing time. */
  readonly encoder: Encoder<I>;
  /** How much more error than the best single module is allowed. Default 0.0005. */
  readonly maxLoss?: number;
  /** Clusters. Default 20. */
  readonly k?: number;
  /** What was fitted, such as a hash of the modules' weights; `useRouter` can ask for it. */
  readonly note?: string;
  /** Inputs per batch. Default 500. */
  readonly batch?: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (done: number, total: number) => void;
}

/** Quality in [0,1] of an output for the i-th input. */
export type Judge<I, O> = (input: I, output: O, index: number) => number;

export interface Calibration {
  readonly table: EvaluationTable;
  readonly router: PathRouter;
}

/** Evaluates modules and fits the task's router on the results. @throws as `evaluateModules` */
export async function calibrateModules<I, O>(
  modules: readonly Module<I, O>[],
  inputs: readonly I[],
  judge: Judge<I, O>,
  rng: Rng,
  options: CalibrateOptions<I>,
): Promise<Calibration> {
  const table = await evaluateModules(modules, inputs, judge, rng, options);
  const router = PathRouter.fit(table, {
    rng: rng.fork('clusters'),
    encoder: options.encoder.id,
    ...(options.maxLoss === undefined ? {} : { maxLoss: options.maxLoss }),
    ...(options.k === undefined ? {} : { k: options.k }),
    ...(options.note === undefined ? {} : { note: options.note }),
  });
  return { table, router };
}

/**
 * What every module says to the same inputs, with their features. A module that abstains on an input has error 1 and
 * confidence 0 there; one that takes none of the inputs is left out.
 * @throws CairnError `no_modules` when fewer than one module takes the inputs
 */
export async function evaluateModules<I, O>(
  modules: readonly Module<I, O>[],
  inputs: readonly I[],
  judge: Judge<I, O>,
  rng: Rng,
  options: CalibrateOptions<I>,
): Promise<EvaluationTable> {
  const able = modules.filter((m) => inputs.some((input) => m.accepts?.(input) ?? true));
  if (able.length === 0 || inputs.length === 0) {
    throw new CairnError(
      'no_modules',
      `Expected modules that take the validation inputs, got ${modules.length} modules and ${inputs.length} inputs.`,
      { hint: 'Add modules first, and pass inputs they accept.' },
    );
  }
  const count = inputs.length;
  const columns = able.length;
  const error = new Float64Array(count * columns).fill(1);
  const cost = new Float64Array(count * columns);
  const confidence = new Float64Array(count * columns);
  let stated = true;
  const step = options.batch ?? 500;
  for (const [m, module] of able.entries()) {
    const mine = inputs.map((_, i) => i).filter((i) => module.accepts?.(inputs[i]!) ?? true);
    for (let from = 0; from < mine.length; from += step) {
      options.signal?.throwIfAborted();
      const part = mine.slice(from, from + step);
      const answers = await answersOf(
        module,
        part.map((i) => inputs[i]!),
        rng,
        options.signal,
      );
      part.forEach((i, j) => {
        const answer = answers[j]!;
        const cell = i * columns + m;
        cost[cell] = answer.usage[module.cost.unit] ?? 0;
        if (answer.output === undefined) return;
        error[cell] = 1 - judge(inputs[i]!, answer.output, i);
        if (answer.confidence === undefined) stated = false;
        confidence[cell] = answer.confidence ?? 0;
      });
      options.onProgress?.(m * count + from + part.length, columns * count);
    }
  }
  return {
    models: able.map((m) => m.id),
    count,
    error,
    cost,
    ...(stated ? { confidence } : {}),
    features: embedAll(options.encoder, inputs),
    dim: options.encoder.dim,
  };
}

async function answersOf<I, O>(
  module: Module<I, O>,
  inputs: readonly I[],
  rng: Rng,
  signal: AbortSignal | undefined,
): Promise<readonly Answer<O>[]> {
  const call = loneCall(rng.fork(module.id), signal ?? new AbortController().signal);
  if (module.runBatch) return module.runBatch(inputs, call);
  const answers: Answer<O>[] = [];
  for (const input of inputs) answers.push(await module.run(input, call));
  return answers;
}

/** A call without a mind behind it: whoever is calibrated must answer alone. */
function loneCall(rng: Rng, signal: AbortSignal): Call {
  const budget: Budget = { flop: Infinity, ms: Infinity, usd: Infinity };
  const no = (): never => {
    throw new CairnError(
      'nested_calibration',
      'Expected a module without nested calls to be calibrated, got one that asks others.',
      { hint: 'Calibrate the task it asks for.' },
    );
  };
  return { rng, budget, signal, path: [], ask: no, askAll: no, use: no, amend: no };
}
