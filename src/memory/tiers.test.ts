// Novelty, importance, tiers of forgetting, and concepts from buckets.
import { describe, expect, it } from 'vitest';
import { Rng } from '../tensor/index.ts';
import { ConceptBook } from './concepts/index.ts';
import { InMemoryStore } from './in-memory-store.ts';
import { Memory } from './memory.ts';
import { isCorrupt } from './store.ts';
import { board, oneHot, part, randomDigits, scene } from './_testing/scenes.ts';

const spec = { dim: 512 } as const;
const open = (store = new InMemoryStore()): Promise<Memory> => Memory.open({ store, seed: 'tiers', spec });
const record = (
  ordinal: number,
  at = 1000 * ordinal,
): { task: string; provenance: { source: string; ordinal: number }; at: number } => ({
  task: 'see',
  provenance: { source: 'stream', ordinal },
  at,
});

describe('unseen', () => {
  it('tells what was never met from what was, for wholes, components and words', async () => {
    const rng = new Rng(1).fork('unseen');
    const memory = await open();
    const scenes = Array.from({ length: 80 }, () => [part('a', rng, 12), part('b', rng, 12), part('c', rng, 12)]);
    for (const [i, parts] of scenes.entries()) await memory.remember(scene(parts), record(i));
    let seen = 0;
    let unseen = 0;
    for (let i = 0; i < 20; i++) {
      const near = scenes[i]!.map((p) => ({ ...p, attributes: p.attributes.map((v) => v * 0.99) }));
      if (!(await memory.unseen({ root: scene(near) })).unseen) seen++;
      const other = scene([part('a', rng, 12), part('b', rng, 12), part('c', rng, 12)]);
      if ((await memory.unseen({ root: other })).unseen) unseen++;
    }
    expect(seen).toBe(20);
    expect(unseen).toBeGreaterThanOrEqual(14);
    expect(await memory.unseen({ components: [{ object: scenes[3]![1]! }] })).toMatchObject({
      unseen: false,
      nearest: 1,
    });
    expect(await memory.unseen({ components: [{ object: part('never', rng, 12) }] })).toMatchObject({
      unseen: true,
      nearest: 0,
    });
    expect(await memory.unseen({ words: { keys: [1, 2] } })).toMatchObject({ unseen: true, nearest: 0 });
    await memory.close();
  });
});

describe('importance', () => {
  it('is highest for what many things are joined to, and tells what occurs beside it', async () => {
    const rng = new Rng(2).fork('importance');
    const memory = await open();
    const hub = part('hub', rng);
    for (let i = 0; i < 30; i++) await memory.remember(scene([hub, part(`m${i}`, rng), part(`n${i}`, rng)]), record(i));
    const [first, second] = await memory.importance(2);
    expect(first!.node).toBe(memory.nodeOf(hub));
    expect(first!.importance).toBeGreaterThan(4 * second!.importance);
    const beside = await memory.neighbours(memory.nodeOf(hub), ['with'], 100);
    expect(beside.length).toBe(60);
    expect(new Set(beside.map(({ count }) => count))).toEqual(new Set([1]));
    await memory.close();
  });
});

describe('fit', () => {
  it('shortens the coldest first, tier by tier, never below what is to be kept, with certificates', async () => {
    const rng = new Rng(3).fork('fit');
    const memory = await open();
    const ids: string[] = [];
    for (let i = 0; i < 12; i++) ids.push((await memory.remember(board(randomDigits(rng, 9, 5), 5), record(i))).id);
    await memory.touch([ids[0]!, ids[0]!, ids[1]!], 12_000);
    const kept = async (): Promise<number[]> => Promise.all(ids.map(async (id) => (await memory.get(id))!.sketch.kept));
    const options = { now: 12_000, halfLife: 5000 };
    const all = await memory.fit({ ...options, budget: 1 << 20 });
    expect(all).toMatchObject({ fits: true, demoted: [], bytesAfter: all.bytesBefore });
    const some = await memory.fit({ ...options, budget: all.bytesBefore - 3 * 256 });
    expect(some.fits).toBe(true);
    expect(await kept()).toEqual([512, 512, 256, 256, 256, 512, 512, 512, 512, 512, 512, 512]);
    expect(some.demoted.map(({ event, keptBefore, keptAfter }) => [event, keptBefore, keptAfter])).toEqual(
      [2, 3, 4].map((i) => [ids[i], 512, 256]),
    );
    for (const { objects } of some.demoted) {
      expect(objects.every(({ before, after }) => after!.error >= before!.error)).toBe(true);
    }
    const tight = await memory.fit({ ...options, budget: 0 });
    expect(tight.fits).toBe(false);
    expect(new Set(await kept())).toEqual(new Set([128]));
    const archived = await memory.fit({ ...options, budget: 0, keep: 0 });
    expect(archived.demoted.length).toBe(12);
    expect(new Set(await kept())).toEqual(new Set([0]));
    // An archived event is still listed, found by its signature, and can be forgotten.
    const [hit] = await memory.recall({ root: board(randomDigits(rng, 9, 5), 5) }, 12);
    expect(hit!.via).toContain('signature');
    expect((await memory.get(ids[5]!))!.provenance).toEqual({ source: 'stream', ordinal: 5 });
    await memory.forget(ids[5]!);
    expect((await memory.stats()).events).toBe(11);
    await memory.close();
  });

  it('keeps uses over a closing, and forgets them with the event', async () => {
    const store = new InMemoryStore();
    const first = await open(store);
    const { id } = await first.remember(oneHot('a', 1, 4), record(1));
    await first.touch([id], 5000);
    await first.close();
    expect((await store.stat('uses'))?.length).toBe(17);
    const second = await open(store);
    await second.forget(id);
    expect(await store.stat('uses')).toBeUndefined();
    await second.close();
  });
});

describe('concepts from buckets', () => {
  it('offers tight groups of one module and joins their members in the graph', async () => {
    for (let seed = 0; seed < 3; seed++) {
      const rng = new Rng(seed).fork('buckets');
      const memory = await open();
      // Two kinds of blob far apart, and noise spread wide.
      const blob = (at: number): Float32Array =>
        Float32Array.from({ length: 6 }, (_, i) => (i === at ? 0.8 : 0.02) + 0.03 * rng.uniform());
      const kinds: number[] = [];
      for (let i = 0; i < 90; i++) {
        kinds.push(i % 2);
        const chosen = rng.integer(6);
        await memory.remember(
          scene([
            { module: 'blob', attributes: blob(i % 2 === 0 ? 0 : 3) },
            {
              module: 'noise',
              attributes: Float32Array.from({ length: 6 }, (_, j) => (j === chosen ? 0.9 : 0)),
            },
          ]),
          record(i),
        );
      }
      const buckets = await memory.buckets();
      const blobs = buckets.filter(({ module }) => module === 'blob');
      expect(blobs.reduce((sum, { count }) => sum + count, 0)).toBe(90);
      for (const { spread, count } of buckets) expect(spread < 0.5 && count >= 32).toBe(true);
      const books = new Map<string, ConceptBook>();
      const bookOf = (module: string, dim: number): ConceptBook => {
        let book = books.get(module);
        if (book === undefined) books.set(module, (book = new ConceptBook({ features: { dim }, seed })));
        return book;
      };
      const formed = await memory.formConcepts(bookOf, { at: 5 });
      expect(formed.length).toBeGreaterThan(0);
      expect(await memory.concepts()).toEqual(
        formed.toSorted((a, b) => (`${a.concept}/${a.module}` < `${b.concept}/${b.module}` ? -1 : 1)),
      );
      const [one] = formed.filter(({ module }) => module === 'blob');
      const members = await memory.neighbours(one!.node, ['member'], 1000);
      expect(members.map(({ to }) => to).sort((a, b) => a - b)).toEqual(one!.members);
      // Again: nothing is taught twice.
      const again = await memory.formConcepts(bookOf, { at: 5 });
      expect(again).toEqual(formed);
      const all = await memory.list({ limit: 100 });
      await memory.forgetAll(all.flatMap((event) => ('id' in event ? [event.id] : [])));
      expect(await memory.concepts()).toEqual([]);
      await memory.close();
    }
  });
});

describe('one revision, one answer', () => {
  it('gives the same list from the same events in any order, graph and words included', async () => {
    const rng = new Rng(4).fork('order');
    const shared = Array.from({ length: 6 }, (_, i) => part(`s${i}`, rng));
    const events = Array.from({ length: 40 }, (_, i) => ({
      root: scene([shared[i % 6]!, shared[(i * 5 + 1) % 6]!, part('own', rng)]),
      terms: { keys: Float64Array.of(i % 7, 100 + (i % 3)), counts: Uint32Array.of(1, 2), length: 4 },
    }));
    const lists: unknown[] = [];
    for (const order of [events.map((_, i) => i), [...rng.permutation(40)]]) {
      const memory = await open();
      for (const i of order) await memory.remember(events[i]!.root, { ...record(i), terms: events[i]!.terms });
      const hits = await memory.recall({ components: [{ object: shared[2]! }], words: { keys: [3, 101] } }, 10);
      lists.push(hits.map(({ id, score, parts, path }) => [id, score.toFixed(9), parts.walk.toFixed(9), path]));
      const rows = await memory.store.list({ limit: 1 });
      expect(rows.some(isCorrupt)).toBe(false);
      await memory.close();
    }
    expect(lists[1]).toEqual(lists[0]);
  });
});
