import { afterAll, describe, it } from 'vitest';
import { startServers, stopServers } from '../_testing/postgres-servers.ts';
import { conformance, type StoreFactory } from '../conformance.ts';
import { InMemoryStore } from '../in-memory-store.ts';
import { PostgresStore } from '../postgres/postgres-store.ts';
import type { Store } from '../store.ts';
import { PartitionedStore, type PartitionedStoreOptions } from './partitioned-store.ts';

const postgres = await startServers(3);
afterAll(() => stopServers(postgres));

const made = new WeakMap<Store, PartitionedStoreOptions>();

async function open(options: PartitionedStoreOptions): Promise<Store> {
  const store = await PartitionedStore.open(options);
  made.set(store, options);
  return store;
}

async function reopen(store: Store): Promise<Store> {
  await store.close();
  return open(made.get(store)!);
}

function inMemory(n: number, replicas: 1 | 2): StoreFactory {
  const server = (_: unknown, i: number): PartitionedStoreOptions['servers'][number] => {
    const stores = new Map<string, Store>();
    return {
      name: `memory ${i}`,
      open: async (name) => {
        if (!stores.has(name)) stores.set(name, new InMemoryStore());
        return stores.get(name)!;
      },
    };
  };
  return { open: () => open({ servers: Array.from({ length: n }, server), replicas }), reopen };
}

let schemas = 0;

function onServers(replicas: 1 | 2): StoreFactory {
  return {
    open: () => {
      const schema = `p${schemas++}`;
      const servers = postgres!.map((server, i) => ({
        name: `server ${i}`,
        open: (name: string) =>
          PostgresStore.open({
            url: server.url(`${schema}${name === '' ? '' : `_${name}`}`),
            hashPartitions: 1,
            exclusive: true,
          }),
      }));
      return open({ servers, replicas });
    },
    reopen,
  };
}

const few = conformance.filter(({ name }) => /agrees|whole or not|copy/.test(name));

const factories: [string, StoreFactory, boolean, typeof conformance][] = [
  ['one server in memory', inMemory(1, 1), false, conformance],
  ['three servers in memory', inMemory(3, 1), false, conformance],
  ['four servers in memory, every event on two', inMemory(4, 2), false, conformance],
  ['three PostgreSQL servers', onServers(1), true, conformance],
  ['three PostgreSQL servers, every event on two', onServers(2), true, few],
];

describe.each(factories)('a store over %s', (_, factory, real, cases) => {
  describe.skipIf(real && postgres === undefined)('', () => {
    it.each(cases.map((c) => [c.name, c] as const))('%s', (_name, c) => c.run(factory));
  });
});
