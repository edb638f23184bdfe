// The data that solvers produce and the checker replays: steps, traces and certificates. Types only, so that the checker
// shares no code with what it checks.

/**
 * Strategy ids: 2 naked single, 3 hidden single, 4 naked or hidden pair, 5 naked or hidden triplet, 6 locked candidates,
 * 7 XY-wing, 8 unique rectangle (needs proved uniqueness).
 */
export type Strategy = 2 | 3 | 4 | 5 | 6 | 7 | 8;

/** Places a digit; `unit` is the unit of a hidden single. */
export interface PlaceStep {
  readonly do: 'place';
  readonly cell: number;
  readonly value: number;
  readonly by: 2 | 3;
  readonly unit?: number;
}

/** Removes candidates. `cells`, `values` and `units` name the pattern, as each strategy needs it. */
export interface RemoveStep {
  readonly do: 'remove';
  readonly by: 4 | 5 | 6 | 7 | 8;
  readonly cells: readonly number[];
  readonly values: readonly number[];
  readonly units: readonly number[];
  readonly hidden?: true;
  readonly removed: readonly (readonly [cell: number, value: number])[];
}

/** One deduction. A placed digit leaves its peers in the same step; those removals are not listed. */
export type Step = PlaceStep | RemoveStep;

/** What the human-style solver did. */
export interface Trace {
  readonly steps: readonly Step[];
  readonly solved: boolean;
  /** Cells in the order in which they were placed. */
  readonly order: readonly number[];
  /** Per placed cell the bitset of strategy ids used since the placement before it. */
  readonly strategies: readonly number[];
}

/**
 * A verdict with what is needed to replay it. Grids are lines of digits. `tree` is base64 of a preorder list of bytes:
 * an inner node is the cell that was branched on, a leaf is 255.
 */
export type SudokuCertificate =
  | { readonly kind: 'solution'; readonly grid: string }
  | { readonly kind: 'trace'; readonly steps: readonly Step[]; readonly grid: string }
  | { readonly kind: 'unique'; readonly grid: string; readonly tree: string }
  | { readonly kind: 'unsolvable'; readonly tree: string }
  | { readonly kind: 'several'; readonly grids: readonly [string, string] };

/** What the checker says: which step failed and why. Step -1 is the certificate as a whole. */
export type CheckResult = { readonly ok: true } | { readonly ok: false; readonly step: number; readonly why: string };
