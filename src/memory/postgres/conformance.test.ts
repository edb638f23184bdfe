import { afterAll, describe, it } from 'vitest';
import { startServers, stopServers } from '../_testing/postgres-servers.ts';
import { conformance } from '../conformance.ts';
import type { Store } from '../store.ts';
import { PostgresStore, type PostgresStoreOptions } from './postgres-store.ts';

const servers = await startServers(1);
afterAll(() => stopServers(servers));

const made = new WeakMap<Store, PostgresStoreOptions>();

async function open(options: PostgresStoreOptions): Promise<Store> {
  const store = await PostgresStore.open(options);
  made.set(store, options);
  return store;
}

async function reopen(store: Store): Promise<Store> {
  await store.close();
  return open(made.get(store)!);
}

describe.skipIf(servers === undefined)('a store: one PostgreSQL server', () => {
  const fresh = (): Promise<Store> => open({ url: servers![0]!.url(), hashPartitions: 4, exclusive: true });
  it.each(conformance.map((c) => [c.name, c] as const))('%s', (_name, c) => c.run({ open: fresh, reopen }));
});
