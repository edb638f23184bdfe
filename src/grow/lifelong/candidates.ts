// Which references a task may read: features and frozen modules below the depth limit. Above `pruneAbove` of them only
// those that tell most about the target alone, and the most recently published, whose pairs are all tried: the parts of a
// parity tell nothing alone, so a choice by single information would miss every one of them.
import type { Library } from './library.ts';
import type { Reference } from './model.ts';
import { popcount, type Samples } from './samples.ts';

export interface CandidateOptions {
  /** Largest depth of a module that may read others. */
  readonly maxDepth: number;
  readonly pruneAbove: number;
  /** How many are kept by information, and how many by recency. */
  readonly keep: number;
}

/** References that may be read, and those whose pairs are all tried. */
export interface Candidates {
  readonly references: readonly Reference[];
  readonly pairable: readonly Reference[];
}

/** Every feature, and every module that is not retired and not too deep. */
export function poolOf(library: Library, maxDepth: number): Reference[] {
  const pool = library.features.map((_, i) => i);
  for (const m of library.modules()) if (!m.retired && m.depth < maxDepth) pool.push(m.reference);
  return pool;
}

/** The candidates for a task with these samples. */
export function candidatesFor(library: Library, samples: Samples, options: CandidateOptions): Candidates {
  const pool = poolOf(library, options.maxDepth);
  if (pool.length <= options.pruneAbove) return { references: pool, pairable: pool };
  const informed = pool
    .map((reference) => ({ reference, information: information(samples, reference) }))
    .sort((a, b) => b.information - a.information || b.reference - a.reference)
    .slice(0, options.keep)
    .map((r) => r.reference);
  const kept = [...new Set([...informed, ...pool.slice(-options.keep)])].sort((a, b) => a - b);
  return { references: kept, pairable: kept };
}

/**
 * Mutual information of a candidate and the target in bits: of the two bits for Boolean ones, of the Gaussian with the same
 * correlation otherwise.
 */
export function information(samples: Samples, reference: Reference): number {
  const n = samples.count;
  const bits = samples.bits(reference);
  const boolean = bits !== undefined && samples.targets.every((y) => y === 0 || y === 1);
  if (!boolean) return correlationBits(samples.column(reference), samples.targets);
  const target = samples.targetBits();
  let [a, b, both] = [0, 0, 0];
  for (let w = 0; w < Math.ceil(n / 32); w++) {
    a += popcount(bits[w]!);
    b += popcount(target[w]!);
    both += popcount(bits[w]! & target[w]!);
  }
  const term = (joint: number, x: number, y: number): number =>
    joint === 0 ? 0 : (joint / n) * Math.log2((joint * n) / (x * y));
  return term(both, a, b) + term(a - both, a, n - b) + term(b - both, n - a, b) + term(n - a - b + both, n - a, n - b);
}

function correlationBits(x: readonly number[], y: readonly number[]): number {
  const n = y.length;
  let [sx, sy, sxx, syy, sxy] = [0, 0, 0, 0, 0];
  for (let i = 0; i < n; i++) {
    sx += x[i]!;
    sy += y[i]!;
    sxx += x[i]! * x[i]!;
    syy += y[i]! * y[i]!;
    sxy += x[i]! * y[i]!;
  }
  const spread = (sxx - (sx * sx) / n) * (syy - (sy * sy) / n);
  if (!(spread > 0)) return 0;
  const r2 = Math.min(1 - 1e-12, (sxy - (sx * sy) / n) ** 2 / spread);
  return -0.5 * Math.log2(1 - r2);
}
