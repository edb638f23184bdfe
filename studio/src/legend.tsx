// The legend below a board: tint, mark and name of every reader, and how many cells of this board it read.
import type { JSX } from 'preact';
import type { BoardView } from '../../src/mind/boards/view.ts';
import { Mark, readerOf, readers } from './readers.tsx';

export function Legend({ board }: { readonly board: BoardView }): JSX.Element {
  const read = (id: string): number => board.cells.filter((c) => c.given && readerOf(c.reader).id === id).length;
  // A grown reader is only there once something grew.
  const here = readers.filter((r) => r.id !== 'grown' || read(r.id) > 0);
  return (
    <ul class="legend" aria-label="Who read the cells of this board">
      {here.map((r) => (
        <li key={r.id} title={r.says}>
          <span class={`swatch by-${r.id}`}>
            <Mark reader={r} />
          </span>
          {r.name} <b>{read(r.id)}</b>
        </li>
      ))}
      <li class="legend-solved">
        <i>7</i> solved
      </li>
    </ul>
  );
}
