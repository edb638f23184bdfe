// The legend below a board: tint, mark and name of every reader, and how many cells of this board it read.
import type { JSX } from 'preact';
import type { BoardView } from '../../src/mind/boards/view.ts';
import { Mark, readers } from './readers.tsx';

export function Legend({ board }: { readonly board: BoardView }): JSX.Element {
  return (
    <ul class="legend" aria-label="Who read the cells of this board">
      {readers.map((r) => (
        <li key={r.id} title={r.says}>
          <span class={`swatch by-${r.id}`}>
            <Mark reader={r} />
          </span>
          {r.name} <b>{board.cells.filter((c) => c.given && c.reader === r.id).length}</b>
        </li>
      ))}
      <li class="legend-solved">
        <i>7</i> solved
      </li>
    </ul>
  );
}
