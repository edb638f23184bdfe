// How loud sound gets, piece by piece, a constant offset left out.

/** Peaks below this are silence, -60 dB. */
export const SILENT_PEAK = 1e-3;

export interface LevelMeter {
  push(samples: Float32Array): void;
  /** Half of what lies between the lowest and the highest sample so far. */
  readonly peak: number;
  readonly silent: boolean;
}

/**
 * @example
 * const meter = createLevelMeter();
 * meter.push(samples);
 * if (meter.silent) console.log('the file is silent');
 */
export function createLevelMeter(): LevelMeter {
  let [low, high] = [Infinity, -Infinity];
  const peak = (): number => (high < low ? 0 : (high - low) / 2);
  return {
    push(samples) {
      for (const x of samples) {
        if (x < low) low = x;
        if (x > high) high = x;
      }
    },
    get peak() {
      return peak();
    },
    get silent() {
      return peak() < SILENT_PEAK;
    },
  };
}
