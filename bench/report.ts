// What a benchmark returns: one row per case and peer, with the ratio of their times.

/** Median, smallest and largest of one ratio per round. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
  readonly rounds: number;
}

export interface BenchRow {
  readonly case: string;
  /** Our median time in `unit`. */
  readonly ours: number | null;
  /** The peer's median time; null when it is not installed. */
  readonly peer: number | null;
  readonly peerName: string;
  /** Median over rounds of peer time / our time: above 1 we are faster. */
  readonly ratio: number | null;
  readonly unit: string;
  readonly spread?: Spread;
  /** Why a peer is missing, or another remark. */
  readonly note?: string;
}

export interface BenchReport {
  readonly name: string;
  readonly protocol: Readonly<Record<string, unknown>>;
  readonly rows: readonly BenchRow[];
}
