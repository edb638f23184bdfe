// What each part of this experiment returns.
import type { Claim, Table } from '../report.ts';

export interface Part {
  readonly claims: readonly Claim[];
  readonly tables: readonly Table[];
}

export function mean(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0) / Math.max(1, values.length);
}
