// The one interface the server stands on: boards and their memory. The product's implementation is the mind's; tests bring their own.
import type { Boards } from '../mind/index.ts';

export type { BoardOutcome, SketchNumbersView } from '../mind/index.ts';

/** Everything the server can be asked about boards. */
export type BoardService = Boards;
