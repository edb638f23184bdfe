// Backgrounds of a stated kind and level, for counting the words that are heard in them.
import type { Rng } from 'cairn/tensor';

export interface Background {
  readonly name: string;
  /** Root mean square, decibels below full scale; undefined: digital zeros. */
  readonly level: number | undefined;
  /** Correlation of hiss from sample to sample. */
  readonly colour: number;
  /** Share of the power that is hum of 50 Hz and three harmonics. */
  readonly hum: number;
}

export const BACKGROUNDS: readonly Background[] = [
  { name: 'digital zeros', level: undefined, colour: 0, hum: 0 },
  { name: 'white -60 dB', level: -60, colour: 0, hum: 0 },
  { name: 'white -40 dB', level: -40, colour: 0, hum: 0 },
  { name: 'white -20 dB', level: -20, colour: 0, hum: 0 },
  { name: 'rumble -40 dB', level: -40, colour: 0.95, hum: 0 },
  { name: 'rumble -20 dB', level: -20, colour: 0.95, hum: 0 },
  { name: 'hum -40 dB', level: -40, colour: 0, hum: 0.99 },
  { name: 'hum -20 dB', level: -20, colour: 0, hum: 0.99 },
];

export function backgroundOf(kind: Background, rng: Rng, seconds: number, sampleRate: number): Float32Array {
  const out = new Float32Array(Math.round(seconds * sampleRate));
  if (kind.level === undefined) return out;
  rng.fillNormal(out);
  const fresh = Math.sqrt(1 - kind.colour ** 2);
  const level = 10 ** (kind.level / 20);
  const step = (2 * Math.PI * 50) / sampleRate;
  let before = 0;
  for (let i = 0; i < out.length; i++) {
    before = kind.colour * before + fresh * out[i]!;
    const tone = [1, 2, 3, 4].reduce((s, k) => s + Math.sin(step * k * i) / k, 0) / Math.sqrt(0.5 * 1.4236);
    out[i] = level * (Math.sqrt(1 - kind.hum) * before + Math.sqrt(kind.hum) * tone);
  }
  return out;
}
