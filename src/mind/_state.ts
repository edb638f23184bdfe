// What the mind keeps beside its events: the fitted routers, as one record in the memory's own store.
import { CairnError } from '../errors.ts';
import type { Change, Store } from '../memory/index.ts';
import { PathRouter, type RouterState } from '../route/index.ts';

const NAME = 'mind/routers';

/** @throws CairnError `bad_router` for a record that is none */
export async function readRouters(store: Store): Promise<Map<string, PathRouter>> {
  const bytes = await store.stat(NAME);
  if (!bytes) return new Map();
  let states: Record<string, RouterState>;
  try {
    // PathRouter.fromState checks every entry.
    states = JSON.parse(new TextDecoder().decode(bytes)) as Record<string, RouterState>;
  } catch (cause) {
    throw new CairnError('bad_router', 'Expected the fitted routers as JSON in the store, got another record.', {
      cause,
      hint: 'The file was changed by other software; restore a backup or choose another data directory.',
    });
  }
  return new Map(Object.entries(states).map(([task, state]) => [task, PathRouter.fromState(state)]));
}

/** Replaces the record; durable when it resolves. */
export async function writeRouters(store: Store, routers: ReadonlyMap<string, PathRouter>): Promise<void> {
  await store.write([routersRecord(routers)]);
}

/** The record as a change, to be written with others. */
export function routersRecord(routers: ReadonlyMap<string, PathRouter>): Change {
  const states = Object.fromEntries([...routers].map(([task, router]) => [task, router.toState()]));
  return { kind: 'stat', name: NAME, bytes: new TextEncoder().encode(JSON.stringify(states)) };
}
