// The concepts of the memory, each with a page of its own.
import type { JSX } from 'preact';
import { useEffect } from 'preact/hooks';
import { count } from '../format.ts';
import { conceptPath, growths, refreshGrowth } from '../growth/data.ts';

export function MemoryConcepts(): JSX.Element {
  useEffect(refreshGrowth, []);
  const list = (growths.value ?? []).flatMap((g) => (g.kind === 'concept' && g.status === 'standing' ? [g] : []));
  return (
    <section class="card" aria-label="Concepts">
      <h2>Concepts</h2>
      {list.length === 0 && (
        <p class="quiet">
          None yet. They come out of what repeats: see <a href="/growth">growth</a>.
        </p>
      )}
      <ul class="plain-list">
        {list.map((g) => (
          <li key={g.id}>
            <a href={conceptPath(g.id)}>
              {g.module} {g.concept}
            </a>{' '}
            <span class="quiet">{count(g.objects)} objects</span>
          </li>
        ))}
      </ul>
    </section>
  );
}
