// Cuts a recording of several words into one piece a word, in its quietest places, with pieces of about one length. For recordings
// whose words are apart and whose number of words is known; it hears no words.
import { CairnError } from '../../errors.ts';

/** Seconds of one measure of the level, and measures that are averaged on each side. */
const STEP = 0.01;
const SIDE = 6;
/** Share of the way from the noise floor to the loud parts above which there is sound. */
const SOUND = 0.3;
/** Decibels that a piece costs which is twice as long as the mean. */
const UNEVEN = 12;
/** Shortest word, and silence that is left before the first and after the last one, seconds. */
const SHORTEST = 0.2;
const MARGIN = 0.15;

/**
 * Where one word ends and the next begins: `count + 1` sample positions, the first a little before the first word and the last a little
 * after the last one. The sum of the levels at the cuts and of the squared differences in length is the least there is.
 * @param samples words apart from each other, on a steady floor of noise
 * @throws CairnError `too_few_words` when the sound is too short for `count` words
 * @example
 * const cuts = cutWords(samples, 8000, 3);
 * const second = samples.subarray(cuts[1], cuts[2]);
 */
export function cutWords(samples: Float32Array, sampleRate: number, count: number): number[] {
  const size = Math.max(1, Math.round(STEP * sampleRate));
  const levels = levelsOf(samples, size);
  const sorted = levels.toSorted((a, b) => a - b);
  const quantile = (q: number): number => sorted[Math.floor(q * (sorted.length - 1))] ?? -100;
  const bar = quantile(0.1) + SOUND * (quantile(0.95) - quantile(0.1));
  const first = Math.max(
    0,
    levels.findIndex((level) => level > bar),
  );
  const last = levels.findLastIndex((level) => level > bar);
  const least = Math.ceil(SHORTEST / STEP);
  if (!(count >= 1) || last - first < count * least) {
    throw new CairnError(
      'too_few_words',
      `Expected sound of ${(count * SHORTEST).toFixed(1)} s at least for ${count} words, got ${Math.max(0, (last - first) * STEP).toFixed(2)} s.`,
      { hint: 'Give the number of words that are said.' },
    );
  }
  const smooth = levels.map((_, i) => meanOf(levels, i - SIDE, i + SIDE));
  const mean = (last - first) / count;
  // least cost[k][t]: k pieces end at t.
  let cost = new Float64Array(last + 1).fill(Infinity);
  cost[first] = 0;
  const from: Int32Array[] = [];
  for (let k = 1; k <= count; k++) {
    const next = new Float64Array(last + 1).fill(Infinity);
    const before = new Int32Array(last + 1);
    for (let t = first + k * least; t <= last; t++) {
      for (let s = first; s <= t - least; s++) {
        const own = cost[s]! + UNEVEN * ((t - s) / mean - 1) ** 2;
        if (own >= next[t]!) continue;
        next[t] = own;
        before[t] = s;
      }
      if (k < count) next[t]! += smooth[t]! - quantile(0.1);
    }
    from.push(before);
    cost = next;
  }
  const margin = Math.round(MARGIN * sampleRate);
  const cuts = [Math.min(samples.length, (last + 1) * size + margin)];
  for (let k = count, t = last; k > 1; k--) {
    t = from[k - 1]![t]!;
    cuts.unshift(t * size);
  }
  return [Math.max(0, first * size - margin), ...cuts];
}

/** Decibels of each step. */
function levelsOf(samples: Float32Array, size: number): number[] {
  return Array.from({ length: Math.floor(samples.length / size) }, (_, i) => {
    let power = 0;
    for (let k = i * size; k < (i + 1) * size; k++) power += samples[k]! ** 2;
    return 10 * Math.log10(power / size + 1e-10);
  });
}

function meanOf(values: readonly number[], low: number, high: number): number {
  const part = values.slice(Math.max(0, low), high + 1);
  return part.reduce((s, x) => s + x, 0) / part.length;
}
