// What each part of the experiment returns.
import type { Claim, Table } from '../report.ts';

export interface Part {
  readonly claims: readonly Claim[];
  readonly tables: readonly Table[];
}
