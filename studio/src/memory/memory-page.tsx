// The memory as a map: events laid out by their sketches, the components they share, what it takes on disk, and search.
import type { JSX } from 'preact';
import { useEffect, useMemo, useState } from 'preact/hooks';
import { bytes, count, percent } from '../format.ts';
import { complain } from '../state.ts';
import { type MemoryMap, memoryApi, type MemoryStats, nameOf, type TextHit, type Which } from './data.ts';
import { Chosen } from './chosen.tsx';
import { MemoryConcepts } from './concepts.tsx';
import { MemoryGraph } from './graph.tsx';

interface Loaded {
  readonly which: Which;
  readonly map: MemoryMap;
  readonly stats: MemoryStats;
}

export function MemoryPage(): JSX.Element {
  const [which, setWhich] = useState<Which>('boards');
  const [loaded, setLoaded] = useState<Loaded | null>(null);
  const [chosen, setChosen] = useState<string | null>(null);
  const [query, setQuery] = useState('');
  const [hits, setHits] = useState<readonly TextHit[] | null>(null);

  useEffect(() => {
    document.title = 'Memory · Cairn';
    let wanted = true;
    setLoaded(null);
    setChosen(null);
    setHits(null);
    Promise.all([memoryApi.map(which), memoryApi.stats(which)]).then(([map, stats]) => {
      if (wanted) setLoaded({ which, map, stats });
    }, complain);
    return () => {
      wanted = false;
    };
  }, [which]);

  const map = loaded?.map ?? null;
  const found = useMemo(() => findEvents(map, query, hits), [map, query, hits]);
  const search = (event: Event): void => {
    event.preventDefault();
    if (which !== 'texts' || query.trim() === '') return;
    memoryApi.recall(query).then((answer) => setHits(answer.hits), complain);
  };
  return (
    <div class="memory">
      <div class="memory-head">
        <h1>Memory</h1>
        <div class="speeds" role="radiogroup" aria-label="Which memory">
          {(['boards', 'texts'] as const).map((name) => (
            <label key={name}>
              <input
                class="visually-hidden"
                type="radio"
                name="which"
                checked={which === name}
                onChange={() => setWhich(name)}
              />
              <span>{name}</span>
            </label>
          ))}
        </div>
        <form class="memory-search" role="search" onSubmit={search}>
          <label>
            <span class="visually-hidden">Search the memory</span>
            <input
              type="search"
              value={query}
              placeholder={which === 'texts' ? 'A question, in plain words' : 'Event number, id, source or component'}
              onInput={(e) => {
                setQuery(e.currentTarget.value);
                setHits(null);
              }}
            />
          </label>
          {which === 'texts' && <button type="submit">Recall</button>}
        </form>
        <p class="quiet" role="status">
          {found === null ? '' : `${count(found.size)} on the map`}
        </p>
      </div>
      {loaded === null || map === null ? (
        <div class="map is-empty" aria-busy="true">
          <p class="quiet">Drawing the map …</p>
        </div>
      ) : map.events.length === 0 ? (
        <Empty which={which} />
      ) : (
        <div class="memory-columns">
          <MemoryGraph map={map} chosen={chosen} found={found} onChoose={setChosen} />
          <div class="memory-side">
            {hits !== null && <Hits hits={hits} />}
            {chosen === null ? (
              <>
                <Overview map={map} stats={loaded.stats} onChoose={setChosen} />
                {which === 'boards' && <MemoryConcepts />}
              </>
            ) : (
              <Chosen map={map} which={which} node={chosen} onChoose={setChosen} />
            )}
          </div>
        </div>
      )}
    </div>
  );
}

function findEvents(map: MemoryMap | null, query: string, hits: readonly TextHit[] | null): ReadonlySet<number> | null {
  if (map === null) return null;
  if (hits !== null) {
    const ids = new Set(hits.map((hit) => hit.id));
    return new Set(map.events.flatMap((event, i) => (ids.has(event.id) ? [i] : [])));
  }
  const text = query.trim().toLowerCase();
  if (text === '') return null;
  const components = new Set(map.components.flatMap((c, i) => (nameOf(c).toLowerCase().includes(text) ? [i] : [])));
  const having = new Set(map.has.flatMap(([event, component]) => (components.has(component) ? [event] : [])));
  return new Set(
    map.events.flatMap((event, i) =>
      having.has(i) ||
      String(event.ordinal) === text ||
      event.id.startsWith(text) ||
      event.source.toLowerCase().includes(text)
        ? [i]
        : [],
    ),
  );
}

function Overview({
  map,
  stats,
  onChoose,
}: {
  readonly map: MemoryMap;
  readonly stats: MemoryStats;
  readonly onChoose: (node: string) => void;
}): JSX.Element {
  return (
    <>
      <section class="card" aria-label="The map">
        <h2>How to read this</h2>
        <p>
          <span class="dot is-event" /> {count(map.events.length)} of {count(map.total)} events, near where their
          sketches are alike; each is tied to the two most like it. <span class="dot is-component" />{' '}
          {count(map.components.length)} components that several of them share.
        </p>
        <p class="quiet">
          Likeness is judged in the first sixteen principal components of the sketches ({percent(map.explained)} of
          their variance); distances between far groups mean little. Scroll to zoom, drag to move, click to look closer.
        </p>
      </section>
      <section class="card" aria-label="What it takes">
        <h2>What it takes</h2>
        <dl class="facts">
          <div>
            <dt>events</dt>
            <dd>{count(stats.events)}</dd>
          </div>
          <div>
            <dt>on disk</dt>
            <dd>
              {bytes(stats.fileBytes)}, {bytes(Math.round(stats.bytesPerEvent))} an event
            </dd>
          </div>
          <div>
            <dt>distinct components</dt>
            <dd>{count(stats.entities)}</dd>
          </div>
          <div>
            <dt>shapes of events</dt>
            <dd>{count(stats.structures)}</dd>
          </div>
          <div>
            <dt>sketch</dt>
            <dd>
              {count(stats.spec.dim)} numbers, {stats.spec.store}
            </dd>
          </div>
          <div>
            <dt>forgotten</dt>
            <dd>{count(stats.tombstones)}</dd>
          </div>
        </dl>
      </section>
      <section class="card" aria-label="Components">
        <h2>Most shared components</h2>
        {map.components.length === 0 && <p class="quiet">No component is shared by some events and not by most.</p>}
        <ul class="plain-list">
          {map.components.slice(0, 12).map((c, i) => (
            <li key={c.key}>
              <button type="button" class="plain" onClick={() => onChoose(`c${i}`)}>
                {nameOf(c)}
              </button>{' '}
              <span class="quiet">{count(c.events)} events</span>
            </li>
          ))}
        </ul>
        {map.everywhere.length > 0 && (
          <p class="quiet">
            Nearly everywhere, so they explain nothing and are not tied:{' '}
            {map.everywhere.map((c) => `${nameOf(c)} (${count(c.events)})`).join(', ')}.
          </p>
        )}
      </section>
    </>
  );
}

function Hits({ hits }: { readonly hits: readonly TextHit[] }): JSX.Element {
  return (
    <section class="card" aria-label="Recalled">
      <h2>Recalled</h2>
      {hits.length === 0 && <p class="quiet">Nothing like this is remembered.</p>}
      <ol class="hits">
        {hits.slice(0, 8).map((hit) => (
          <li key={hit.id}>
            <q>{hit.text.length > 240 ? `${hit.text.slice(0, 240)}…` : hit.text}</q>{' '}
            <span class="quiet">{hit.source}</span>
          </li>
        ))}
      </ol>
    </section>
  );
}

function Empty({ which }: { readonly which: Which }): JSX.Element {
  return (
    <section class="card" aria-label="Empty">
      <h2>Nothing is remembered here yet</h2>
      {which === 'texts' ? (
        <p>
          Remember your own notes, chats or PDFs: <code>cairn remember FILE…</code>. They stay on this machine, and no
          language model is asked.
        </p>
      ) : (
        <p>
          Boards are remembered while they are worked on: <a href="/">go to the boards</a>.
        </p>
      )}
    </section>
  );
}
