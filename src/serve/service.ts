// The one interface the server stands on: boards and their memory. The product's implementation is the mind's; tests bring their own.
import type { Boards } from '../mind/boards/view.ts';

export type { BoardOutcome, SketchNumbersView } from '../mind/boards/view.ts';

/** Everything the server can be asked about boards. */
export type BoardService = Boards;
