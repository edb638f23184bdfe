// The timeline of growth: what was found when, from how many events, with its figures; what was not worth having stands there too.
import type { JSX } from 'preact';
import { useEffect } from 'preact/hooks';
import { count, dateTime } from '../format.ts';
import { complain } from '../state.ts';
import { type Growth, growing, growthApi, growths, refreshGrowth } from './data.ts';
import { Circuit, ConceptLine, Module } from './entries.tsx';
import { Sources } from './sources.tsx';

export function GrowthPage(): JSX.Element {
  useEffect(() => {
    document.title = 'Growth · Cairn';
    refreshGrowth();
  }, []);
  const list = growths.value;
  const now = growing.value;
  const start = (): void => {
    growthApi.grow().then((state) => (growing.value = state), complain);
  };
  return (
    <div class="growth">
      <div class="growth-head">
        <h1>Growth</h1>
        <button type="button" onClick={start} disabled={now.growing}>
          {now.growing ? 'Growing …' : 'Grow now'}
        </button>
        <p class="quiet" role="status">
          {now.growing ? now.says : ''}
        </p>
        <a class="json" href="/api/growth" title="This page as JSON">
          JSON
        </a>
      </div>
      {list === null ? (
        <div class="growth-list" aria-busy="true" />
      ) : list.length === 0 ? (
        <Nothing />
      ) : (
        <ol class="growth-list">
          {momentsOf(list).map((moment) => (
            <li key={moment.key}>
              <Moment growths={moment.growths} />
            </li>
          ))}
        </ol>
      )}
    </div>
  );
}

/** Concepts that were found together are told together. */
function momentsOf(list: readonly Growth[]): { readonly key: string; readonly growths: readonly Growth[] }[] {
  const moments: { key: string; growths: Growth[] }[] = [];
  for (const growth of list) {
    const last = moments.at(-1);
    const first = last?.growths[0];
    const same =
      growth.kind === 'concept' &&
      first?.kind === 'concept' &&
      first.module === growth.module &&
      first.at === growth.at &&
      first.status === growth.status;
    if (same) last!.growths.push(growth);
    else moments.push({ key: growth.id, growths: [growth] });
  }
  return moments;
}

const STATUS = {
  standing: 'in force',
  declined: 'not worth having',
  superseded: 'superseded',
  withdrawn: 'withdrawn',
} as const;

const KIND = { concept: 'Concepts', circuit: 'Patterns', module: 'Module' } as const;

function Moment({ growths: own }: { readonly growths: readonly Growth[] }): JSX.Element {
  const growth = own[0]!;
  return (
    <article class={`card moment is-${growth.status}`} aria-label={growth.says}>
      <header>
        <h2>{titleOf(own)}</h2>
        <p class="quiet">
          <span class={`badge is-${growth.status}`}>{STATUS[growth.status]}</span> {KIND[growth.kind]},{' '}
          <time dateTime={new Date(growth.at).toISOString()}>{dateTime(growth.at)}</time>
          {growth.events > 0 && `, from ${count(growth.events)} events`}
        </p>
      </header>
      {growth.because !== undefined && <p class="because">{capital(growth.because)}.</p>}
      {growth.kind === 'concept' && <ConceptLine growths={own.flatMap((g) => (g.kind === 'concept' ? [g] : []))} />}
      {growth.kind === 'circuit' && growth.nodeCount > 0 && <Circuit growth={growth} />}
      {growth.kind === 'module' && growth.heldOut.events > 0 && <Module growth={growth} />}
      {growth.events > 0 && <Sources id={growth.id} events={growth.events} />}
    </article>
  );
}

function titleOf(own: readonly Growth[]): string {
  const growth = own[0]!;
  if (growth.kind !== 'concept') return growth.says;
  if (growth.status !== 'standing') return growth.says;
  const many = own.length === 1 ? 'One concept' : `${own.length} concepts`;
  return `${many} among the outputs of ${growth.module}, found without labels.`;
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1).replace(/\.$/, '');
}

function Nothing(): JSX.Element {
  return (
    <section class="card" aria-label="Nothing yet">
      <h2>Nothing grew yet</h2>
      <p>
        What repeats in the memory becomes a concept, a named pattern, or a module of its own. Some fifty boards are
        enough for concepts and patterns, a few hundred for a module. It happens by itself, or when you ask for it.
      </p>
      <p class="quiet">
        Boards are remembered while they are worked on: <a href="/">go to the boards</a>.
      </p>
    </section>
  );
}
