// A simulated digit reader for tests: its probabilities are calibrated by construction, except for rare surprises.
import type { Rng } from '../tensor/index.ts';

/** Shares of clear, unclear and doubtful cells and of uncalibrated surprises. */
export interface SimulatedReader {
  readonly unclear: number;
  readonly doubtful: number;
  /** Probability that a digit is read as another one with a probability of 1e-7 for the truth. */
  readonly surprise: number;
}

/** About 0.6 % of the digits are misread. */
export const usualReader: SimulatedReader = { unclear: 0.08, doubtful: 0.02, surprise: 5e-5 };

/**
 * Flat [810] probabilities for a board. A probability vector is drawn first and then the class that is true, by that very
 * vector: among all cells with probability p for a class, a share p is of that class.
 */
export function simulateReading(
  board: ArrayLike<number>,
  rng: Rng,
  reader: SimulatedReader = usualReader,
): Float32Array {
  const out = new Float32Array(810);
  for (let cell = 0; cell < 81; cell++) {
    const truth = board[cell]!;
    if (truth === 0) {
      out[10 * cell] = 1;
      continue;
    }
    const u = rng.uniform();
    let doubt = 10 ** -(3 + 3 * rng.uniform());
    if (u < reader.doubtful) doubt = 0.02 + 0.43 * rng.uniform();
    else if (u < reader.doubtful + reader.unclear) doubt = 0.002 + 0.02 * rng.uniform();
    const roles = [1 - doubt, 0.8 * doubt, ...Array.from({ length: 7 }, () => (0.2 * doubt) / 7)];
    let role = rng.categorical(roles);
    if (rng.bernoulli(reader.surprise)) {
      role = 8;
      roles[8] = 1e-7;
    }
    const digits = rng.shuffle([1, 2, 3, 4, 5, 6, 7, 8, 9].filter((value) => value !== truth));
    digits.splice(role, 0, truth);
    digits.forEach((value, i) => (out[10 * cell + value] = roles[i]!));
  }
  return out;
}
