// A board the size of a thumbnail: which reader read which cell, one path per reader, so that the theme colours it.
import type { JSX } from 'preact';
import type { BoardView } from '../../src/mind/boards/view.ts';
import { readerOf } from './readers.tsx';

export function Thumb({ board, cell }: { readonly board: BoardView; readonly cell?: number | null }): JSX.Element {
  const paths = new Map<string, string>();
  board.cells.forEach((c, i) => {
    if (!c.given) return;
    const square = `M${(i % 9) + 0.08} ${Math.floor(i / 9) + 0.08}h.84v.84h-.84z`;
    const { id } = readerOf(c.reader);
    paths.set(id, (paths.get(id) ?? '') + square);
  });
  return (
    <svg class="thumb" viewBox="0 0 9 9" aria-hidden="true">
      <path class="thumb-lines" d="M3 0v9M6 0v9M0 3h9M0 6h9" />
      {[...paths].map(([reader, d]) => (
        <path key={reader} class={`fill-${reader}`} d={d} />
      ))}
      {typeof cell === 'number' && (
        <rect class="thumb-cell" x={(cell % 9) - 0.1} y={Math.floor(cell / 9) - 0.1} width="1.2" height="1.2" />
      )}
    </svg>
  );
}
