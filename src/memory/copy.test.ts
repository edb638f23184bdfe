// Copies between stores of all kinds, and the same memory on each of them.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { CairnError } from '../errors.ts';
import type { Obj } from '../sketch/index.ts';
import { Rng } from '../tensor/index.ts';
import { dumpOf, insert, many } from './_conformance-tools.ts';
import { board, oneHot, part, randomDigits, scene } from './_testing/scenes.ts';
import { startServers, stopServers } from './_testing/postgres-servers.ts';
import { copyStore } from './copy.ts';
import { digestStore } from './digest.ts';
import { InMemoryStore } from './in-memory-store.ts';
import { Memory } from './memory.ts';
import { openStore, placeText } from './open-store.ts';
import { SqliteStore } from './sqlite-store.ts';
import type { Store } from './store.ts';

const servers = await startServers(3);
const directory = mkdtempSync(join(tmpdir(), 'cairn-copy-'));
afterAll(async () => {
  rmSync(directory, { recursive: true, force: true });
  await stopServers(servers);
});

let made = 0;
const freshPath = (): string => join(directory, `${made++}.db`);
const freshUrls = (n: number): string[] => {
  const schema = `c${made++}`;
  return servers!.slice(0, n).map((server) => server.url(schema));
};

async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
    return 'none';
  } catch (error) {
    if (!CairnError.isInstance(error)) throw error;
    return error.code;
  }
}

/** Fills a memory: boards and scenes, duplicates, something forgotten, shortened, updated, with a text. */
async function fill(memory: Memory): Promise<{ ids: string[]; cues: Obj[] }> {
  const rng = new Rng(12);
  const ids: string[] = [];
  const cues: Obj[] = [];
  const keep = async (root: Obj, n: number, more: object = {}): Promise<void> => {
    const record = {
      task: n % 2 ? 'see' : 'solve',
      provenance: { source: `s${n % 3}`, ordinal: n, ...more },
      at: n * 1000,
    };
    ids.push((await memory.remember(root, record)).id);
  };
  await Promise.all(Array.from({ length: 70 }, (_, n) => keep(board(randomDigits(rng, 16, 5), 5), n)));
  for (let n = 70; n < 90; n++) {
    const root = scene([part('a', rng), part('b', rng), part('c', rng)]);
    cues.push(root);
    await keep(root, n, n % 4 === 0 ? { validFrom: n } : {});
  }
  await keep(cues[0]!, 70);
  await memory.putSource('notes.md', new TextEncoder().encode('what was said'));
  await memory.forget(ids[5]!, 'subtract', { at: 7 });
  await memory.forget(ids[6]!, { keep: 128 }, { at: 8 });
  await memory.forget(ids[89]!, 'subtract', { at: 9 });
  await memory.retract(ids[9]!, 77);
  return { ids, cues };
}

async function answers(memory: Memory, cues: readonly Obj[], ids: readonly string[]): Promise<unknown[]> {
  const seen: unknown[] = [];
  for (const root of cues.slice(0, 6))
    seen.push((await memory.recall({ root }, 8)).map((h) => [h.id, h.score.toFixed(9)]));
  for (const event of ids.slice(20, 26)) {
    seen.push((await memory.recall({ event }, 8)).map((h) => [h.id, h.score.toFixed(9)]));
  }
  seen.push((await memory.component(oneHot('read-digit', 2, 5), 20, { position: '0/0/3' })).map((h) => h.id));
  return seen;
}

const spec = { seed: 'copy', spec: { dim: 256 } } as const;

describe.skipIf(servers === undefined)('one memory on stores of all kinds', () => {
  it('has the same ids, the same recall lists and the same canonical dump', { timeout: 120_000 }, async () => {
    const kinds: [string, () => Promise<Memory>][] = [
      ['in memory', () => Memory.open({ store: new InMemoryStore(), ...spec })],
      ['SQLite', () => Memory.open({ path: freshPath(), ...spec })],
      ['PostgreSQL', () => Memory.open({ store: freshUrls(1)[0]!, ...spec })],
      ['three servers', () => Memory.open({ store: freshUrls(3), ...spec })],
      ['three servers, two copies', () => Memory.open({ store: freshUrls(3).join(','), replicas: 2, ...spec })],
    ];
    let expected: unknown;
    for (const [kind, open] of kinds) {
      const memory = await open();
      const { ids, cues } = await fill(memory);
      const found = { ids, recall: await answers(memory, cues, ids), dump: await dumpOf(memory.store) };
      expected ??= found;
      expect(found, kind).toEqual(expected);
      expect(memory.missing()).toEqual([]);
      await memory.close();
    }
  });

  it(
    'loses a share of the answers with a server, says so in every hit, and nothing else',
    { timeout: 120_000 },
    async () => {
      const urls = freshUrls(3);
      const memory = await Memory.open({ store: urls, ...spec });
      const { cues } = await fill(memory);
      const before = await memory.store.count();
      const all = await memory.list({ limit: 200 });
      await servers![1]!.kill();
      try {
        const hits = await memory.recall({ root: cues[3]! }, 20);
        expect(memory.missing()).toEqual(['server-2']);
        for (const hit of hits) expect(hit.partial).toEqual(['server-2']);
        const left = await memory.store.count();
        expect(left).toBeGreaterThan(before / 3);
        expect(left).toBeLessThan(before);
        // Concurrent calls share a commit; those that the others keep go through.
        const rng = new Rng(99);
        const results = await Promise.all(
          Array.from({ length: 12 }, (_, n) =>
            codeOf(
              memory.remember(scene([part('z', rng)]), { task: 't', provenance: { source: 'x', ordinal: n }, at: n }),
            ),
          ),
        );
        expect(new Set(results)).toEqual(new Set(['none', 'server_down']));
      } finally {
        await servers![1]!.start();
      }
      const { store } = memory;
      for (let tries = 0; store.missing!().length > 0 && tries < 100; tries++) {
        await new Promise((resolve) => setTimeout(resolve, 100));
        await store.count();
      }
      expect(memory.missing()).toEqual([]);
      expect((await memory.list({ limit: 300 })).length).toBeGreaterThan(all.length);
      await memory.close();
      const again = await Memory.open({ store: urls });
      expect(await again.verify()).toEqual([]);
      await again.close();
    },
  );

  it('goes round all kinds and comes back the same', { timeout: 120_000 }, async () => {
    const first = freshPath();
    const memory = await Memory.open({ path: first, ...spec });
    const { ids, cues } = await fill(memory);
    const expected = await answers(memory, cues, ids);
    await memory.close();
    const places: (string | string[])[] = [first, freshUrls(1), freshUrls(3), freshPath(), freshUrls(2), freshPath()];
    for (let i = 0; i + 1 < places.length; i++) {
      const [from, to] = [await openStore(places[i]!), await openStore(places[i + 1]!)];
      const { events, resumed, digest } = await copyStore(from, to);
      expect([events, resumed, digest.events.rows]).toEqual([88, false, 88]);
      expect(await digestStore(to)).toEqual(digest);
      // A second time there is nothing to do.
      expect((await copyStore(from, to)).events).toBe(0);
      await Promise.all([from.close(), to.close()]);
    }
    const last = await Memory.open({ path: places.at(-1) as string });
    expect(await answers(last, cues, ids)).toEqual(expected);
    // References of forgotten events are not given out again: the means say up to which they reach.
    const root = scene([part('new', new Rng(3))]);
    const { ordinal } = await last.remember(root, { task: 't', provenance: { source: 's' }, at: 1 });
    expect(ordinal).toBeGreaterThan(91);
    await last.close();
  });
});

describe('a copy', () => {
  it('is carried on after an interruption at any page, and verified', async () => {
    const from = await SqliteStore.open({ path: ':memory:' });
    const memory = await Memory.open({ store: from, ...spec });
    await fill(memory);
    for (let stopAt = 1; ; stopAt++) {
      const to: Store = new InMemoryStore();
      const stop = new AbortController();
      let steps = 0;
      const options = {
        pageSize: 17,
        signal: stop.signal,
        onProgress: () => {
          if (++steps === stopAt) stop.abort();
        },
      };
      const ended = await copyStore(from, to, options).then(
        () => true,
        () => false,
      );
      // Not yet a memory: the specification comes last.
      if (!ended && (await to.stat('copy/mark')) !== undefined) expect(await to.stat('spec')).toBeUndefined();
      const { resumed } = await copyStore(from, to, { pageSize: 5 });
      if (!ended && stopAt < 5) expect(resumed).toBe(true);
      expect(await dumpOf(to)).toEqual(await dumpOf(from));
      expect(await to.stat('copy/mark')).toBeUndefined();
      if (ended) break;
    }
    await memory.close();
  });

  it('refuses a target with other content, and a source that changes under it', async () => {
    const from = new InMemoryStore();
    await from.write(many(20, 1).map(insert));
    const other = new InMemoryStore();
    await other.write(many(20, 2).map(insert));
    const before = await dumpOf(other);
    expect(await codeOf(copyStore(from, other))).toBe('copy_target_full');
    expect(await dumpOf(other)).toEqual(before);
    const to = new InMemoryStore();
    const late = many(30, 1)[25]!;
    const onProgress = ({ phase }: { phase: string }): void => {
      if (phase === 'tombstones' || phase === 'statistics') void from.write([insert(late)]);
    };
    expect(await codeOf(copyStore(from, to, { onProgress }))).toBe('copy_differs');
    const half = new InMemoryStore();
    const mark = new TextEncoder().encode(JSON.stringify({ source: 'another', after: 3 }));
    await half.write([{ kind: 'stat', name: 'copy/mark', bytes: mark }]);
    expect(await codeOf(copyStore(from, half))).toBe('copy_target_full');
  });

  it('names places without their passwords and refuses mixtures', async () => {
    expect(placeText('postgres://me:secret@a/x, postgres://me:secret@b:99/y')).toBe(
      'postgres://a:5432/x, postgres://b:99/y',
    );
    expect(await codeOf(openStore(['some.db', 'postgres://me:secret@a/x']))).toBe('bad_store');
    expect(await codeOf(openStore([]))).toBe('bad_store');
    expect(await codeOf(openStore('postgres://me:secret@a/x', { replicas: 2 }))).toBe('bad_replicas');
  });
});
