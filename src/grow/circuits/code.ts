// The two-part code that decides about growth: nodes first, then the streams in terms of them. Uniform: every name costs log2 V.
// Adaptive: the streams cost what a Krichevsky-Trofimov estimator pays. One is chosen for a circuit and kept. Source: 1203.0088.
import { logGamma } from '../../tensor/index.ts';

export type CodeKind = 'uniform' | 'adaptive';

/** Everything the code length depends on. */
export interface Tally {
  /** Symbols in use: primitives and nodes. */
  readonly symbols: number;
  /** Names inside nodes. */
  readonly slots: number;
  /** Bits of nodes besides names. */
  readonly overhead: number;
  /** Names in the streams. */
  readonly length: number;
  /** Streams: each ends with a mark, a symbol of its own. */
  readonly ends: number;
  /** Only for the adaptive code: sum over symbols of ln Gamma(n + 1/2), n their counts in the streams. */
  readonly logCounts: number;
}

export function nodeBits(tally: Tally): number {
  return tally.overhead + tally.slots * Math.log2(Math.max(1, tally.symbols));
}

export function streamBits(kind: CodeKind, tally: Tally): number {
  if (tally.ends === 0) return 0;
  const v = tally.symbols + 1;
  const n = tally.length + tally.ends;
  if (kind === 'uniform') return n * Math.log2(v);
  // Product of (n_s - 1/2) … over (V/2) (V/2 + 1) …, in closed form; symbols without occurrences count Gamma(1/2).
  const nats = logGamma(n + v / 2) - logGamma(v / 2) - (tally.logCounts + countTerm(tally.ends) - v * LOG_GAMMA_HALF);
  return nats / Math.LN2;
}

export function totalBits(kind: CodeKind, tally: Tally): number {
  return nodeBits(tally) + streamBits(kind, tally);
}

export const LOG_GAMMA_HALF = 0.5 * Math.log(Math.PI);

/** ln Gamma(n + 1/2), remembered for small n. */
const remembered: number[] = [];
export function countTerm(n: number): number {
  if (n < 4096) return (remembered[n] ??= logGamma(n + 0.5));
  return logGamma(n + 0.5);
}
