// Who may have read a cell: name, number of stones (the mark beside the colour), and what to say about it.
import type { JSX } from 'preact';

export interface Reader {
  readonly id: string;
  readonly name: string;
  /** Stones of its mark: the larger the network, the higher the pile. 0: a mark of its own. */
  readonly stones: number;
  readonly says: string;
}

/** In order of size. */
export const readers: readonly Reader[] = [
  { id: 'small', name: 'small', stones: 1, says: 'the linear reader' },
  { id: 'medium', name: 'medium', stones: 2, says: 'the two-layer reader' },
  { id: 'large', name: 'large', stones: 3, says: 'the convolutional reader' },
  { id: 'grown', name: 'grown', stones: 2, says: 'a reader that grew from remembered boards' },
  { id: 'repair', name: 'repaired', stones: 0, says: 'changed by the rules of the puzzle' },
];

const blank: Reader = { id: 'ink', name: 'blank', stones: 0, says: 'no ink in this cell' };

/** The reader behind a name such as `small` or `read-digit/small`. */
export function readerOf(name: string): Reader {
  const last = name.slice(name.lastIndexOf('/') + 1);
  const short = last.startsWith('grown-') ? 'grown' : last;
  return (
    readers.find((r) => r.id === short) ??
    (short === 'ink' ? blank : { id: 'other', name: short, stones: 0, says: name })
  );
}

/** The mark of a reader: a small pile of stones, or a turning arrow for a repair. Decoration: the name stands beside it. */
export function Mark({ reader }: { readonly reader: Reader }): JSX.Element | null {
  if (reader.id === 'repair') {
    return (
      <svg class="mark" viewBox="0 0 10 12" aria-hidden="true">
        <path class="mark-line" d="M8.3 6.2a3.3 3.3 0 1 1-1.1-2.5M7.6 1.3v2.7H5" />
      </svg>
    );
  }
  if (reader.stones === 0) return null;
  return (
    <svg class="mark" viewBox="0 0 10 12" aria-hidden="true">
      <ellipse cx="5" cy="10" rx="4.4" ry="1.9" />
      {reader.stones > 1 && <ellipse cx="5" cy="6.1" rx="3.4" ry="1.7" />}
      {reader.stones > 2 && <ellipse cx="5" cy="2.6" rx="2.3" ry="1.5" />}
    </svg>
  );
}
