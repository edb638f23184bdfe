// The first page: the board at hand with its eraser, the totals, the cell under the glass, and what was remembered.
import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import type { CallView, EventView } from '../../src/mind/boards/view.ts';
import { api } from './api.ts';
import { BoardTable } from './board-table.tsx';
import { callsOf } from './calls.tsx';
import { FollowButton } from './controls.tsx';
import { useErasure } from './eraser.tsx';
import { Inspector } from './inspector.tsx';
import { Recents } from './recents.tsx';
import { cell, connection, hold, hurried, keep, recent, shown, stream, totals } from './state.ts';
import { Totals } from './totals.tsx';

export function LivePage(): JSX.Element {
  const now = shown.value;
  const erasure = useErasure(now?.board ?? null, keep.value);
  const calls = useCalls(now?.board.id, cell.value);
  const select = (to: number | null): void => {
    hold();
    cell.value = to;
  };
  const setKeep = (to: number | null): void => {
    hold();
    keep.value = to;
  };
  return (
    <div class="page is-live">
      <div class="left is-sticky">
        {now ? (
          <BoardTable
            board={now.board}
            ink={now.ink}
            erasure={erasure}
            keep={keep.value}
            cell={cell.value}
            marked={[]}
            placed={null}
            pace={now.fresh ? (hurried.value ? 'swift' : 'calm') : 'still'}
            onCell={select}
            onKeep={setKeep}
            action={<FollowButton />}
          />
        ) : (
          <Waiting />
        )}
      </div>
      <div class="right">
        <Totals totals={totals.value} boards={recent.value} />
        {now ? (
          <Inspector
            board={now.board}
            ink={now.ink}
            cell={cell.value}
            erasure={erasure}
            calls={calls}
            onClose={() => (cell.value = null)}
          />
        ) : (
          <section class="inspector card" />
        )}
        <Recents boards={recent.value} current={now?.board.id} />
      </div>
    </div>
  );
}

/** The calls that read a chosen cell; the event's calls are only asked for when a cell is chosen. */
function useCalls(id: string | undefined, chosen: number | null): readonly CallView[] {
  const [event, setEvent] = useState<EventView | null>(null);
  const needed = chosen === null ? undefined : id;
  useEffect(() => {
    if (needed === undefined) return;
    const stop = new AbortController();
    api.event(needed, stop.signal).then(setEvent, () => undefined);
    return () => stop.abort();
  }, [needed]);
  return event !== null && event.id === id && chosen !== null ? callsOf(event.call, chosen) : [];
}

function Waiting(): JSX.Element {
  const fault = stream.value?.fault;
  return (
    <div class="table">
      <div class="table-head">
        <h1>Boards</h1>
      </div>
      <div class="board is-empty">
        <p>
          {fault
            ? `${fault.message} ${fault.hint ?? ''}`
            : connection.value === 'lost'
              ? 'The server does not answer yet. The page tries again by itself.'
              : stream.value?.paused
                ? 'Paused before the first board. Press Step, or Go on.'
                : 'The first board is on its way.'}
        </p>
      </div>
      <section class="eraser card" />
    </div>
  );
}
