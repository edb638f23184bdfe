// What the studio knows, as signals: the connection, the stream's state, the latest boards, and which board is on the table.
import { computed, signal } from '@preact/signals';
import type { BoardView, TotalsView } from '../../src/mind/boards/view.ts';
import type { StreamState } from '../../src/serve/views.ts';
import { ApiError } from './api.ts';
import { pictureOf, type Ink } from './picture.ts';

/** Boards kept for the list and the cost curve. */
const KEPT = 96;

export const connection = signal<'opening' | 'open' | 'lost'>('opening');
export const stream = signal<StreamState | null>(null);
export const totals = signal<TotalsView | null>(null);
/** Newest first. */
export const recent = signal<readonly BoardView[]>([]);
/** Ordinal from which older boards can be asked for; null: there are none. */
export const older = signal<number | null>(null);

/** A board with its handwriting, so that both appear together. */
export interface Shown {
  readonly board: BoardView;
  readonly ink: Ink | null;
  /** True for a board that just arrived: its digits may appear one by one. */
  readonly fresh: boolean;
}

/** The board on the live page. */
export const shown = signal<Shown | null>(null);
/** True while the live page keeps its board although newer ones arrive. */
export const held = signal(false);
/** The chosen cell of the board on the table. */
export const cell = signal<number | null>(null);
/** Numbers of the sketch that are left on the slider; null: all. */
export const keep = signal<number | null>(null);

/** A word to the user: what went wrong or what was done. */
export interface Notice {
  readonly kind: 'error' | 'done';
  readonly text: string;
  readonly hint?: string;
}
export const notice = signal<Notice | null>(null);

/** Says something to screen readers without moving the focus. */
export const spoken = signal('');

/** Shows a fault in the server's own words. */
export function complain(error: unknown): void {
  notice.value =
    error instanceof ApiError
      ? { kind: 'error', text: error.message, ...(error.hint === undefined ? {} : { hint: error.hint }) }
      : { kind: 'error', text: 'The studio met a fault it does not know.', hint: String(error) };
}

/** True when boards arrive too fast for slow entrances. */
export const hurried = computed(() => {
  const speed = stream.value?.speed ?? 1;
  return speed === 'max' || speed > 2;
});

/** Takes boards into the list, newest first, each once. */
export function remember(boards: readonly BoardView[]): void {
  const known = new Map(recent.value.map((b) => [b.id, b]));
  for (const board of boards) known.set(board.id, board);
  recent.value = [...known.values()].sort((a, b) => b.ordinal - a.ordinal).slice(0, KEPT);
}

/** Drops an event from everything on screen. */
export function dropEvent(id: string): void {
  recent.value = recent.value.filter((b) => b.id !== id);
  if (shown.value?.board.id === id) follow();
}

let wanted = '';

/** Puts a board on the live page together with its handwriting. */
export async function show(board: BoardView, fresh: boolean): Promise<void> {
  wanted = board.id;
  const ink = await pictureOf(board);
  if (wanted !== board.id) return;
  cell.value = null;
  keep.value = null;
  shown.value = { board, ink, fresh };
}

/** Keeps the board on the table while others arrive. */
export function hold(): void {
  wanted = shown.value?.board.id ?? '';
  held.value = true;
}

/** Lets go: the newest board comes back on the table. */
export function follow(): void {
  held.value = false;
  const newest = recent.value[0];
  if (newest) void show(newest, false);
}
