// Power spectra of real frames: radix-2 FFT in f64, two reals packed into one complex number, so a frame of F samples costs a
// transform of F/2.
import { CairnError } from '../../errors.ts';

/** |X_k|^2 for k = 0..size/2 of one real frame. */
export interface PowerSpectrum {
  readonly size: number;
  /** @param frame `[size]` @param power `[size/2 + 1]`, written */
  run(frame: Float64Array, power: Float64Array): void;
}

/**
 * @param size a power of two, at least 4
 * @throws CairnError `bad_fft_size`
 */
export function createPowerSpectrum(size: number): PowerSpectrum {
  if (!Number.isInteger(Math.log2(size)) || size < 4) {
    throw new CairnError('bad_fft_size', `Expected a power of two from 4 on as FFT size, got ${size}.`);
  }
  const half = size / 2;
  const bits = Math.log2(half);
  const order = Uint32Array.from({ length: half }, (_, i) => {
    let r = 0;
    for (let b = 0; b < bits; b++) r |= ((i >> b) & 1) << (bits - 1 - b);
    return r;
  });
  const angle = (i: number): number => (-2 * Math.PI * i) / size;
  const cos = Float64Array.from({ length: half + 1 }, (_, i) => Math.cos(angle(i)));
  const sin = Float64Array.from({ length: half + 1 }, (_, i) => Math.sin(angle(i)));
  const re = new Float64Array(half);
  const im = new Float64Array(half);

  const transform = (): void => {
    for (let width = 1; width < half; width *= 2) {
      const stride = half / width; // twiddles are of the double length: exp(-2 pi i k / size)
      for (let from = 0; from < half; from += 2 * width) {
        for (let k = 0; k < width; k++) {
          const wr = cos[k * stride]!;
          const wi = sin[k * stride]!;
          const a = from + k;
          const b = a + width;
          const xr = re[b]! * wr - im[b]! * wi;
          const xi = re[b]! * wi + im[b]! * wr;
          re[b] = re[a]! - xr;
          im[b] = im[a]! - xi;
          re[a]! += xr;
          im[a]! += xi;
        }
      }
    }
  };

  return {
    size,
    run(frame, power) {
      for (let i = 0; i < half; i++) {
        re[order[i]!] = frame[2 * i]!;
        im[order[i]!] = frame[2 * i + 1]!;
      }
      transform();
      // X_k = E_k + exp(-2 pi i k / size) O_k, where E and O are the transforms of the even and odd samples.
      for (let k = 0; k <= half; k++) {
        const i = k === half ? 0 : k;
        const j = k === 0 ? 0 : half - k;
        const er = 0.5 * (re[i]! + re[j]!);
        const ei = 0.5 * (im[i]! - im[j]!);
        const or = 0.5 * (im[i]! + im[j]!);
        const oi = -0.5 * (re[i]! - re[j]!);
        const xr = er + cos[k]! * or - sin[k]! * oi;
        const xi = ei + cos[k]! * oi + sin[k]! * or;
        power[k] = xr * xr + xi * xi;
      }
    },
  };
}
