// What a server and a network can do to a store: every fault ends in an exact effect or in a coded error without a secret.
import { createServer } from 'node:net';
import { afterAll, describe, expect, it } from 'vitest';
import { CairnError } from '../../errors.ts';
import { Rng } from '../../tensor/index.ts';
import { startServers, stopServers } from '../_testing/postgres-servers.ts';
import { syntheticEvent } from '../conformance.ts';
import { InMemoryStore } from '../in-memory-store.ts';
import type { CentredQuery } from '../lsh.ts';
import type { Change, NewEvent, Store } from '../store.ts';
import { isCorrupt } from '../store.ts';
import { PostgresStore } from './postgres-store.ts';

const servers = await startServers(1);
afterAll(() => stopServers(servers));
const server = servers?.[0];
const needsServer = describe.skipIf(server === undefined);

function events(n: number, seed: number): NewEvent[] {
  const rng = new Rng(seed);
  return Array.from({ length: n }, (_, i) => syntheticEvent(rng, i));
}

const insert = (event: NewEvent): Change => ({ kind: 'insert', event });

async function lines(store: Store): Promise<string[]> {
  const all: string[] = [];
  for await (const line of store.dump()) all.push(line);
  return all;
}

/** The error of a promise, checked for form and for secrets down to its causes. */
async function faultOf(promise: Promise<unknown>, secret: string): Promise<CairnError> {
  const error: unknown = await promise.then(
    () => undefined,
    (e: unknown) => e,
  );
  if (!CairnError.isInstance(error)) throw new Error(`Expected a coded error, got ${String(error)}.`);
  expect(error.message).toMatch(/^Expected .*, got .*\.$/s);
  expect(error.hint).toBeTruthy();
  for (let e: unknown = error; e instanceof Error; e = e.cause) {
    const shown = `${e.message} ${e.stack ?? ''} ${JSON.stringify(e)} ${JSON.stringify(Object.getOwnPropertyDescriptors(e))}`;
    expect(shown).not.toContain(secret);
    expect(shown).not.toContain(encodeURIComponent(secret));
  }
  return error;
}

const MOST_DEATHS = 8;

needsServer('a server that dies', () => {
  it('in the middle of batches and comes back: every write happens exactly once', { timeout: 240_000 }, async (ctx) => {
    const store = await PostgresStore.open({
      url: server!.url(),
      hashPartitions: 2,
      exclusive: true,
      patienceMs: 60_000,
    });
    const oracle = new InMemoryStore();
    const rng = new Rng(5);
    const all = events(400, 21);
    const done = new AbortController();
    const [deaths, writes] = [{ count: 0 }, { count: 0 }];
    const over = (): boolean => done.signal.aborted || ctx.signal.aborted;
    const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
    const killer = (async () => {
      for (; !over() && deaths.count < MOST_DEATHS; deaths.count++) {
        // Each life takes a write, however slow the machine is, and ends at any moment of a later one.
        for (const before = writes.count; writes.count === before && !over();) await pause(5);
        await pause(rng.integer(200));
        await server!.kill();
        await server!.start();
      }
    })();
    try {
      // However fast the machine is, writes go on until the server has died three times.
      for (let i = 0; i < all.length || deaths.count < 3;) {
        const changes: Change[] = all.slice(i, (i += 1 + rng.integer(12))).map(insert);
        // Duplicates are the hard part: a count that rises twice would show.
        for (let n = 0; n < 3; n++) changes.push(insert(all[rng.integer(Math.min(i, all.length))]!));
        if (rng.bernoulli(0.2)) changes.push({ kind: 'stat', name: 's', bytes: Uint8Array.of(i & 255) });
        expect(await store.write(changes)).toEqual(await oracle.write(changes));
        writes.count++;
      }
    } finally {
      done.abort();
      await killer;
    }
    expect(await store.revision()).toBe(await oracle.revision());
    expect(await lines(store)).toEqual(await lines(oracle));
    expect(await store.verify()).toEqual([]);
    await store.close();
  });

  it('for good: a coded error after the patience is over, and the store goes on when it is back', async () => {
    const url = server!.url();
    const store = await PostgresStore.open({ url, hashPartitions: 2, patienceMs: 300 });
    const [a, b] = events(2, 3);
    await store.write([insert(a!)]);
    await server!.kill();
    try {
      expect((await faultOf(store.write([insert(b!)]), new URL(url).password)).code).toBe('store_unreachable');
      expect((await faultOf(store.count(), new URL(url).password)).code).toBe('store_unreachable');
    } finally {
      await server!.start();
    }
    expect(await store.count()).toBe(1);
    expect((await store.write([insert(b!)]))[0]).toEqual({ ref: 2, fresh: true, count: 1 });
    await store.close();
  });
});

needsServer('several clients of one store', () => {
  it('take turns: references stay unique and counts exact', async () => {
    const url = server!.url();
    const stores = await Promise.all([0, 1, 2].map(() => PostgresStore.open({ url, hashPartitions: 2 })));
    const all = events(60, 8);
    // Every store writes every event, each in another order and in other portions.
    const results = await Promise.all(
      stores.map(async (store, s) => {
        const own = new Rng(s).permutation(all.length);
        const done = [];
        for (let i = 0; i < own.length; i += s + 2) {
          done.push(...(await store.write(Array.from(own.slice(i, i + s + 2), (at) => insert(all[at]!)))));
        }
        return done;
      }),
    );
    const written = results.flat();
    expect(
      written
        .filter((w) => w.fresh)
        .map((w) => w.ref)
        .sort((x, y) => x - y),
    ).toEqual(all.map((_, i) => i + 1));
    for (const row of await stores[0]!.find(all.map((e) => e.id))) {
      expect(row !== undefined && !isCorrupt(row) && row.count).toBe(3);
    }
    // Linearisable: for each event the three answers are 1, 2, 3 in some order.
    for (let ref = 1; ref <= all.length; ref++) {
      expect(
        written
          .filter((w) => w.ref === ref)
          .map((w) => w.count)
          .sort(),
      ).toEqual([1, 2, 3]);
    }
    await Promise.all(stores.map((store) => store.close()));
  });

  it('an exclusive one keeps the others out while it lives, and is cut off when one came in', async () => {
    const url = server!.url();
    const first = await PostgresStore.open({ url, hashPartitions: 2, exclusive: true, patienceMs: 5000 });
    const [a, b] = events(2, 4);
    await first.write([insert(a!)]);
    expect((await faultOf(PostgresStore.open({ url, exclusive: true }), new URL(url).password)).code).toBe(
      'store_locked',
    );
    // The server forgets the lock with the connection; whoever comes first then has it.
    await server!.kill();
    await server!.start();
    const second = await PostgresStore.open({ url, exclusive: true });
    expect((await faultOf(first.write([insert(b!)]), new URL(url).password)).code).toBe('store_taken');
    await second.write([insert(b!)]);
    expect(await second.count()).toBe(2);
    await Promise.all([first.close(), second.close()]);
    const third = await PostgresStore.open({ url, exclusive: true });
    expect(await third.count()).toBe(2);
    await third.close();
  });
});

needsServer('a write', () => {
  it('that fails at any statement leaves nothing', async () => {
    const url = server!.url();
    const store = await PostgresStore.open({ url, hashPartitions: 2 });
    const sql = server!.connect();
    const schema = new URL(url).searchParams.get('schema')!;
    const all = events(8, 9);
    await store.write(all.slice(0, 4).map(insert));
    const before = await lines(store);
    const revision = await store.revision();
    const changes: Change[] = [
      ...all.slice(3).map(insert),
      { kind: 'replace', id: all[1]!.id, sketch: Uint8Array.of(1), dropKeys: true },
      { kind: 'remove', id: all[0]!.id, at: 1, certificate: '{}' },
      { kind: 'stat', name: 'x', bytes: Uint8Array.of(2) },
    ];
    for (const [table, op] of [
      ['structure', 'INSERT'],
      ['event', 'INSERT'],
      ['event', 'UPDATE'],
      ['event', 'DELETE'],
      ['signature', 'INSERT'],
      ['signature', 'DELETE'],
      ['posting', 'INSERT'],
      ['posting', 'UPDATE'],
      ['posting', 'DELETE'],
      ['entity', 'INSERT'],
      ['tombstone', 'INSERT'],
      ['stat', 'INSERT'],
      ['meta', 'UPDATE'],
      ['writer', 'UPDATE'],
    ] as const) {
      await sql.unsafe(`
        CREATE OR REPLACE FUNCTION ${schema}.fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'injected' USING ERRCODE = '53100'; END $$;
        CREATE TRIGGER fail BEFORE ${op} ON ${schema}.${table} FOR EACH STATEMENT EXECUTE FUNCTION ${schema}.fail()`);
      expect((await faultOf(store.write(changes), new URL(url).password)).code, `${op} ${table}`).toBe('store_full');
      await sql.unsafe(`DROP TRIGGER fail ON ${schema}.${table}`);
      expect(await lines(store)).toEqual(before);
      expect(await store.revision()).toBe(revision);
    }
    await store.write(changes);
    expect(await lines(store)).not.toEqual(before);
    await sql.end();
    await store.close();
  });

  it('that meets a conflict is tried again', async () => {
    const url = server!.url();
    const store = await PostgresStore.open({ url, hashPartitions: 2 });
    const sql = server!.connect();
    const schema = new URL(url).searchParams.get('schema')!;
    await sql.unsafe(`
      CREATE SEQUENCE ${schema}.tries;
      CREATE FUNCTION ${schema}.fail() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        CASE nextval('${schema}.tries') WHEN 1 THEN RAISE 'injected' USING ERRCODE = '40001';
          WHEN 2 THEN RAISE 'injected' USING ERRCODE = '40P01'; ELSE RETURN NULL; END CASE;
      END $$;
      CREATE TRIGGER fail AFTER INSERT ON ${schema}.event FOR EACH STATEMENT EXECUTE FUNCTION ${schema}.fail()`);
    const [a] = events(1, 10);
    expect(await store.write([insert(a!)])).toEqual([{ ref: 1, fresh: true, count: 1 }]);
    expect(await store.count()).toBe(1);
    await sql.end();
    await store.close();
  });
});

needsServer('a damaged row', () => {
  it('is quarantined; the rest stays readable, and it can be removed', async () => {
    const url = server!.url();
    const store = await PostgresStore.open({ url, hashPartitions: 2 });
    const all = events(6, 12);
    await store.write(all.map(insert));
    const sql = server!.connect();
    const schema = new URL(url).searchParams.get('schema')!;
    await sql.unsafe(`UPDATE ${schema}.event SET sketch = set_byte(sketch, 5, get_byte(sketch, 5) # 8) WHERE ref = 3`);
    expect(await store.verify()).toEqual([3]);
    expect((await store.find(all.map((e) => e.id))).map((row) => row !== undefined && isCorrupt(row))).toEqual(
      all.map((_, i) => i === 2),
    );
    expect((await store.read([3]))[0]).toEqual({ ref: 3, corrupt: true });
    expect((await store.list({ limit: 10 })).length).toBe(6);
    await store.write([{ kind: 'remove', id: all[2]!.id, at: 1, certificate: '' }]);
    expect(await store.verify()).toEqual([]);
    await sql.end();
    await store.close();
  });
});

needsServer('buckets', () => {
  it('are filled when the store outgrows the scan and find what is near', async () => {
    const url = server!.url();
    const store = await PostgresStore.open({ url, hashPartitions: 3, lsh: { scanBelow: 200 } });
    const scan = await PostgresStore.open({ url, lsh: { scanBelow: 1_000_000 } });
    const all = events(300, 14);
    for (let i = 0; i < all.length; i += 60) await store.write(all.slice(i, i + 60).map(insert));
    await store.write([{ kind: 'remove', id: all[250]!.id, at: 0, certificate: '' }]);
    const rng = new Rng(2);
    let found = 0;
    for (let i = 0; i < 40; i++) {
      const event = all[rng.integer(all.length)]!;
      // Flips 12 of 256 bits; projections say how sure each bit is.
      const projections = Float32Array.from({ length: 256 }, (_, b) => {
        const bit = (event.signature[b >>> 5]! >>> (b & 31)) & 1;
        return (bit === 1 ? 1 : -1) * (0.5 + rng.uniform());
      });
      for (let flip = 0; flip < 12; flip++) projections[rng.integer(256)]! *= -0.1;
      const bits = new Uint32Array(8);
      projections.forEach((v, b) => {
        if (v > 0) bits[b >>> 5] = (bits[b >>> 5]! | (1 << (b & 31))) >>> 0;
      });
      const query: CentredQuery = { centre: event.centre, signed: { bits, projections } };
      const [near] = await store.near([query], 1);
      const [exact] = await scan.near([query], 1);
      if (event === all[250]) expect(near?.ref).not.toBe(251);
      else if (near !== undefined && near.ref === exact!.ref && near.distance === exact!.distance) found++;
    }
    expect(found).toBeGreaterThanOrEqual(36);
    await Promise.all([store.close(), scan.close()]);
  });
});

needsServer('opening', () => {
  it('refuses foreign and newer tables and leaves them as they are', async () => {
    const sql = server!.connect();
    await sql.unsafe(`CREATE SCHEMA theirs; CREATE TABLE theirs.meta (x int); CREATE SCHEMA newer`);
    const theirs = server!.url('theirs');
    expect((await faultOf(PostgresStore.open({ url: theirs }), new URL(theirs).password)).code).toBe('store_foreign');
    const url = server!.url('newer');
    await (await PostgresStore.open({ url, hashPartitions: 2 })).close();
    await sql.unsafe('UPDATE newer.meta SET version = 99');
    expect((await faultOf(PostgresStore.open({ url }), new URL(url).password)).code).toBe('store_newer');
    expect(await sql`SELECT version FROM newer.meta`).toMatchObject([{ version: 99 }]);
    expect(
      await sql`SELECT count(*)::int AS n FROM information_schema.tables WHERE table_schema = 'theirs'`,
    ).toMatchObject([{ n: 1 }]);
    await sql.end();
  });

  it('says what is wrong with user, password, database and rights, and never shows the password', async () => {
    const good = new URL(server!.url());
    const wrong = new URL(good);
    wrong.password = 'wrong-secret';
    expect((await faultOf(PostgresStore.open({ url: wrong.href }), 'wrong-secret')).code).toBe('store_denied');
    const missing = new URL(good);
    missing.pathname = '/nowhere';
    expect((await faultOf(PostgresStore.open({ url: missing.href }), good.password)).code).toBe('store_missing');
    const sql = server!.connect();
    await sql.unsafe(`CREATE ROLE guest LOGIN PASSWORD 'guest-secret'`);
    const guest = new URL(good);
    guest.username = 'guest';
    guest.password = 'guest-secret';
    expect((await faultOf(PostgresStore.open({ url: guest.href }), 'guest-secret')).code).toBe('store_not_writable');
    await sql.end();
  });
});

describe('an address', () => {
  it('where nobody answers, or somebody else does', async () => {
    const closed = createServer();
    await new Promise<void>((resolve) => closed.listen(0, '127.0.0.1', resolve));
    const { port } = closed.address() as { port: number };
    await new Promise((resolve) => closed.close(resolve));
    const url = `postgres://me:top-secret@127.0.0.1:${port}/x`;
    const error = await faultOf(PostgresStore.open({ url, patienceMs: 100 }), 'top-secret');
    expect(error.code).toBe('store_unreachable');
    expect(error.message).toContain(`postgres://127.0.0.1:${port}/x`);
    const rude = createServer((socket) => socket.destroy());
    await new Promise<void>((resolve) => rude.listen(port, '127.0.0.1', resolve));
    expect((await faultOf(PostgresStore.open({ url, patienceMs: 100 }), 'top-secret')).code).toBe('store_unreachable');
    await new Promise((resolve) => rude.close(resolve));
  });

  it.each([
    'postgres://me:top-secret@[bad/x',
    'http://me:top-secret@localhost/x',
    'postgres://me:top-secret@localhost/x?schema=Not-plain',
    'postgres://me:top-secret@localhost/x?sslmode=perhaps',
    'postgres://me:top-secret@localhost/x?other=1',
  ])('that is none: %s', async (url) => {
    expect((await faultOf(PostgresStore.open({ url }), 'top-secret')).code).toBe('store_url');
  });
});
