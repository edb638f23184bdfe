// Cuts a recording of several words into one piece a word, in its quietest places, with pieces of about one length. For recordings
// whose words are apart and whose number of words is known; it hears no words.
import { CairnError } from '../../errors.ts';

/** Seconds of one measure of the level, and measures that are averaged on each side. */
const STEP = 0.01;
const SIDE = 6;
/** Decibels below the loud parts: what is louder is speech, what is softer is as quiet as any pause. */
const SPEECH = 20;
const PAUSE = 35;
/** And louder than the noise by so much. */
const ABOVE = 6;
/** A piece has a part that is louder than this, decibels below the loud parts; clicks are shorter than so many measures. */
const WORD = 12;
const CLICK = 5;
/** What a piece without a word costs. */
const NO_WORD = 1e4;
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
  const top = quantile(0.95);
  const bar = Math.max(top - SPEECH, quantile(0.1) + ABOVE);
  const loud = levels.map((_, i) => levels.slice(i, i + CLICK).every((level) => level > bar));
  const first = Math.max(0, loud.indexOf(true));
  const last = Math.min(levels.length - 1, loud.lastIndexOf(true) + CLICK - 1);
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
      let loudest = Math.max(...smooth.slice(t - least + 1, t));
      for (let s = t - least; s >= first; s--) {
        loudest = Math.max(loudest, smooth[s]!);
        const own = cost[s]! + UNEVEN * ((t - s) / mean - 1) ** 2 + (loudest < top - WORD ? NO_WORD : 0);
        if (own >= next[t]!) continue;
        next[t] = own;
        before[t] = s;
      }
      if (k < count) next[t]! += Math.max(0, smooth[t]! - (top - PAUSE));
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
