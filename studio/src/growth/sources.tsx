// The events that a growth was made from, as links; asked for when they are opened.
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { count } from '../format.ts';
import { eventPath } from '../router.ts';
import { complain } from '../state.ts';
import { growthApi } from './data.ts';

export function Sources({ id, events }: { readonly id: string; readonly events: number }): JSX.Element {
  const [list, setList] = useState<readonly string[] | null>(null);
  const open = (event: Event & { readonly currentTarget: HTMLDetailsElement }): void => {
    if (!event.currentTarget.open || list !== null) return;
    growthApi.events(id).then((answer) => setList(answer.events), complain);
  };
  return (
    <details class="sources" onToggle={open}>
      <summary>The {count(events)} events</summary>
      {list === null ? (
        <p class="quiet">Asking …</p>
      ) : (
        <>
          <ul class="event-ids">
            {list.map((event) => (
              <li key={event}>
                <a href={eventPath(event)}>
                  <code>{event.slice(0, 8)}</code>
                </a>
              </li>
            ))}
          </ul>
          {events > list.length && <p class="quiet">and {count(events - list.length)} earlier ones.</p>}
        </>
      )}
    </details>
  );
}
