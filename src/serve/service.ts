// The one interface the server stands on: boards and their memory. The product's implementation is the mind's; tests bring their own.
import type { Boards, HitView } from '../mind/boards/view.ts';

/** The stored numbers of a sketch, as the strip in the studio draws them. */
export interface SketchNumbersView {
  readonly id: string;
  /** Numbers of a whole sketch, and how many of them are left. */
  readonly dims: number;
  readonly kept: number;
  /** Value of one step: number = step * stored integer. */
  readonly step: number;
  /** The `kept` stored integers, -127..127. */
  readonly values: readonly number[];
}

/** What a person says about an answer: right or not, and which cells were misread. */
export interface BoardOutcome {
  readonly right?: boolean;
  readonly cells?: readonly { readonly cell: number; readonly digit: number }[];
}

/** Everything the server can be asked about boards. What is optional is answered with 404 when a service lacks it. */
export interface BoardService extends Boards {
  sketch?(id: string): Promise<SketchNumbersView>;
  recall?(cue: { readonly digits: readonly number[] }, k: number): Promise<readonly HitView[]>;
  feedback?(id: string, outcome: BoardOutcome): Promise<void>;
}
