// The latest events, newest first, each a link to its page; older ones on request.
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import type { BoardView } from '../../src/mind/boards/view.ts';
import { api } from './api.ts';
import { percent, time } from './format.ts';
import { eventPath } from './router.ts';
import { complain } from './state.ts';
import { Thumb } from './thumb.tsx';
import { Verdict } from './verdict.tsx';

const SHOWN = 8;

export function Recents({
  boards,
  current,
}: {
  readonly boards: readonly BoardView[];
  readonly current: string | undefined;
}): JSX.Element {
  const [extra, setExtra] = useState<readonly BoardView[]>([]);
  const [more, setMore] = useState(true);
  // The list stands still while somebody is about to choose from it.
  const [frozen, setFrozen] = useState<readonly BoardView[] | null>(null);
  const newest = (frozen ?? boards).slice(0, SHOWN);
  const freeze = (): void => setFrozen(frozen ?? boards);
  const thaw = (): void => setFrozen(null);
  const rest = extra.filter((b) => !newest.some((n) => n.id === b.id));
  const last = rest.at(-1) ?? newest.at(-1);
  const load = (): void => {
    if (!last) return;
    api.events(12, last.ordinal).then((page) => {
      setExtra([...extra, ...page.events]);
      setMore(page.next !== null);
    }, complain);
  };
  return (
    <section class="recents card" aria-label="Latest boards">
      <h2>Remembered</h2>
      <ol onMouseEnter={freeze} onMouseLeave={thaw} onFocusCapture={freeze} onBlurCapture={thaw}>
        {[...newest, ...rest].map((b, row) => (
          <li key={row}>
            <EventLink board={b} current={b.id === current} />
          </li>
        ))}
      </ol>
      {more && boards.length >= SHOWN && (
        <button type="button" class="plain" onClick={load}>
          Older boards
        </button>
      )}
    </section>
  );
}

interface EventLinkProps {
  readonly board: BoardView;
  readonly current?: boolean;
  readonly cell?: number | null;
  readonly note?: string;
  readonly title?: string;
}

/** One event as a line: thumbnail, number, verdict, and a note (its cost, if nothing else is to be said). */
export function EventLink({ board, current = false, cell = null, note, title }: EventLinkProps): JSX.Element {
  const cost = board.cost.alwaysLargeFlop > 0 ? percent(board.cost.flop / board.cost.alwaysLargeFlop) : '–';
  return (
    <a
      class="event-link"
      {...(title === undefined ? {} : { title })}
      href={eventPath(board.id)}
      {...(current ? { 'aria-current': 'true' as const } : {})}
    >
      <Thumb board={board} cell={cell} />
      <span class="event-name">
        <b>{board.ordinal}</b>
        {board.source === 'image' && <span class="tag">your picture</span>}
      </span>
      <Verdict board={board} />
      <span class="event-note">{note ?? `cost ${cost}`}</span>
      <time dateTime={new Date(board.at).toISOString()}>{time(board.at)}</time>
    </a>
  );
}
