// Servers that fall silent at every point of a write, clients that end in the middle, servers that join.
import { describe, expect, it } from 'vitest';
import { CairnError } from '../../errors.ts';
import { Rng } from '../../tensor/index.ts';
import { dumpOf, insert, many } from '../_conformance-tools.ts';
import { InMemoryStore } from '../in-memory-store.ts';
import { type Change, isCorrupt, type NewEvent, type Store } from '../store.ts';
import { partitionOf } from './_layout.ts';
import { PartitionedStore } from './partitioned-store.ts';

/** Servers in memory that can be switched off, also in the middle of a write: before it is done or after. */
class Park {
  readonly down = new Set<number>();
  readonly #stores: Map<string, Store>[];
  /** Writes until `victim` falls silent. */
  fuse = Infinity;
  victim = 0;
  after = false;
  writes = 0;

  constructor(n: number) {
    this.#stores = Array.from({ length: n }, () => new Map());
  }

  servers(n = this.#stores.length) {
    return this.#stores.slice(0, n).map((stores, i) => ({
      name: `park ${i}`,
      open: async (name: string): Promise<Store> => {
        this.#expectUp(i);
        if (!stores.has(name)) stores.set(name, new InMemoryStore());
        return this.#guard(i, stores.get(name)!);
      },
    }));
  }

  #guard(i: number, store: Store): Store {
    return new Proxy(store, {
      get: (target, name) => {
        const value: unknown = Reflect.get(target, name);
        if (typeof value !== 'function') return value;
        return async (...args: unknown[]) => {
          if (name === 'close') return undefined;
          this.#expectUp(i);
          const work = () => Reflect.apply(value, target, args) as Promise<unknown>;
          if (name !== 'write') return work();
          this.writes++;
          const blows = --this.fuse === 0;
          if (blows && !this.after) this.down.add((this.victim = i));
          this.#expectUp(i);
          const result = await work();
          if (blows) this.down.add((this.victim = i));
          this.#expectUp(i);
          return result;
        };
      },
    });
  }

  #expectUp(i: number): void {
    if (!this.down.has(i)) return;
    throw new CairnError('store_unreachable', `Expected an answer from park ${i}, got none.`, { hint: 'Start it.' });
  }
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
    return 'none';
  } catch (error) {
    if (!CairnError.isInstance(error)) throw error;
    expect(error.message).toMatch(/^Expected .*, got .*\.$/s);
    return error.code;
  }
}

async function idsOf(store: Store): Promise<string[]> {
  return (await store.list({ limit: -1 }))
    .map((row) => (isCorrupt(row) ? '' : Buffer.from(row.id).toString('hex')))
    .sort();
}

const hex = (event: NewEvent): string => Buffer.from(event.id).toString('hex');

/** One write with everything in it, over several servers. */
function mixed(old: readonly NewEvent[], fresh: readonly NewEvent[]): Change[] {
  return [
    { kind: 'stat', name: 's', bytes: Uint8Array.of(9) },
    ...fresh.map(insert),
    insert(old[2]!),
    insert(old[3]!),
    { kind: 'remove', id: old[0]!.id, at: 1, certificate: '{}' },
    { kind: 'replace', id: old[1]!.id, sketch: Uint8Array.of(1, 2), dropKeys: true },
    { kind: 'links', owner: 'o', at: 5, links: [{ from: 1, kind: 'has', to: 2, weight: 3 }] },
    { kind: 'source', source: { uri: 'text', sha256: '' }, text: Uint8Array.of(65) },
  ];
}

describe.each([1, 2] as const)('a write of which each event is kept %i times', (replicas) => {
  it('happens as a whole or not at all, whichever server falls silent at whichever point', async () => {
    const all = many(40, 3);
    const [old, fresh] = [all.slice(0, 20), all.slice(20)];
    const oracle = async (changes: readonly Change[][]): Promise<string[]> => {
      const store = new InMemoryStore();
      for (const list of changes) await store.write(list);
      return dumpOf(store);
    };
    const without = await oracle([old.map(insert)]);
    const withIt = await oracle([old.map(insert), mixed(old, fresh)]);
    let [failed, held] = [0, 0];
    for (let fuse = 1; ; fuse++) {
      let reached = true;
      for (const after of [false, true]) {
        for (const restart of [false, true]) {
          const park = new Park(3);
          let store = await PartitionedStore.open({ servers: park.servers(), replicas, retryMs: 0 });
          await store.write(old.map(insert));
          Object.assign(park, { fuse, after, writes: 0 });
          const code = await codeOf(store.write(mixed(old, fresh)));
          reached &&= park.writes >= fuse;
          park.fuse = Infinity;
          if (code === 'none') held++;
          else failed++;
          // While the server is silent nothing half-written shows: all of the others' share, or none.
          if (park.down.size > 0) {
            expect(store.missing()).toEqual([`server-${park.victim + 1}`]);
            const alive = (event: NewEvent): boolean =>
              partitionOf([1, 2, 3], replicas, event.id)
                .split('_')
                .some((n) => Number(n) !== park.victim + 1);
            const seen = await idsOf(store);
            const visible = fresh.filter(alive).map(hex);
            expect([0, visible.length]).toContain(visible.filter((id) => seen.includes(id)).length);
            if (code === 'none') expect(visible.every((id) => seen.includes(id))).toBe(true);
          }
          if (restart) {
            // The client ends without a word; the next one has two of three servers, or all.
            store = await PartitionedStore.open({ servers: park.servers(), replicas, retryMs: 0 });
          }
          park.down.clear();
          expect(await store.heal()).toBe(true);
          const now = await dumpOf(store);
          if (code === 'none') expect(now).toEqual(withIt);
          else expect([without, withIt]).toContainEqual(now);
          // It goes on as if nothing had been.
          const [next] = many(1, 77);
          const [written] = await store.write([insert(next!)]);
          expect(written!.fresh).toBe(true);
          expect(new Set((await store.list({ limit: -1 })).map((row) => row.ref)).size).toBe(await store.count());
          await store.close();
          // After a clean end no server keeps an intent or a mark.
          const again = await PartitionedStore.open({ servers: park.servers(), replicas, retryMs: 0 });
          expect(await again.count()).toBe((await idsOf(again)).length);
          const [chair] = await Promise.all(park.servers().map(({ open }) => open('')));
          expect((await chair!.statNames()).filter((name) => /intent|done/.test(name))).toEqual([]);
          await again.close();
        }
      }
      if (!reached) break;
    }
    expect(failed).toBeGreaterThan(0);
    expect(held).toBeGreaterThan(0);
  });
});

describe('a server that is away', () => {
  it('costs its share and nothing else; answers are as if its events had never been', async () => {
    const all = many(600, 5);
    const park = new Park(3);
    const store = await PartitionedStore.open({ servers: park.servers(), retryMs: 0 });
    await store.write(all.map(insert));
    park.down.add(1);
    const kept = all.filter((event) => partitionOf([1, 2, 3], 1, event.id) !== '2');
    expect(all.length - kept.length).toBeGreaterThan(150);
    expect(all.length - kept.length).toBeLessThan(250);
    expect(await idsOf(store)).toEqual(kept.map(hex).sort());
    expect(store.missing()).toEqual(['server-2']);
    // The same ranking as a store that only ever had the others, references apart.
    const control = new InMemoryStore();
    await control.write(all.map(insert));
    await control.write(
      all.filter((e) => !kept.includes(e)).map(({ id }) => ({ kind: 'remove', id, at: 0, certificate: '' })),
    );
    const rng = new Rng(1);
    for (let i = 0; i < 20; i++) {
      const keys = [...new Set(Array.from({ length: 8 }, () => 1000 + rng.integer(20) * 8 + rng.integer(5)))];
      expect(await store.sharing(keys, { limit: 9 })).toEqual(await control.sharing(keys, { limit: 9 }));
    }
    // Events of the others are still written; its own are refused with a name.
    const fresh = many(60, 6);
    const codes = new Map<string, number>();
    for (const event of fresh) {
      const code = await codeOf(store.write([insert(event)]));
      expect(code).toBe(partitionOf([1, 2, 3], 1, event.id) === '2' ? 'server_down' : 'none');
      codes.set(code, (codes.get(code) ?? 0) + 1);
    }
    expect(codes.get('server_down')).toBeGreaterThan(8);
    // Statistics written meanwhile reach it when it is back.
    await store.write([{ kind: 'stat', name: 'mean', bytes: Uint8Array.of(4) }]);
    park.down.clear();
    expect(await store.heal()).toBe(true);
    expect((await idsOf(store)).length).toBe(600 + codes.get('none')!);
    park.down.add(0).add(2);
    expect(await store.stat('mean')).toEqual(Uint8Array.of(4));
    await store.close();
  });

  it('costs nothing where every event is kept twice, also for writes', async () => {
    const all = many(300, 7);
    const park = new Park(4);
    const store = await PartitionedStore.open({ servers: park.servers(), replicas: 2, retryMs: 0 });
    const control = new InMemoryStore();
    await store.write(all.slice(0, 200).map(insert));
    await control.write(all.slice(0, 200).map(insert));
    park.down.add(2);
    for (let i = 200; i < 300; i += 20) {
      await store.write(all.slice(i, i + 20).map(insert));
      await control.write(all.slice(i, i + 20).map(insert));
    }
    expect(await dumpOf(store)).toEqual(await dumpOf(control));
    park.down.clear();
    await store.heal();
    // What it missed is there: now another may go.
    park.down.add(0);
    expect(await dumpOf(store)).toEqual(await dumpOf(control));
    park.down.add(3);
    expect(await store.count()).toBeLessThan(300);
    await store.close();
  });

  it('at the opening: more than half must be there, and no reference is given out twice', async () => {
    const park = new Park(3);
    const first = await PartitionedStore.open({ servers: park.servers(), retryMs: 0 });
    await first.write(many(30, 8).map(insert));
    await first.close();
    park.down.add(0).add(1);
    expect(await codeOf(PartitionedStore.open({ servers: park.servers(), retryMs: 0 }))).toBe('servers_down');
    park.down.delete(1);
    const second = await PartitionedStore.open({ servers: park.servers(), retryMs: 0 });
    expect(second.missing()).toEqual(['server-1']);
    const event = many(40, 9).find(({ id }) => partitionOf([1, 2, 3], 1, id) !== '1')!;
    const [written] = await second.write([insert(event)]);
    expect(written!.ref).toBeGreaterThan(30);
    await second.close();
  });
});

describe('servers of a store', () => {
  it('refuses full ones, another number of replicas, too few, the same twice', async () => {
    const park = new Park(3);
    const [a] = park.servers();
    const chair = await a!.open('');
    await chair.write([insert(many(1, 1)[0]!)]);
    expect(await codeOf(PartitionedStore.open({ servers: park.servers() }))).toBe('store_not_partitioned');
    const other = new Park(2);
    expect(await codeOf(PartitionedStore.open({ servers: other.servers(1), replicas: 2 }))).toBe('bad_replicas');
    await (await PartitionedStore.open({ servers: other.servers(), replicas: 2 })).close();
    expect(await codeOf(PartitionedStore.open({ servers: other.servers(), replicas: 1 }))).toBe('bad_replicas');
    expect(await codeOf(PartitionedStore.open({ servers: [...other.servers(), ...other.servers(1)] }))).toBe(
      'bad_servers',
    );
  });

  it.each([1, 2] as const)(
    'a new one takes its share of the keys and nothing else moves (%i copies)',
    async (replicas) => {
      const all = many(1200, 11);
      const park = new Park(4);
      const first = await PartitionedStore.open({ servers: park.servers(3), replicas, retryMs: 0 });
      const control = new InMemoryStore();
      const extra: Change[] = [
        { kind: 'stat', name: 's', bytes: Uint8Array.of(1) },
        ...Array.from({ length: 9 }, (_, i): Change => ({
          kind: 'source',
          source: { uri: `t${i}`, sha256: '' },
          text: Uint8Array.of(i, 2),
        })),
        ...Array.from({ length: 9 }, (_, i): Change => ({
          kind: 'links',
          owner: `o${i}`,
          at: 1,
          links: [{ from: i, kind: 'has', to: 2, weight: 1 }],
        })),
      ];
      for (const store of [first, control]) {
        await store.write(all.slice(0, 1000).map(insert));
        await store.write(extra);
        await store.write(all.slice(0, 100).map(insert));
      }
      await first.close();
      const store = await PartitionedStore.open({ servers: park.servers(4), retryMs: 0 });
      expect(store.spare()).toEqual(['park 3']);
      // Interrupted half way, with writes in between, then carried on by another client.
      const stop = new AbortController();
      await expect(
        store.rebalance({ signal: stop.signal, onProgress: (p) => p.reference > 400 && stop.abort() }),
      ).rejects.toThrow();
      expect(await dumpOf(store)).toEqual(await dumpOf(control));
      const gone: Change[] = [10, 990].map((i) => ({ kind: 'remove', id: all[i]!.id, at: 0, certificate: '' }));
      for (const s of [store, control]) await s.write([...all.slice(1000).map(insert), ...gone, insert(all[20]!)]);
      expect(await dumpOf(store)).toEqual(await dumpOf(control));
      await store.close();
      const again = await PartitionedStore.open({ servers: park.servers(4), retryMs: 0 });
      await again.rebalance();
      expect(again.spare()).toEqual([]);
      expect(await dumpOf(again)).toEqual(await dumpOf(control));
      const moved = all.filter(
        ({ id }) => partitionOf([1, 2, 3, 4], replicas, id) !== partitionOf([1, 2, 3], replicas, id),
      );
      // The new server keeps `replicas` of n + 1 = 4 shares; sd of the share is below 0.0145 here.
      expect(Math.abs(moved.length / all.length - replicas / 4)).toBeLessThan(0.06);
      for (const { id } of moved) expect(partitionOf([1, 2, 3, 4], replicas, id)).toContain('4');
      expect(await again.rebalance()).toBe(0);
      await again.write(many(20, 12).map(insert));
      expect(await again.count()).toBe(1218);
      await again.close();
    },
  );
});
