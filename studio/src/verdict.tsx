// The verdict on a board in one mark and a word or two, with the reason where an answer was withheld.
import type { JSX } from 'preact';
import type { BoardView } from '../../src/mind/boards/view.ts';

export function Verdict({ board }: { readonly board: BoardView }): JSX.Element {
  const proved = board.status === 'proved';
  return (
    <span class={`verdict ${proved ? 'is-proved' : 'is-withheld'}`}>
      <svg viewBox="0 0 16 16" aria-hidden="true">
        {proved ? <path d="M3 8.6l3.3 3.2L13 4.6" /> : <path d="M3.5 8h9" />}
      </svg>
      {proved ? (board.repaired > 0 ? 'proved after repair' : 'proved') : 'withheld'}
    </span>
  );
}

/** One sentence on how the answer came about, or why there is none. */
export function verdictSentence(board: BoardView): string {
  if (board.status === 'withheld') return board.reason ?? 'The answer could not be proved.';
  return board.certificate?.says ?? 'The independent checker accepted the solution.';
}
