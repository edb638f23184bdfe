// Synthetic speech for tests and demonstrations: ten made-up words, each a fixed sequence of segments (two formant resonances over a
// pulse train, or noise), spoken by made-up speakers. Not speech: whoever shows a figure made with it must say so.
import { Rng } from '../../tensor/index.ts';

/** A made-up voice. */
export interface SyntheticSpeaker {
  /** Hz, 90 to 250. */
  readonly pitch: number;
  /** Factor of all formants, 0.85 to 1.15. */
  readonly formants: number;
}

interface Segment {
  /** Hz. */
  readonly f1: number;
  readonly f2: number;
  readonly voiced: boolean;
  /** Seconds before the speaker's own stretch. */
  readonly seconds: number;
}

export const SYNTHETIC_WORDS = ['ba', 'du', 'fi', 'go', 'ka', 'lu', 'mi', 'pe', 'so', 'ti'] as const;

/** Words are the same for everybody: drawn once from a fixed seed, far enough apart to be told. */
const WORDS: readonly (readonly Segment[])[] = makeWords();

function makeWords(): Segment[][] {
  const rng = new Rng('synthetic words');
  const vowels = [
    [300, 2200],
    [700, 1200],
    [450, 900],
    [330, 800],
    [550, 1800],
  ] as const;
  const words: Segment[][] = [];
  const used = new Set<string>();
  while (words.length < SYNTHETIC_WORDS.length) {
    const kinds = Array.from({ length: 2 + rng.integer(3) }, () => rng.integer(vowels.length + 2));
    const key = kinds.join(' ');
    if (used.has(key) || kinds.some((k, i) => k === kinds[i - 1]) || !kinds.some((k) => k < vowels.length)) continue;
    used.add(key);
    words.push(
      kinds.map((k) =>
        k < vowels.length
          ? { f1: vowels[k]![0], f2: vowels[k]![1], voiced: true, seconds: 0.09 + 0.05 * rng.uniform() }
          : { f1: k === vowels.length ? 1500 : 2800, f2: 3300, voiced: false, seconds: 0.07 + 0.03 * rng.uniform() },
      ),
    );
  }
  return words;
}

export function drawSpeaker(rng: Rng): SyntheticSpeaker {
  return { pitch: 90 + 160 * rng.uniform(), formants: 0.85 + 0.3 * rng.uniform() };
}

/** One word, without background noise. */
export function speakWord(word: number, speaker: SyntheticSpeaker, sampleRate: number, rng: Rng): Float32Array {
  const stretch = 0.8 + 0.45 * rng.uniform();
  const parts = WORDS[word]!.map((segment) => speakSegment(segment, speaker, stretch, sampleRate, rng));
  return joinAudio(parts);
}

function speakSegment(
  segment: Segment,
  speaker: SyntheticSpeaker,
  stretch: number,
  sampleRate: number,
  rng: Rng,
): Float32Array {
  const length = Math.round(segment.seconds * stretch * sampleRate);
  const source = new Float64Array(length);
  const period = sampleRate / (speaker.pitch * (0.97 + 0.06 * rng.uniform()));
  let phase = rng.uniform() * period;
  for (let i = 0; i < length; i++) {
    phase += 1;
    if (segment.voiced) {
      if (phase >= period) {
        source[i] = 1;
        phase -= period;
      }
      source[i]! += 0.01 * rng.normal();
    } else source[i] = 0.12 * rng.normal();
  }
  const limit = 0.48 * sampleRate;
  const first = resonate(source, Math.min(limit, segment.f1 * speaker.formants), segment.voiced ? 90 : 400, sampleRate);
  const second = resonate(
    source,
    Math.min(limit, segment.f2 * speaker.formants),
    segment.voiced ? 120 : 600,
    sampleRate,
  );
  const edge = Math.min(length / 2, 0.01 * sampleRate);
  return Float32Array.from({ length }, (_, i) => {
    const gate = Math.min(1, (i + 1) / edge, (length - i) / edge);
    return gate * (first[i]! + 0.7 * second[i]!);
  });
}

/** A two-pole resonance of unit peak gain. */
function resonate(x: Float64Array, hz: number, bandwidth: number, sampleRate: number): Float64Array {
  const r = Math.exp((-Math.PI * bandwidth) / sampleRate);
  const angle = (2 * Math.PI * hz) / sampleRate;
  const [a1, a2] = [2 * r * Math.cos(angle), -r * r];
  const gain = (1 - r) * Math.sqrt(1 - 2 * r * Math.cos(2 * angle) + r * r);
  const y = new Float64Array(x.length);
  for (let i = 0; i < x.length; i++) y[i] = gain * x[i]! + a1 * (y[i - 1] ?? 0) + a2 * (y[i - 2] ?? 0);
  return y;
}

/** Audio pieces one after the other. */
export function joinAudio(parts: readonly Float32Array[]): Float32Array {
  const out = new Float32Array(parts.reduce((n, p) => n + p.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

export interface SyntheticUtterance {
  readonly samples: Float32Array;
  /** Numbers of the words. */
  readonly words: readonly number[];
}

/**
 * A string of words with gaps of 50 to 200 ms and noise 10 to 30 dB below the speech.
 * @example
 * const { samples, words } = speakString(drawSpeaker(rng), 8000, rng);
 */
export function speakString(
  speaker: SyntheticSpeaker,
  sampleRate: number,
  rng: Rng,
  options: { readonly words?: readonly number[] } = {},
): SyntheticUtterance {
  const words = options.words ?? Array.from({ length: 2 + rng.integer(4) }, () => rng.integer(SYNTHETIC_WORDS.length));
  const gap = (): Float32Array => new Float32Array(Math.round((0.05 + 0.15 * rng.uniform()) * sampleRate));
  const parts = [gap(), ...words.flatMap((w) => [speakWord(w, speaker, sampleRate, rng), gap()])];
  return { samples: scaleAndNoise(joinAudio(parts), 10 + 20 * rng.uniform(), rng), words };
}

/** Peak 0.5, with white noise `snr` dB below the power of the signal. */
function scaleAndNoise(clean: Float32Array, snr: number, rng: Rng): Float32Array {
  const peak = clean.reduce((m, x) => Math.max(m, Math.abs(x)), 1e-9);
  const scaled = clean.map((x) => (0.5 * x) / peak);
  const power = scaled.reduce((s, x) => s + x * x, 0) / scaled.length;
  const level = Math.sqrt(power / 10 ** (snr / 10));
  return scaled.map((x) => x + level * rng.normal());
}
