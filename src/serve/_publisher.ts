// Sends boards and totals to the event stream at a rate that eyes and browsers can follow; at full speed some boards are only counted.
import type { BoardView, TotalsView } from '../mind/index.ts';
import type { Hub } from './_hub.ts';

const BOARD_EVERY_MS = 120;
const TOTALS_EVERY_MS = 250;

/** Thins out what the stream produces. The newest board and the last totals always arrive. */
export class Publisher {
  readonly #hub: Hub;
  readonly #totals: () => Promise<TotalsView>;
  readonly #onFault: (error: unknown) => void;
  #lastBoard = -Infinity;
  #held: BoardView | undefined;
  #boardTimer: NodeJS.Timeout | undefined;
  #totalsTimer: NodeJS.Timeout | undefined;

  constructor(hub: Hub, totals: () => Promise<TotalsView>, onFault: (error: unknown) => void) {
    this.#hub = hub;
    this.#totals = totals;
    this.#onFault = onFault;
  }

  /** A board is finished. */
  board(board: BoardView): void {
    const wait = this.#lastBoard + BOARD_EVERY_MS - performance.now();
    this.#held = board;
    if (wait <= 0) this.#sendBoard();
    else this.#boardTimer ??= setTimeout(() => this.#sendBoard(), wait).unref();
    this.#totalsTimer ??= setTimeout(() => void this.#sendTotals(), TOTALS_EVERY_MS).unref();
  }

  /** Drops what is still held back. */
  close(): void {
    clearTimeout(this.#boardTimer);
    clearTimeout(this.#totalsTimer);
    this.#held = undefined;
  }

  #sendBoard(): void {
    clearTimeout(this.#boardTimer);
    this.#boardTimer = undefined;
    if (this.#held === undefined) return;
    this.#lastBoard = performance.now();
    this.#hub.publish('board', this.#held);
    this.#held = undefined;
  }

  async #sendTotals(): Promise<void> {
    this.#totalsTimer = undefined;
    try {
      this.#hub.publish('totals', await this.#totals());
    } catch (error) {
      this.#onFault(error);
    }
  }
}
