// Whether expected errors are what comes: the Brier score and a reliability table in ten bins.

/** One bin of expected errors. */
export interface ReliabilityBin {
  readonly from: number;
  readonly to: number;
  readonly count: number;
  /** Mean expected and mean real error; 0 in an empty bin. */
  readonly expected: number;
  readonly real: number;
}

export interface Calibration {
  /** Mean squared difference of expected and real error. */
  readonly brier: number;
  /** Mean over all predictions of |expected - real| of their bin. */
  readonly gap: number;
  readonly bins: readonly ReliabilityBin[];
}

/**
 * @param gamma expected errors in [0,1]
 * @param error what came, in [0,1]; NaN is left out
 * @example
 * calibration([0.1, 0.9], [0, 1]).brier; // 0.01
 */
export function calibration(gamma: ArrayLike<number>, error: ArrayLike<number>, bins = 10): Calibration {
  const count = new Array<number>(bins).fill(0);
  const expected = new Array<number>(bins).fill(0);
  const real = new Array<number>(bins).fill(0);
  let squares = 0;
  let n = 0;
  for (let i = 0; i < gamma.length; i++) {
    const [g, e] = [gamma[i]!, error[i]!];
    if (Number.isNaN(e)) continue;
    const b = Math.min(bins - 1, Math.max(0, Math.floor(g * bins)));
    count[b] = count[b]! + 1;
    expected[b] = expected[b]! + g;
    real[b] = real[b]! + e;
    squares += (g - e) ** 2;
    n++;
  }
  const list = count.map((c, b): ReliabilityBin => ({
    from: b / bins,
    to: (b + 1) / bins,
    count: c,
    expected: c > 0 ? expected[b]! / c : 0,
    real: c > 0 ? real[b]! / c : 0,
  }));
  const gap = list.reduce((s, b) => s + b.count * Math.abs(b.expected - b.real), 0) / Math.max(1, n);
  return { brier: n > 0 ? squares / n : 0, gap, bins: list };
}
