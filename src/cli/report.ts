// What experiments (lab/) and benchmarks (bench/) are given and return: the contract between them and the command line.
// Types only; they live here because src/ may not import from the folders beside it.

/** A cell of a table. */
export type Cell = string | number | boolean | null | undefined;

/** One statement of a paper, put to the test. */
export interface Claim {
  readonly id: string;
  /** One sentence a reader can check. */
  readonly says: string;
  readonly kind: 'identity' | 'measured' | 'bound';
  readonly value: number | string | boolean | null;
  readonly baseline?: number | string | null;
  /** The condition under which it holds, in words and numbers. */
  readonly target: string;
  readonly holds: boolean;
}

export interface Table {
  readonly title: string;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly Cell[])[];
}

/** An axis of a figure. On a log axis every value must be positive. */
export interface Axis {
  readonly label: string;
  readonly scale?: 'linear' | 'log';
}

/** A line through its points, or separate dots; `bars` draws ± that size at each point. */
export interface Curve {
  readonly name: string;
  readonly kind?: 'line' | 'dots';
  readonly points: readonly (readonly [x: number, y: number])[];
  readonly bars?: readonly number[];
  readonly dashed?: boolean;
}

/** Named values side by side: one group of columns per `label`, one column per series. */
export interface Columns {
  readonly labels: readonly string[];
  readonly series: readonly { readonly name: string; readonly values: readonly number[] }[];
}

/** A figure that a person understands without the text around it: curves or columns. */
export type Figure = {
  readonly title: string;
  readonly y: Axis;
  /** A sentence below the figure. */
  readonly note?: string;
} & ({ readonly x: Axis; readonly curves: readonly Curve[] } | { readonly columns: Columns });

/** The result of one experiment. The command line adds `plots`: paths of the figures that were drawn. */
export interface LabReport {
  readonly slug: string;
  readonly paper: { readonly title: string; readonly arxiv: string };
  readonly seed: number;
  readonly scale: 'ci' | 'full';
  readonly seconds: number;
  readonly claims: readonly Claim[];
  readonly tables: readonly Table[];
}

/** What an experiment is given. */
export interface LabOptions {
  readonly seed: number;
  readonly scale: 'ci' | 'full';
  /** Folder of optional data sets. */
  readonly data?: string;
  /** Draws a figure: a file `<name>.svg`, and lines in the terminal for people. */
  readonly plot: (name: string, figure: Figure) => void;
  readonly log: (line: string) => void;
  readonly signal: AbortSignal;
}

/** Median, smallest and largest of one ratio per round. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
  readonly rounds: number;
}

/** One case of a benchmark beside one peer. */
export interface BenchRow {
  readonly case: string;
  /** Our median in `unit`. */
  readonly ours: number | null;
  /** The peer's median; null when it is not installed. */
  readonly peer: number | null;
  readonly peerName: string;
  /** Median over rounds of the peer's figure / ours: for times, above 1 we are faster. */
  readonly ratio: number | null;
  readonly unit: string;
  readonly spread?: Spread;
  /** What was aimed at, and whether our median meets it. */
  readonly target?: { readonly atMost?: number; readonly atLeast?: number; readonly met: boolean };
  /** Why a peer is missing, or another remark. */
  readonly note?: string;
}

export interface BenchReport {
  readonly name: string;
  readonly protocol: Readonly<Record<string, unknown>>;
  readonly rows: readonly BenchRow[];
}

/** What a benchmark is given. */
export interface BenchOptions {
  /** Fewer rounds: a look, not a figure to quote. */
  readonly quick?: boolean;
  /** Default 7. */
  readonly seed?: number;
  /** Folder of optional data sets. */
  readonly data?: string;
  /** Folder where what takes long to build stays for the next run. */
  readonly keep?: string;
  /** Interleaved rounds. Default: those of the benchmark, or one when it is quick. */
  readonly rounds?: number;
  /** One part of the benchmark alone. */
  readonly part?: string;
  /** `gateway`: minutes of random faults instead of measuring. */
  readonly soak?: number;
  /** `gateway`: streams whose memory is watched. */
  readonly streams?: number;
  readonly log: (line: string) => void;
  readonly signal: AbortSignal;
}
