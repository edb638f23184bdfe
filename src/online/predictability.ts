// Is there anything to predict in a series, and at which time scale? The correlation kappa of the two halves of a block,
// scale by scale, and the Hurst exponent, with bootstrap bands. Not a predictor. After arXiv 1304.7576.
import { CairnError } from '../errors.ts';
import type { Rng } from '../tensor/index.ts';
import { checkBit, checkInteger, checkRange } from './_check.ts';
import { hurstOf } from './fractal.ts';

/** A value with its band. */
export interface Banded {
  readonly value: number;
  readonly low: number;
  readonly high: number;
}

export interface ScaleReading extends Banded {
  /** Length of the blocks whose halves are compared. */
  readonly block: number;
  /** The band excludes 0, with the chance of a false alarm at any scale kept at 1 - level. */
  readonly predictable: boolean;
}

export interface Predictability {
  /** kappa of every scale: positive where trends go on, negative where they turn back, 0 where nothing can be won. */
  readonly scales: readonly ScaleReading[];
  /** From the slope of log2 E S^2 over the scales; 1/2 for fair bits. */
  readonly hurst: Banded;
  readonly steps: number;
  /** Some scale is predictable. */
  readonly predictable: boolean;
}

export interface ReadingOptions {
  readonly rng: Rng;
  /** Coverage of the bands. Default 0.95. */
  readonly level?: number;
  /** Bootstrap samples. Default 1000. */
  readonly resamples?: number;
}

/** Fewer groups than this give no band worth the name. */
const FEWEST_GROUPS = 12;

/**
 * Collects a series of payoffs in [-1,1], a few numbers for every block of the largest scale. The mean of the squared
 * sums of the largest blocks is exactly the mean square times their length times the product of all 1 + kappa.
 *
 * @example
 * const meter = new PredictabilityMeter({ levels: 6 });
 * for (const bit of bits) meter.learnOne(bit);
 * meter.read({ rng: new Rng(1) }).hurst; // { value: 0.58, low: 0.55, high: 0.61 }
 */
export class PredictabilityMeter {
  readonly levels: number;
  /** For each finished block of 2^levels: sum of the products of halves by level, then of their mean squares. */
  readonly #groups: Float64Array[] = [];
  readonly #left: Float64Array;
  #current: Float64Array;
  #steps = 0;

  /** @param options `levels`: blocks have 2, 4, ..., 2^levels steps. */
  constructor(options: { readonly levels: number }) {
    checkInteger('levels', options.levels, 1, 24);
    this.levels = options.levels;
    this.#left = new Float64Array(this.levels + 1);
    this.#current = new Float64Array(2 * this.levels);
  }

  learnOne(payoff: number): void {
    checkBit(payoff);
    let sum = payoff;
    let level = 0;
    for (let t = this.#steps; (t & 1) === 1 && level < this.levels; t = Math.floor(t / 2), level++) {
      const first = this.#left[level]!;
      this.#current[level]! += first * sum;
      this.#current[this.levels + level]! += (first * first + sum * sum) / 2;
      sum += first;
    }
    this.#left[level] = sum;
    if (++this.#steps % 2 ** this.levels === 0) {
      this.#groups.push(this.#current);
      this.#current = new Float64Array(2 * this.levels);
    }
  }

  /**
   * Readings with bands from a bootstrap over the largest blocks.
   * @throws CairnError `too_short` for fewer than 12 such blocks.
   */
  read(options: ReadingOptions): Predictability {
    const { rng, level = 0.95, resamples = 1000 } = options;
    checkRange('level', level, 0.5, 0.9999);
    checkInteger('resamples', resamples, 100, 1_000_000);
    const { levels } = this;
    const groups = this.#groups;
    if (groups.length < FEWEST_GROUPS) {
      throw new CairnError(
        'too_short',
        `Expected at least ${FEWEST_GROUPS} blocks of ${2 ** levels} steps, got ${groups.length}.`,
        { hint: 'Use fewer levels or a longer series.' },
      );
    }
    const point = figures(groups, levels);
    const draws = Array.from({ length: resamples }, () =>
      figures(
        groups.map(() => groups[rng.integer(groups.length)]!),
        levels,
      ),
    );
    const spread = 1.04 + 4 / groups.length; // a percentile band of few groups is too narrow
    const band = (pick: (f: Figures) => number, miss: number): Banded => {
      const value = pick(point);
      const sorted = draws.map(pick).sort((a, b) => a - b);
      const low = sorted[Math.floor((miss / 2) * (resamples - 1))]!;
      const high = sorted[Math.ceil((1 - miss / 2) * (resamples - 1))]!;
      return { value, low: value + spread * (low - value), high: value + spread * (high - value) };
    };
    const miss = 1 - level;
    const scales = point.kappas.map((_, k) => {
      const strict = band((f) => f.kappas[k]!, miss / levels);
      return {
        block: 2 ** (k + 1),
        ...band((f) => f.kappas[k]!, miss),
        predictable: strict.low > 0 || strict.high < 0,
      };
    });
    return {
      scales,
      hurst: band((f) => f.hurst, miss),
      steps: this.#steps,
      predictable: scales.some((s) => s.predictable),
    };
  }
}

/**
 * The reading of a whole series with as many scales as its length allows.
 * @throws CairnError `too_short` below 32 steps.
 *
 * @example
 * predictability(fractalBits(14, 0.3, rng), { rng }).hurst; // about 0.63
 */
export function predictability(
  series: ArrayLike<number>,
  options: ReadingOptions & { levels?: number },
): Predictability {
  const most = Math.floor(Math.log2(series.length / (2 * FEWEST_GROUPS)));
  const meter = new PredictabilityMeter({ levels: options.levels ?? Math.max(1, most) });
  for (let t = 0; t < series.length; t++) meter.learnOne(series[t]!);
  return meter.read(options);
}

interface Figures {
  readonly kappas: readonly number[];
  readonly hurst: number;
}

function figures(groups: readonly Float64Array[], levels: number): Figures {
  const total = new Float64Array(2 * levels);
  for (const group of groups) for (let i = 0; i < total.length; i++) total[i]! += group[i]!;
  const kappas = Array.from({ length: levels }, (_, k) => {
    const square = total[levels + k]!;
    return square > 0 ? total[k]! / square : 0;
  });
  // log2 E S^2 against the level, least squares; small scales have more blocks and get more weight.
  let [w, wx, wy, wxx, wxy] = [0, 0, 0, 0, 0];
  let y = 0;
  for (let x = 0; x <= levels; x++) {
    const weight = 2 ** -x * levels + 1;
    w += weight;
    wx += weight * x;
    wy += weight * y;
    wxx += weight * x * x;
    wxy += weight * x * y;
    y += 1 + Math.log2(Math.max(1e-12, 1 + (kappas[x] ?? 0)));
  }
  const slope = (w * wxy - wx * wy) / (w * wxx - wx * wx);
  return { kappas, hurst: levels === 1 ? hurstOf(kappas[0]!) : slope / 2 };
}
