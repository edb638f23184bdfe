// One network for all tasks, or a module for each? Fits both, compares them on examples neither has seen, and says how sure
// that comparison is. Decides again when the data have doubled.
import { CairnError } from '../../errors.ts';
import { Rng } from '../../tensor/index.ts';
import { type Formulation, pickRows, rowsOf, rSquared, type TaskData } from './task-data.ts';

export interface DecideOptions {
  readonly shared: Formulation;
  readonly modular: Formulation;
  readonly seed: number;
  /** Share of the examples that is held out. Default 0.2. */
  readonly holdOut?: number;
  /** Resamples of the held-out examples. Default 1,000. */
  readonly resamples?: number;
}

/** What was measured and what follows. */
export interface Decision {
  readonly choice: 'shared' | 'modular';
  readonly reason: string;
  readonly sharedR2: number;
  readonly modularR2: number;
  /** (1 - R² shared) / (1 - R² modular): above 1 sharing costs, below 1 it pays. */
  readonly penalty: number;
  /** 95 % interval of the penalty by a paired bootstrap. */
  readonly interval: readonly [low: number, high: number];
  /** Modules that were fitted, and how many of them have examples enough to stand alone; the rest stay with the shared model. */
  readonly modules: number;
  readonly ready: number;
}

/**
 * Measures what sharing one model costs. Modules are chosen only when the whole interval of the penalty lies above 1, and
 * then for those tasks that have at least three examples per trained number.
 * @throws CairnError `too_few` below 20 examples
 */
export async function decideFormulation(data: TaskData, options: DecideOptions): Promise<Decision> {
  const { shared, modular, seed, holdOut = 0.2, resamples = 1000 } = options;
  const n = rowsOf(data);
  if (n < 20) {
    throw new CairnError('too_few', `Expected at least 20 examples, got ${n}.`, { hint: 'Decide again with more.' });
  }
  const rng = new Rng(seed).fork('formulation');
  const order = rng.fork('split').permutation(n);
  const held = Math.max(10, Math.round(n * holdOut));
  const test = pickRows(data, order.subarray(0, held));
  const train = pickRows(data, order.subarray(held));
  const one = await shared.fit(train, rng.fork('shared'));
  const many = await modular.fit(train, rng.fork('modular'));
  const sharedAnswers = await one.predict(test);
  const modularAnswers = await many.predict(test);
  const missOf = (answers: Float32Array): Float64Array => Float64Array.from(answers, (a, i) => (a - test.ys[i]!) ** 2);
  const [a, b] = [missOf(sharedAnswers), missOf(modularAnswers)];
  const ratios = bootstrapRatios(a, b, resamples, rng.fork('bootstrap'));
  const interval = [ratios[Math.floor(0.025 * resamples)]!, ratios[Math.floor(0.975 * resamples)]!] as const;
  const ready = many.sizes.filter((size) => size >= 3 * many.parameters).length;
  const choice = interval[0] > 1 && ready > 0 ? 'modular' : 'shared';
  const round = (x: number): string => (x > 1e4 ? 'over 10,000' : String(Number(x.toPrecision(3))));
  return {
    choice,
    reason:
      interval[0] <= 1
        ? `sharing costs nothing that is sure: penalty ${round(interval[0])} to ${round(interval[1])}`
        : ready > 0
          ? `one model for all leaves ${round(interval[0])} to ${round(interval[1])} times the error`
          : `no module has three examples for each of its ${many.parameters} numbers`,
    sharedR2: rSquared(sharedAnswers, test.ys),
    modularR2: rSquared(modularAnswers, test.ys),
    penalty: total(a) / Math.max(total(b), Number.MIN_VALUE),
    interval,
    modules: many.sizes.length,
    ready,
  };
}

/** Sorted ratios of two sums over the same resampled rows. */
function bootstrapRatios(a: Float64Array, b: Float64Array, resamples: number, rng: Rng): Float64Array {
  const ratios = new Float64Array(resamples);
  for (let r = 0; r < resamples; r++) {
    let [top, bottom] = [0, 0];
    for (let i = 0; i < a.length; i++) {
      const row = rng.integer(a.length);
      top += a[row]!;
      bottom += b[row]!;
    }
    ratios[r] = top / Math.max(bottom, Number.MIN_VALUE);
  }
  return ratios.sort();
}

function total(values: Float64Array): number {
  return values.reduce((s, v) => s + v, 0);
}

/** Collects examples and says when the decision is due again: first at 64, then whenever they have doubled. */
export class FormulationMeter {
  readonly #width: number;
  readonly #codeWidth: number;
  readonly #xs: number[] = [];
  readonly #codes: number[] = [];
  readonly #ys: number[] = [];
  #decidedAt = 32;
  #decision: Decision | undefined;

  constructor(width: number, codeWidth: number) {
    this.#width = width;
    this.#codeWidth = codeWidth;
  }

  get decision(): Decision | undefined {
    return this.#decision;
  }

  /** Takes an example; returns true when `decide` is due. */
  add(x: ArrayLike<number>, code: ArrayLike<number>, y: number): boolean {
    if (x.length !== this.#width || code.length !== this.#codeWidth) {
      throw new CairnError(
        'shape_mismatch',
        `Expected ${this.#width} inputs and a code of ${this.#codeWidth}, got ${x.length} and ${code.length}.`,
      );
    }
    this.#xs.push(...Array.from(x));
    this.#codes.push(...Array.from(code));
    this.#ys.push(y);
    return this.#ys.length >= 2 * this.#decidedAt;
  }

  /** Decides on all examples so far. */
  async decide(options: DecideOptions): Promise<Decision> {
    const data: TaskData = {
      xs: Float32Array.from(this.#xs),
      codes: Float32Array.from(this.#codes),
      ys: Float32Array.from(this.#ys),
      width: this.#width,
      codeWidth: this.#codeWidth,
    };
    this.#decidedAt = this.#ys.length;
    return (this.#decision = await decideFormulation(data, options));
  }
}
