// Real paths: `/` (live), `/events/<id>`, `/memory`, `/concepts/<id>`, `/growth`, `/routing`, `/speech`, `/train`. Links stay links; a plain click changes the page without loading it again.
import { signal } from '@preact/signals';

/** Pages that stand under their own name. */
const NAMED = ['memory', 'growth', 'routing', 'speech', 'train'] as const;

export type Route =
  | { readonly page: 'live' | (typeof NAMED)[number] }
  | { readonly page: 'event' | 'concept'; readonly id: string };

function parse(): Route {
  // Old-style links (#/events/…) work too.
  const path = location.hash.startsWith('#/') ? location.hash.slice(1) : location.pathname;
  const id = /^\/events\/([\w-]+)$/.exec(path)?.[1];
  if (id !== undefined) return { page: 'event', id };
  const concept = /^\/concepts\/(\d+)$/.exec(path)?.[1];
  if (concept !== undefined) return { page: 'concept', id: concept };
  return { page: NAMED.find((name) => path === `/${name}`) ?? 'live' };
}

/** Where we are. */
export const route = signal<Route>(parse());

/** The path of an event's page. */
export function eventPath(id: string): string {
  return `/events/${id}`;
}

/** Goes to a path of this site. */
export function go(path: string): void {
  history.pushState(null, '', path);
  route.value = parse();
  scrollTo({ top: 0 });
  document.querySelector<HTMLElement>('main')?.focus({ preventScroll: true });
}

addEventListener('popstate', () => (route.value = parse()));
addEventListener('hashchange', () => (route.value = parse()));
addEventListener('click', (event) => {
  if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey)
    return;
  const link = event.target instanceof Element ? event.target.closest('a') : null;
  if (!link || link.origin !== location.origin || link.target !== '' || link.pathname.startsWith('/api')) return;
  const named = link.pathname === '/' || NAMED.some((name) => link.pathname === `/${name}`);
  if (!named && !/^\/(events|concepts)\//.test(link.pathname)) return;
  event.preventDefault();
  go(link.pathname);
});
