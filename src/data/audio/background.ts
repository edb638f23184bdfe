// Sound in which nobody speaks: hiss from white to rumbling, mains hum, near silence. What recognisers must learn not to hear words in.
import type { Rng } from '../../tensor/index.ts';

/** Decibels below full scale between which levels are drawn. */
const QUIET = -70;
const LOUD = -14;

/**
 * A background of one kind at a steady level.
 * @param rng decides the kind, the colour and the level (root mean square, -70 to -14 dB)
 */
export function drawBackground(rng: Rng, length: number, sampleRate: number): Float32Array {
  const out = new Float32Array(length);
  const level = 10 ** ((QUIET + (LOUD - QUIET) * rng.uniform()) / 20);
  const hums = rng.bernoulli(0.3);
  addHiss(out, rng, 0.98 * rng.uniform());
  if (hums) addHum(out, rng, sampleRate);
  const power = out.reduce((s, x) => s + x * x, 0) / Math.max(1, length);
  const scale = level / Math.sqrt(power + 1e-20);
  for (let i = 0; i < length; i++) out[i]! *= scale;
  return out;
}

/** Noise of unit level whose samples have a correlation with the one before. */
function addHiss(out: Float32Array, rng: Rng, colour: number): void {
  rng.fillNormal(out);
  const fresh = Math.sqrt(1 - colour ** 2);
  let before = 0;
  for (let i = 0; i < out.length; i++) {
    before = colour * before + fresh * out[i]!;
    out[i] = before;
  }
}

/** 50 or 60 Hz with falling harmonics, up to 30 dB above the hiss. */
function addHum(out: Float32Array, rng: Rng, sampleRate: number): void {
  const mains = rng.bernoulli() ? 50 : 60;
  const top = 10 ** (1.5 * rng.uniform());
  for (let k = 1; k <= 8; k++) {
    const strength = (top * rng.uniform()) / k;
    const phase = 2 * Math.PI * rng.uniform();
    const step = (2 * Math.PI * mains * k) / sampleRate;
    for (let i = 0; i < out.length; i++) out[i]! += strength * Math.sin(phase + step * i);
  }
}
