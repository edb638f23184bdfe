// What a server or studio shows of boards and events: plain JSON, stable, no class, no typed array. Also the one interface
// (`Boards`) through which a server gets them. Types only.
import type { GrowthService } from '../growth/index.ts';
import type { Memory } from '../../memory/index.ts';
import type { EventId, Json } from '../module.ts';

/** One cell of a board as it was read. Cells are numbered 0..80 row by row. */
export interface CellView {
  /** 0: blank, 1..9; what was finally taken (after escalation and repair). */
  readonly digit: number;
  readonly given: boolean;
  /** Module that decided: `ink` (blank), `small`, `medium`, `large`; or `repair`. */
  readonly reader: string;
  /** Readers that were asked, in order; the last one decided unless `reader` is `repair`. */
  readonly asked: readonly string[];
  /** Calibrated probability that `digit` is right; for a repaired cell the probability the reader gave it. */
  readonly confidence: number;
  /** Second most probable digit; null for blanks. */
  readonly runnerUp: { readonly digit: number; readonly probability: number } | null;
  /** The digit that was read before the repair. */
  readonly repairedFrom?: number;
  /** What the picture really shows, where it is known (generated boards). */
  readonly truth?: number;
}

/** How a board's answer is proved. */
export interface CertificateView {
  readonly kind: 'trace' | 'unique';
  /** One sentence for people. */
  readonly says: string;
  /** Nodes of the search tree (1: no branching), or steps of the trace. */
  readonly size: number;
  /** True when the independent checker accepted it. */
  readonly checked: boolean;
}

export interface CostView {
  /** Everything that ran for this board, all attempts charged. */
  readonly flop: number;
  /** What reading every inked cell with the largest reader would have cost. */
  readonly alwaysLargeFlop: number;
  /** Milliseconds from picture to proved answer. */
  readonly ms: number;
}

export interface SketchView {
  /** Numbers kept / numbers when whole. */
  readonly kept: number;
  readonly dims: number;
  readonly bits: number;
  /** Stored bytes of the sketch. */
  readonly bytes: number;
  /** Stored bytes beside the sketch (who read what, costs, proof). */
  readonly receiptBytes: number;
}

/** One board, as the studio's first page shows it. */
export interface BoardView {
  readonly id: EventId;
  /** Running number in this memory, from 1. */
  readonly ordinal: number;
  /** Milliseconds since 1970. */
  readonly at: number;
  /** `generated`, or `image` for a user's own picture. */
  readonly source: string;
  readonly provenance: Json;
  readonly status: 'proved' | 'withheld';
  /** Why the answer was withheld; null when proved. */
  readonly reason: string | null;
  /** 81 cells; empty when nothing of them is left in memory. */
  readonly cells: readonly CellView[];
  /** 81 digits 1..9, null when withheld. */
  readonly solution: readonly number[] | null;
  /** `propagation` or `exact`; null when withheld. */
  readonly solver: string | null;
  readonly certificate: CertificateView | null;
  readonly cost: CostView;
  readonly sketch: SketchView;
  /** Readings changed by escalation to the largest reader, and by repair. */
  readonly escalated: number;
  readonly repaired: number;
  /** Whether the digits above were decoded from the sketch without loss (checksum); true for a fresh board. */
  readonly exact: boolean;
}

/** A call of an event, with the calls below it. Equal siblings are grouped: 81 cells are one group with 81 members. */
export interface CallView {
  readonly task: string;
  /** The cell of the board that this call reads, where it reads one. */
  readonly cell?: number;
  readonly module: string | null;
  readonly weight: number;
  readonly confidence: number | null;
  readonly route: RouteView;
  readonly attempts: readonly AttemptView[];
  readonly usage: { readonly flop: number; readonly ms: number };
  readonly calls: readonly CallView[];
}

export interface RouteView {
  readonly by: 'router' | 'cheapest' | 'only' | 'pinned';
  readonly chosen: string;
  /** Modules in the order in which they would be tried. */
  readonly path: readonly string[];
  readonly expectedError: number | null;
  /** 90 % interval of the expected error. */
  readonly interval: readonly [number, number] | null;
  readonly expectedCost: number | null;
  readonly runnerUp: { readonly module: string; readonly expectedError: number; readonly expectedCost: number } | null;
  readonly cluster: number | null;
}

export interface AttemptView {
  readonly module: string;
  readonly outcome: 'answered' | 'abstained' | 'unsure' | 'unproved' | 'failed' | 'over-budget';
  readonly confidence: number | null;
  readonly flop: number;
}

/** One step of a proof, told in words. */
export interface ProofStepView {
  readonly says: string;
  /** Cells it places or that justify it. */
  readonly cells: readonly number[];
  /** The digit that this step puts down, where it puts one. */
  readonly place?: { readonly cell: number; readonly digit: number };
}

/** Everything about one event: its page with a permalink. */
export interface EventView {
  readonly id: EventId;
  readonly ordinal: number;
  readonly at: number;
  readonly task: string;
  readonly provenance: Json;
  readonly call: CallView;
  readonly sketch: SketchView;
  /** Null for events of other tasks. */
  readonly board: BoardView | null;
  /** Proof steps of a proved board; replayed afresh by the checker for this page. */
  readonly proof: readonly ProofStepView[];
}

/** The board that is rebuilt from the first `kept` numbers of its sketch. Nothing else is looked at. */
export interface ErasureView {
  readonly id: EventId;
  readonly kept: number;
  readonly dims: number;
  readonly bytes: number;
  /** How it was decoded: least squares, or sparse recovery beyond its limit. */
  readonly how: string;
  readonly cells: readonly {
    readonly digit: number;
    /** Margin of the winning class over the next, 0..1. */
    readonly confidence: number;
    /** Against the digits decoded from all that is stored. */
    readonly right: boolean;
  }[];
  /** Fraction of the 81 cells that are right. */
  readonly right: number;
  /** Fraction that was to be expected before looking. */
  readonly expectedRight: number;
  /** Expected error of a cell's ten attributes, rms: a wrong digit is off by 1 in two of them. */
  readonly expectedError: number;
  /** Whether the rebuilt board, solved, still gives the stored board's solution. */
  readonly solutionSurvives: boolean;
}

/** Other events that share a component, or resemble the whole. */
export interface RelatedView {
  readonly id: EventId;
  /** The cell asked for; null: the whole board. */
  readonly cell: number | null;
  readonly digit: number | null;
  readonly hits: readonly HitView[];
}

export interface HitView {
  readonly id: EventId;
  readonly ordinal: number;
  readonly at: number;
  readonly score: number;
  /** One sentence: which key matched. */
  readonly why: string;
  readonly board: BoardView | null;
}

/** Running totals since the memory was created. */
export interface TotalsView {
  readonly boards: number;
  readonly proved: number;
  readonly withheld: number;
  /** Cells with ink that were read, by the reader that decided. */
  readonly readers: Readonly<Record<string, number>>;
  readonly escalated: number;
  readonly repaired: number;
  /** Proved boards by solver. */
  readonly solvers: Readonly<Record<string, number>>;
  readonly flop: number;
  readonly alwaysLargeFlop: number;
  /** flop / alwaysLargeFlop; 0 before the first board. */
  readonly costRatio: number;
  /** Generated boards whose proved solution differs from the puzzle's; must stay 0. */
  readonly wrongProved: number;
  /** Events and bytes in memory now. */
  readonly events: number;
  readonly sketchBytes: number;
  readonly bytesPerEvent: number;
  /** Boards a second over the last ten boards of this process; 0 before. */
  readonly boardsPerSecond: number;
}

/** The handwriting of a board: 81 cells of 28 x 28 grey values, 0 paper .. 255 ink, row by row. */
export interface PictureView {
  readonly side: 28;
  /** 81 * 784 bytes, base64. */
  readonly cells: string;
}

/** The stored numbers of a sketch, as a strip of bars shows them. */
export interface SketchNumbersView {
  readonly id: EventId;
  /** Numbers of a whole sketch, and how many of them are left. */
  readonly dims: number;
  readonly kept: number;
  /** number = step * stored integer. */
  readonly step: number;
  /** The `kept` stored integers, -127..127. */
  readonly values: readonly number[];
}

/** What a person says about an answer: right or not, and which cells were misread. */
export interface BoardOutcome {
  readonly right?: boolean;
  readonly cells?: readonly { readonly cell: number; readonly digit: number }[];
}

/** What was erased. */
export interface ForgetView {
  readonly id: EventId;
  readonly bytesBefore: number;
  readonly bytesAfter: number;
  readonly says: string;
}

/** A board stream that the studio can pause and step. Boards come one after another; each is durable when it is given out. */
export interface BoardStream extends AsyncIterable<BoardView> {
  /** The next board; never waits for anything but the work itself. */
  next(signal?: AbortSignal): Promise<BoardView>;
  /** Index of the next board of this seed. */
  readonly index: number;
}

/** All that a server needs of boards. Made by `openBoards` in `boards/index.ts`. */
export interface Boards {
  /** What the boards are remembered in, and names of components; absent where a service has no memory of its own. */
  readonly memory?: { readonly memory: Memory; readonly label: (key: number) => string | undefined };
  /** What grew out of that memory; absent where nothing can grow. */
  readonly growths?: GrowthService;
  /** Newest first; `before` is an ordinal. */
  list(options?: { before?: number; limit?: number }): Promise<BoardView[]>;
  /** Throws `not_found` for an unknown id, `bad_event_id` for a malformed one. */
  board(id: EventId): Promise<BoardView>;
  event(id: EventId): Promise<EventView>;
  erase(id: EventId, keep: number): Promise<ErasureView>;
  related(id: EventId, cell?: number, k?: number): Promise<RelatedView>;
  /** Null when the picture is not known any more (a user's image is not stored). */
  picture(id: EventId): Promise<PictureView | null>;
  totals(): Promise<TotalsView>;
  /** A user's picture (PNG bytes). Throws a CairnError that says what is wrong with it. */
  askImage(png: Uint8Array, options?: { name?: string; signal?: AbortSignal }): Promise<BoardView>;
  /** The stored integers of an event's sketch. */
  sketch(id: EventId): Promise<SketchNumbersView>;
  /** Events that resemble a board of which some digits are given (81 numbers, 0: unknown). */
  recall(cue: { readonly digits: readonly number[] }, k?: number): Promise<readonly HitView[]>;
  /** Tells the router what was right and what was misread. */
  feedback(id: EventId, outcome: BoardOutcome): Promise<void>;
  forget(id: EventId, how: 'subtract' | { keep: number }): Promise<ForgetView>;
  /** The stream of generated boards; continues where this memory's stream of the same seed stopped. */
  stream(options?: { seed?: string | number; from?: number }): BoardStream;
  close(): Promise<void>;
}
