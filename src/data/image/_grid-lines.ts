// Finds evenly spaced lines in projection profiles: all ten lines of a board, only the four around the boxes, or only the
// frame; and the small angle at which a board stands askew.
import type { InkMap } from './_ink-map.ts';

/** Mean ink of each column (or row) over a range of the other axis, 0 to 1. */
export function profileOf(map: InkMap, axis: 'x' | 'y', from: number, to: number): Float64Array {
  const { width, height, data } = map;
  const profile = new Float64Array(axis === 'x' ? width : height);
  const [low, high] = [Math.max(0, Math.floor(from)), Math.min(axis === 'x' ? height : width, Math.ceil(to))];
  for (let i = 0; i < profile.length; i++) {
    let sum = 0;
    for (let j = low; j < high; j++) sum += axis === 'x' ? data[j * width + i]! : data[i * width + j]!;
    profile[i] = sum / (255 * Math.max(1, high - low));
  }
  return profile;
}

/** The angle in degrees, within 6 either way, at which rows and columns are sharpest; 0 when upright is as good. */
export function skewOf(map: InkMap): number {
  const { width, height, data } = map;
  const inked: number[] = [];
  for (let i = 0; i < data.length; i++) if (data[i]! >= 40) inked.push(i);
  const sharpness = (degrees: number): number => {
    const slope = Math.tan((degrees * Math.PI) / 180);
    const span = Math.ceil(Math.abs(slope) * Math.max(width, height)) + 2;
    const rows = new Float64Array(height + 2 * span);
    const columns = new Float64Array(width + 2 * span);
    for (const i of inked) {
      const [x, y] = [i % width, Math.floor(i / width)];
      rows[Math.round(y - slope * (x - width / 2)) + span]! += data[i]!;
      columns[Math.round(x + slope * (y - height / 2)) + span]! += data[i]!;
    }
    return rows.reduce((sum, v) => sum + v * v, 0) + columns.reduce((sum, v) => sum + v * v, 0);
  };
  let best = 0;
  let bestValue = 1.03 * sharpness(0);
  const consider = (degrees: number): void => {
    const value = sharpness(degrees);
    if (value > bestValue) {
      bestValue = value;
      best = degrees;
    }
  };
  for (let degrees = -6; degrees <= 6; degrees += 0.5) if (degrees !== 0) consider(degrees);
  if (best !== 0) for (const step of [-0.3, -0.2, -0.1, 0.1, 0.2, 0.3]) consider(best + step);
  return best;
}

export interface Comb {
  /** Position of line 0 and distance between neighbouring lines 0..9, in pixels of the profile. */
  readonly first: number;
  readonly pitch: number;
  readonly score: number;
}

function smooth(profile: Float64Array): Float64Array {
  return profile.map(
    (v, i) => (profile[Math.max(0, i - 1)]! + 2 * v + profile[Math.min(profile.length - 1, i + 1)]!) / 4,
  );
}

/**
 * The evenly spaced lines that stand out most. `lines` are the ones that are drawn, e.g. [0, 3, 6, 9].
 * The score of a place is the profile on the lines less the profile a little beside them, each line counted up to a cap.
 */
export function findComb(profile: Float64Array, lines: readonly number[]): Comb {
  const p = smooth(profile);
  const n = p.length;
  const at = (x: number): number => {
    const i = Math.floor(x);
    if (i < 0 || i >= n - 1) return p[i] ?? 0;
    return p[i]! + (x - i) * (p[i + 1]! - p[i]!);
  };
  // Per distance "beside": how much each place stands out to both sides, to the right and to the left.
  const contrasts = new Map<number, [inner: Float64Array, first: Float64Array, last: Float64Array]>();
  const contrastsOf = (beside: number): [Float64Array, Float64Array, Float64Array] => {
    let made = contrasts.get(beside);
    if (made !== undefined) return made;
    const line = p.map((v) => Math.min(0.6, v));
    const left = p.map((_, i) => at(i - beside));
    const right = p.map((_, i) => at(i + beside));
    made = [
      line.map((v, i) => v - (left[i]! + right[i]!) / 2),
      line.map((v, i) => v - right[i]!),
      line.map((v, i) => v - left[i]!),
    ];
    contrasts.set(beside, made);
    return made;
  };
  const value = (table: Float64Array, x: number, fine: boolean): number => {
    if (!fine) return table[Math.round(x)] ?? 0;
    const i = Math.min(n - 2, Math.max(0, Math.floor(x)));
    return table[i]! + (x - i) * (table[i + 1]! - table[i]!);
  };
  let best: Comb = { first: 0, pitch: n / 9, score: -1 };
  const search = (firstFrom: number, firstTo: number, lastFrom: number, lastTo: number, step: number): void => {
    for (let first = firstFrom; first <= firstTo; first += step) {
      for (let last = Math.max(lastFrom, first + 0.45 * n); last <= lastTo; last += step) {
        const pitch = (last - first) / 9;
        const [inner, left, right] = contrastsOf(Math.max(2.5, Math.round(0.16 * pitch)));
        let score = 0;
        for (const k of lines) score += value(k === 0 ? left : k === 9 ? right : inner, first + k * pitch, step < 1);
        score /= lines.length;
        if (score > best.score) best = { first, pitch, score };
      }
    }
  };
  search(0, 0.5 * n, 0.5 * n, n - 1, 1);
  const last = best.first + 9 * best.pitch;
  best = { ...best, score: -1 };
  search(Math.max(0, best.first - 1), best.first + 1, last - 1, Math.min(n - 1, last + 1), 0.25);
  return best;
}

/** Centre and width of the line near `x`; undefined when nothing stands out there. */
export function lineNear(
  profile: Float64Array,
  x: number,
  reach: number,
): { centre: number; width: number } | undefined {
  const low = Math.max(0, Math.round(x - reach));
  const high = Math.min(profile.length - 1, Math.round(x + reach));
  let peakAt = low;
  let base = Infinity;
  for (let i = low; i <= high; i++) {
    // Of equal values the one nearest to the expected place counts.
    if (profile[i]! > profile[peakAt]! || (profile[i] === profile[peakAt] && Math.abs(i - x) < Math.abs(peakAt - x)))
      peakAt = i;
    base = Math.min(base, profile[i]!);
  }
  const peak = (profile[peakAt] ?? 0) - base;
  if (!(peak > 0.08)) return undefined;
  let from = peakAt;
  let to = peakAt;
  while (from > low && profile[from - 1]! - base > 0.15 * peak) from--;
  while (to < high && profile[to + 1]! - base > 0.15 * peak) to++;
  let mass = 0;
  let moment = 0;
  for (let i = from; i <= to; i++) {
    mass += profile[i]! - base;
    moment += (profile[i]! - base) * (i + 0.5);
  }
  return { centre: moment / mass, width: to - from + 1 };
}
