// Triangular mel filters over a power spectrum, peak 1, no area normalisation, and the orthonormal DCT-II of MFCCs.
import { CairnError } from '../../errors.ts';

/** The mel scale of O'Shaughnessy (1987). */
export const hzToMel = (hz: number): number => 2595 * Math.log10(1 + hz / 700);
export const melToHz = (mel: number): number => 700 * (10 ** (mel / 2595) - 1);

/** One filter: weights of the bins `first`, `first + 1`, …. */
export interface MelFilter {
  readonly first: number;
  readonly weights: Float64Array;
}

export interface MelBankOptions {
  readonly mels: number;
  readonly sampleRate: number;
  readonly fftSize: number;
  readonly fmin: number;
  readonly fmax: number;
  /** Multiplies the filters' frequencies: above 1 makes a voice sound as from a longer vocal tract. Default 1. */
  readonly warp?: number;
}

/**
 * @throws CairnError `bad_mel_bank` when a filter has no bin
 */
export function createMelBank(options: MelBankOptions): MelFilter[] {
  const { mels, sampleRate, fftSize, fmin, fmax, warp = 1 } = options;
  if (!(fmin >= 0 && fmin < fmax && fmax <= sampleRate / 2)) {
    throw new CairnError(
      'bad_mel_bank',
      `Expected 0 <= fmin < fmax <= ${sampleRate / 2} Hz, got fmin ${fmin} and fmax ${fmax}.`,
    );
  }
  const [low, high] = [hzToMel(fmin), hzToMel(fmax)];
  const points = Array.from({ length: mels + 2 }, (_, i) =>
    warped(melToHz(low + ((high - low) * i) / (mels + 1)), warp, fmax),
  );
  return Array.from({ length: mels }, (_, m) => {
    const [f0, f1, f2] = [points[m]!, points[m + 1]!, points[m + 2]!];
    const bins: { k: number; w: number }[] = [];
    for (let k = 0; k <= fftSize / 2; k++) {
      const hz = (k * sampleRate) / fftSize;
      const w = Math.max(0, Math.min((hz - f0) / (f1 - f0), (f2 - hz) / (f2 - f1)));
      if (w > 0) bins.push({ k, w });
    }
    if (!bins[0]) {
      throw new CairnError('bad_mel_bank', `Expected every mel filter to cover a bin, got none for filter ${m + 1}.`, {
        hint: 'Use fewer mels or a longer window.',
      });
    }
    return { first: bins[0].k, weights: Float64Array.from(bins, (b) => b.w) };
  });
}

/** Vocal-tract warping (Jaitly and Hinton 2013): linear up to 0.85 fmax / max(warp, 1), then straight to fmax. */
function warped(hz: number, warp: number, fmax: number): number {
  if (warp === 1) return hz;
  const knee = (0.85 * fmax * Math.min(warp, 1)) / warp;
  return hz <= knee ? hz * warp : fmax - ((fmax - warp * knee) / (fmax - knee)) * (fmax - hz);
}

/** The first `count` coefficients of the orthonormal DCT-II of a row. */
export function dctII(row: ArrayLike<number>, count: number): Float32Array {
  const n = row.length;
  return Float32Array.from({ length: count }, (_, k) => {
    let sum = 0;
    for (let i = 0; i < n; i++) sum += row[i]! * Math.cos((Math.PI * k * (2 * i + 1)) / (2 * n));
    return sum * Math.sqrt((k === 0 ? 1 : 2) / n);
  });
}
