// The pages of the studio, as links that stay links.
import type { JSX } from 'preact';
import { route } from './router.ts';

const PAGES = [
  { path: '/', name: 'Boards', pages: ['live', 'event'] },
  { path: '/memory', name: 'Memory', pages: ['memory'] },
  { path: '/growth', name: 'Growth', pages: ['growth', 'concept'] },
  { path: '/routing', name: 'Routing', pages: ['routing'] },
  { path: '/speech', name: 'Speech', pages: ['speech'] },
  { path: '/train', name: 'Train', pages: ['train'] },
] as const;

export function Nav(): JSX.Element {
  const at = route.value.page;
  return (
    <nav class="nav" aria-label="Pages">
      {PAGES.map(({ path, name, pages }) => (
        <a key={path} href={path} aria-current={(pages as readonly string[]).includes(at) ? 'page' : undefined}>
          {name}
        </a>
      ))}
    </nav>
  );
}
