// One node of the map opened: an event with what it shares and what is like it, or a component with the events that have it.
import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { count, dateTime } from '../format.ts';
import { eventPath } from '../router.ts';
import { type MemoryMap, memoryApi, nameOf, type Which } from './data.ts';

export interface ChosenProps {
  readonly map: MemoryMap;
  readonly which: Which;
  readonly node: string;
  readonly onChoose: (node: string | null) => void;
}

export function Chosen({ map, which, node, onChoose }: ChosenProps): JSX.Element {
  const at = Number(node.slice(1));
  const close = (
    <button type="button" class="plain" onClick={() => onChoose(null)}>
      Close
    </button>
  );
  return node.startsWith('e') ? (
    <EventCard map={map} which={which} at={at} close={close} onChoose={onChoose} />
  ) : (
    <ComponentCard map={map} at={at} close={close} onChoose={onChoose} />
  );
}

interface CardProps {
  readonly map: MemoryMap;
  readonly at: number;
  readonly close: JSX.Element;
  readonly onChoose: (node: string | null) => void;
}

function EventCard({ map, which, at, close, onChoose }: CardProps & { readonly which: Which }): JSX.Element {
  const event = map.events[at]!;
  const shares = map.has.flatMap(([e, c]) => (e === at ? [c] : []));
  const alike = map.alike.flatMap(([a, b]) => (a === at ? [b] : b === at ? [a] : []));
  const text = useText(which === 'texts' ? event.id : null);
  return (
    <section class="card" aria-label="Event">
      <h2>
        Event {event.ordinal} {close}
      </h2>
      {text !== null && (
        <blockquote>
          <p>{text}</p>
        </blockquote>
      )}
      <p class="quiet">
        {event.task}, {event.source}
        {event.at > 0 && `, ${dateTime(event.at)}`}
      </p>
      {which === 'boards' && (
        <p>
          <a href={eventPath(event.id)}>Open its page</a>
        </p>
      )}
      <h3>Shares</h3>
      {shares.length === 0 && <p class="quiet">Only components that are nearly everywhere, or none.</p>}
      <ul class="plain-list">
        {shares.slice(0, 15).map((c) => (
          <li key={c}>
            <button type="button" class="plain" onClick={() => onChoose(`c${c}`)}>
              {nameOf(map.components[c]!)}
            </button>{' '}
            <span class="quiet">{count(map.components[c]!.events)} events</span>
          </li>
        ))}
      </ul>
      <h3>Most alike</h3>
      <EventList map={map} places={alike.slice(0, 12)} onChoose={onChoose} />
    </section>
  );
}

function ComponentCard({ map, at, close, onChoose }: CardProps): JSX.Element {
  const component = map.components[at]!;
  const events = map.has.flatMap(([e, c]) => (c === at ? [e] : []));
  return (
    <section class="card" aria-label="Component">
      <h2>
        {nameOf(component)} {close}
      </h2>
      <p>
        An output of <code>{component.module}</code> that {count(component.events)} events on the map share. It is
        stored once; they point at it.
      </p>
      <EventList map={map} places={events.slice(0, 20)} onChoose={onChoose} />
    </section>
  );
}

function EventList({
  map,
  places,
  onChoose,
}: Pick<CardProps, 'map' | 'onChoose'> & { readonly places: readonly number[] }): JSX.Element {
  return (
    <ul class="plain-list">
      {places.map((e) => (
        <li key={e}>
          <button type="button" class="plain" onClick={() => onChoose(`e${e}`)}>
            event {map.events[e]!.ordinal}
          </button>{' '}
          <span class="quiet">{map.events[e]!.source}</span>
        </li>
      ))}
    </ul>
  );
}

/** The words of a remembered text; null while they are asked for, and for everything else. */
function useText(id: string | null): string | null {
  const [text, setText] = useState<string | null>(null);
  useEffect(() => {
    let wanted = true;
    setText(null);
    if (id !== null) {
      memoryApi.text(id).then(
        (answer) => {
          if (wanted && typeof answer['text'] === 'string') setText(answer['text']);
        },
        () => undefined,
      );
    }
    return () => {
      wanted = false;
    };
  }, [id]);
  return text;
}
