// Change of sampling rate by windowed-sinc interpolation: y[n] = sum_k x[k] h(n M/L - k), h(t) = c sinc(c t) kaiser(t), with a
// polyphase table of L filters. Streaming: any cutting of the input gives the same output, bit for bit.
import { CairnError } from '../../errors.ts';

export interface Resampler {
  /** Takes samples; returns those that are determined by now. */
  push(samples: Float32Array): Float32Array;
  /** The rest, as if silence followed. */
  flush(): Float32Array;
}

const BETA = 8;
/** Zero crossings on each side, at the lower of the two rates. */
const HALF_WIDTH = 16;
/** Pass band as a share of the lower Nyquist frequency. */
const PASS = 0.95;

interface Filters {
  /** Reduced ratio: output rate / input rate = up / down. */
  readonly up: number;
  readonly down: number;
  /** Input samples on each side of an output's position. */
  readonly half: number;
  /** [up][2 half + 1] */
  readonly table: readonly Float64Array[];
}

const known = new Map<string, Filters>();

/**
 * @param from sampling rate of the input, Hz
 * @param to sampling rate of the output, Hz
 * @throws CairnError `bad_rate`
 */
export function createResampler(from: number, to: number): Resampler {
  const { up, down, half, table } = filtersOf(from, to);
  if (up === down) {
    return { push: (samples) => samples.slice(), flush: () => new Float32Array(0) };
  }
  /** Input from index `start` on; zeros stand before the first sample. */
  let held = new Float64Array(half);
  let start = -half;
  let received = 0;
  let next = 0;

  const drain = (available: number, limit: number): Float32Array => {
    const out: number[] = [];
    for (; next < limit; next++) {
      const centre = Math.floor((next * down) / up);
      if (centre + half >= available) break;
      const filter = table[(next * down) % up]!;
      let sum = 0;
      const base = centre - half - start;
      for (let k = 0; k < filter.length; k++) sum += held[base + k]! * filter[k]!;
      out.push(sum);
    }
    const keep = Math.max(0, Math.floor((next * down) / up) - half - start);
    held = held.slice(keep);
    start += keep;
    return Float32Array.from(out);
  };
  const append = (samples: ArrayLike<number>): void => {
    const joined = new Float64Array(held.length + samples.length);
    joined.set(held);
    joined.set(samples, held.length);
    held = joined;
  };
  return {
    push(samples) {
      append(samples);
      received += samples.length;
      return drain(received, Infinity);
    },
    flush() {
      append(new Float64Array(half + 1));
      return drain(received + half + 1, Math.ceil((received * up) / down));
    },
  };
}

/**
 * A whole signal at another rate; `ceil(length * to / from)` samples.
 * @example
 * const at8k = resampleAudio(at44k, 44_100, 8000);
 */
export function resampleAudio(samples: Float32Array, from: number, to: number): Float32Array {
  const resampler = createResampler(from, to);
  const [first, rest] = [resampler.push(samples), resampler.flush()];
  const out = new Float32Array(first.length + rest.length);
  out.set(first);
  out.set(rest, first.length);
  return out;
}

/**
 * Plays a signal `factor` times as fast: shorter and higher, as a tape would.
 * @param factor from 0.5 to 2, rounded to hundredths
 */
export function perturbSpeed(samples: Float32Array, factor: number): Float32Array {
  const hundredths = Math.round(factor * 100);
  if (!(hundredths >= 50 && hundredths <= 200)) {
    throw new CairnError('bad_speed', `Expected a speed from 0.5 to 2, got ${factor}.`);
  }
  return hundredths === 100 ? samples.slice() : resampleAudio(samples, hundredths, 100);
}

function filtersOf(from: number, to: number): Filters {
  for (const rate of [from, to]) {
    if (!Number.isInteger(rate) || rate < 1 || rate > 768_000) {
      throw new CairnError('bad_rate', `Expected a sampling rate of 1 to 768,000 Hz, got ${rate}.`);
    }
  }
  const key = `${from}:${to}`;
  let filters = known.get(key);
  if (!filters) {
    filters = makeFilters(from, to);
    if (known.size >= 64) known.delete(known.keys().next().value!);
    known.set(key, filters);
  }
  return filters;
}

function makeFilters(from: number, to: number): Filters {
  const divisor = gcd(from, to);
  const [up, down] = [to / divisor, from / divisor];
  const c = Math.min(1, up / down) * PASS;
  const width = HALF_WIDTH / c;
  const half = Math.ceil(width);
  const table = Array.from({ length: up }, (_, phase) =>
    Float64Array.from({ length: 2 * half + 1 }, (_, k) => {
      const t = phase / up - (k - half);
      return Math.abs(t) >= width ? 0 : c * sinc(c * t) * kaiser(t / width);
    }),
  );
  return { up, down, half, table };
}

const sinc = (x: number): number => (x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x));

const kaiser = (x: number): number => besselI0(BETA * Math.sqrt(Math.max(0, 1 - x * x))) / besselI0(BETA);

/** Modified Bessel function of the first kind, order 0, by its power series. */
function besselI0(x: number): number {
  let [sum, term] = [1, 1];
  for (let k = 1; term > sum * 1e-17; k++) {
    term *= (x / (2 * k)) ** 2;
    sum += term;
  }
  return sum;
}

function gcd(a: number, b: number): number {
  return b === 0 ? a : gcd(b, a % b);
}
