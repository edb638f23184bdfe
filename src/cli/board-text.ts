// Boards as text for a terminal: the reading, the answer, and what is worth saying about them.
import type { BoardView, HitView } from '../mind/index.ts';

/** Nine lines with box rules; blanks as dots. */
export function gridText(digits: readonly number[]): string {
  const lines: string[] = [];
  for (let row = 0; row < 9; row++) {
    if (row === 3 || row === 6) lines.push('------+-------+------');
    const cells = digits.slice(9 * row, 9 * row + 9).map((d) => (d === 0 ? '.' : String(d)));
    lines.push([0, 3, 6].map((c) => cells.slice(c, c + 3).join(' ')).join(' | '));
  }
  return lines.join('\n');
}

/** A board as `cairn ask` shows it. */
export function boardText(board: BoardView): string {
  const read = board.cells.map((c) => c.digit);
  const readers = new Map<string, number>();
  for (const cell of board.cells) if (cell.given) readers.set(cell.reader, (readers.get(cell.reader) ?? 0) + 1);
  const by = [...readers].map(([reader, n]) => `${n} by ${reader}`).join(', ');
  const share = board.cost.alwaysLargeFlop > 0 ? Math.round((100 * board.cost.flop) / board.cost.alwaysLargeFlop) : 0;
  const verdict =
    board.status === 'proved' && board.solution
      ? [`Proved (${board.solver}): ${board.certificate?.says ?? ''}`, gridText(board.solution)]
      : [`Withheld: ${board.reason ?? 'no reason given'}`];
  return [
    `Read (${by || 'no digits'}${board.repaired ? `; ${board.repaired} repaired` : ''}):`,
    gridText(read),
    '',
    ...verdict,
    '',
    `${share} % of the cost of always using the largest reader; ${Math.round(board.cost.ms)} ms; ${board.sketch.bytes} bytes remembered as ${board.id}`,
  ].join('\n');
}

/** Hits as `cairn recall` shows them, one line each. */
export function hitsText(hits: readonly HitView[]): string {
  if (hits.length === 0) return 'Nothing like this is remembered.';
  return hits.map((h) => `${h.score.toFixed(3)}  ${h.id}  #${h.ordinal}  ${h.why}`).join('\n');
}
