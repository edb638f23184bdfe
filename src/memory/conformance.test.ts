import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, it } from 'vitest';
import { conformance, type StoreFactory } from './conformance.ts';
import { InMemoryStore } from './in-memory-store.ts';
import { SqliteStore } from './sqlite-store.ts';
import type { Store } from './store.ts';

const directory = mkdtempSync(join(tmpdir(), 'cairn-conformance-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

let made = 0;
const paths = new WeakMap<Store, string>();

async function openAt(path: string): Promise<Store> {
  const store = await SqliteStore.open({ path });
  paths.set(store, path);
  return store;
}

const factories: Record<string, StoreFactory> = {
  'in memory': { open: async () => new InMemoryStore(), reopen: async (store) => store },
  'SQLite file': {
    open: () => openAt(join(directory, `${made++}.db`)),
    reopen: async (store) => {
      await store.close();
      return openAt(paths.get(store)!);
    },
  },
  'SQLite in memory': { open: () => SqliteStore.open({ path: ':memory:' }), reopen: async (store) => store },
};

describe.each(Object.entries(factories))('a store: %s', (_, factory) => {
  it.each(conformance.map((c) => [c.name, c] as const))('%s', (_name, c) => c.run(factory));
});
