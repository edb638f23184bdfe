// The cases that every Store must pass, free of any test framework: run each on fresh stores of your kind. They compare a
// store with the in-memory one, operation by operation.
import assert from 'node:assert/strict';
import { Rng } from '../tensor/index.ts';
import { CairnError } from '../errors.ts';
import { InMemoryStore } from './in-memory-store.ts';
import { graphCases } from './_conformance-graph.ts';
import { type ConformanceCase, dumpOf, insert, many, wordsFor } from './_conformance-tools.ts';
import type { Signed } from './signature.ts';
import { type Change, isCorrupt, type NewEvent, type Row, type Store } from './store.ts';

export { type ConformanceCase, type StoreFactory, syntheticEvent } from './_conformance-tools.ts';

export const conformance: readonly ConformanceCase[] = [
  {
    name: 'reads back what was written, also after opening again',
    async run({ open, reopen }) {
      let store = await open();
      const events = many(30, 1);
      await store.write(events.map(insert));
      for (let round = 0; round < 2; round++) {
        const rows = await store.find(events.map((e) => e.id));
        rows.forEach((row, i) => sameEvent(row, events[i]!));
        assert.deepEqual(await store.structure('structure-a'), Uint8Array.of(1));
        assert.equal((await store.find([new Uint8Array(16)]))[0], undefined);
        store = await reopen(store);
      }
      await store.close();
    },
  },
  {
    name: 'agrees with the in-memory store through random writes, removals and openings',
    async run({ open, reopen }) {
      let store = await open();
      const oracle = new InMemoryStore();
      const rng = new Rng(2);
      const events = many(800, 3);
      const live: NewEvent[] = [];
      for (let i = 0; i < events.length;) {
        const batch = events.slice(i, (i += 1 + rng.integer(90)));
        const changes: Change[] = batch.map(insert);
        if (live.length > 0 && rng.bernoulli(0.5)) {
          const { id, sketch } = live[rng.integer(live.length)]!;
          changes.push({ kind: 'replace', id, sketch: sketch.slice(0, 50), dropKeys: rng.bernoulli(0.5) });
        }
        for (let gone = rng.integer(4); gone > 0 && live.length > 0; gone--) {
          const [{ id }] = live.splice(rng.integer(live.length), 1) as [NewEvent];
          changes.splice(rng.integer(changes.length), 0, { kind: 'remove', id, at: i, certificate: '{}' });
        }
        live.push(...batch);
        if (rng.bernoulli(0.4)) changes.push(insert(live[rng.integer(live.length)]!));
        if (rng.bernoulli(0.3))
          changes.push({ kind: 'stat', name: `s${rng.integer(3)}`, bytes: Uint8Array.of(i & 255) });
        const [a, b] = [await store.write(changes), await oracle.write(changes)];
        assert.deepEqual(a, b);
        assert.equal(await store.revision(), await oracle.revision());
        if (rng.bernoulli(0.2)) store = await reopen(store);
        await sameAnswers(store, oracle, rng);
      }
      assert.deepEqual(await dumpOf(store), await dumpOf(oracle));
      store = await reopen(store);
      assert.deepEqual(await dumpOf(store), await dumpOf(oracle));
      await store.close();
    },
  },
  {
    name: 'a duplicate raises the count and stores nothing, within one write and across writes',
    async run({ open }) {
      const store = await open();
      const [event, other] = many(2, 4);
      const first = await store.write([insert(event!), insert(event!), insert(other!)]);
      assert.deepEqual(
        first.map((w) => [w.ref, w.fresh, w.count]),
        [
          [1, true, 1],
          [1, false, 2],
          [2, true, 1],
        ],
      );
      assert.deepEqual(await store.write([insert(event!)]), [{ ref: 1, fresh: false, count: 3 }]);
      assert.equal(await store.count(), 2);
      await store.close();
    },
  },
  {
    name: 'a write happens as a whole or not at all',
    async run({ open, reopen }) {
      let store = await open();
      const [a, b, c] = many(3, 5);
      await store.write([insert(a!)]);
      const before = await dumpOf(store);
      const bad: Change[] = [
        insert(b!),
        { kind: 'stat', name: 'x', bytes: Uint8Array.of(1) },
        { kind: 'remove', id: a!.id, at: 0, certificate: '{}' },
        { kind: 'remove', id: c!.id, at: 0, certificate: '{}' },
      ];
      for (let at = 0; at < bad.length; at++) {
        const changes = [...bad.slice(0, at), bad[3]!, ...bad.slice(at, 3)];
        await assert.rejects(store.write(changes), (e) => CairnError.isInstance(e) && e.code === 'event_not_found');
        assert.deepEqual(await dumpOf(store), before);
        assert.equal(
          (await store.sharing(b!.keys, { limit: 5 })).hits.some((hit) => hit.ref !== 1),
          false,
        );
      }
      store = await reopen(store);
      assert.deepEqual(await dumpOf(store), before);
      sameEvent((await store.find([a!.id]))[0], a!);
      await store.close();
    },
  },
  {
    name: 'a removed event is gone from every answer, and what it was the last of goes with it',
    async run({ open, reopen }) {
      let store = await open();
      const control = await open();
      const events = many(450, 6);
      const gone = events[7]!;
      await store.write(events.map(insert));
      await control.write(events.filter((e) => e !== gone).map(insert));
      await store.write([{ kind: 'remove', id: gone.id, at: 5, certificate: '{"a":1}' }]);
      for (let round = 0; round < 2; round++) {
        assert.equal((await store.find([gone.id]))[0], undefined);
        assert.equal((await store.read([8]))[0], undefined);
        assert.deepEqual(await dumpOf(store), await dumpOf(control));
        assert.deepEqual((await store.tombstone(gone.id))?.certificate, '{"a":1}');
        assert.equal((await store.sharing([1_000_007], { limit: 1 })).frequency[0], 0);
        store = await reopen(store);
      }
      const rest = events.filter((e) => e !== gone);
      for (let i = 0; i < rest.length; i += 75) {
        await store.write(rest.slice(i, i + 75).map(({ id }) => ({ kind: 'remove', id, at: 0, certificate: '' })));
      }
      const { events: left, structures, entities } = await store.stats();
      assert.deepEqual([left, structures, entities], [0, 0, 0]);
      await Promise.all([store.close(), control.close()]);
    },
  },
  {
    name: 'compacting gives room back and changes no answer',
    async run({ open, reopen }) {
      let store = await open();
      const events = many(430, 9);
      await store.write(events.map(insert));
      const gone = events.filter((_, i) => i % 3 === 0 || i > 380);
      await store.write(gone.map(({ id }) => ({ kind: 'remove', id, at: 0, certificate: '' })));
      await store.write([{ kind: 'replace', id: events[1]!.id, sketch: Uint8Array.of(1, 2, 3), dropKeys: false }]);
      const before = await dumpOf(store);
      const { fileBytes } = await store.stats();
      await store.compact();
      assert.deepEqual(await dumpOf(store), before);
      assert.ok((await store.stats()).fileBytes <= fileBytes);
      assert.deepEqual(await store.verify(), []);
      store = await reopen(store);
      assert.deepEqual(await dumpOf(store), before);
      assert.equal((await store.write([insert(events[0]!)]))[0]!.ref, 431);
      await store.close();
    },
  },
  {
    name: 'lists the latest first, page by page',
    async run({ open }) {
      const store = await open();
      const events = many(25, 7);
      await store.write(events.map(insert));
      await store.write([{ kind: 'remove', id: events[20]!.id, at: 0, certificate: '' }]);
      const seen: number[] = [];
      for (let before: number | undefined; ;) {
        const rows = await store.list({ limit: 7, ...(before === undefined ? {} : { before }) });
        if (rows.length === 0) break;
        seen.push(...rows.map((row) => row.ref));
        before = rows[rows.length - 1]!.ref;
      }
      assert.deepEqual(
        seen,
        Array.from({ length: 25 }, (_, i) => 25 - i).filter((ref) => ref !== 21),
      );
      const [bare] = await store.list({ limit: 1, sketches: false });
      assert.equal(bare !== undefined && !isCorrupt(bare) && bare.sketch.length, 0);
      await store.close();
    },
  },
  {
    name: 'references are never given out twice',
    async run({ open, reopen }) {
      let store = await open();
      const [a, b] = many(2, 8);
      await store.write([insert(a!)]);
      await store.write([{ kind: 'remove', id: a!.id, at: 0, certificate: '' }]);
      store = await reopen(store);
      assert.deepEqual(await store.write([insert(b!)]), [{ ref: 2, fresh: true, count: 1 }]);
      assert.deepEqual(await store.write([insert(a!)]), [{ ref: 3, fresh: true, count: 1 }]);
      await store.close();
    },
  },
  ...graphCases,
];

function sameEvent(row: Row | undefined, event: NewEvent): void {
  assert.ok(row !== undefined && !isCorrupt(row));
  const { id, task, source, at, provenance, meta, sketch } = event;
  const { ref: _ref, count: _count, ...rest } = row;
  const own = { id, structure: event.structure.hash, task, source, at, provenance, meta, sketch };
  assert.deepEqual(rest, { ...own, sourceHash: '', times: undefined });
}

async function sameAnswers(store: Store, oracle: Store, rng: Rng): Promise<void> {
  const keys = Array.from({ length: 12 }, () => 1000 + rng.integer(20) * 8 + rng.integer(5));
  const also = [1 + rng.integer(50), 1 + rng.integer(50)].filter((ref, i, list) => list.indexOf(ref) === i);
  const likeness = rng.bernoulli(0.5) ? keys.map(() => (1 + rng.integer(4)) / 4) : undefined;
  const distinct = [...new Set(keys)];
  const options = { limit: 1 + rng.integer(20), also, likeness: likeness?.slice(0, distinct.length) };
  const [a, b] = [await store.sharing(distinct, options), await oracle.sharing(distinct, options)];
  assert.deepEqual(Array.from(a.frequency), Array.from(b.frequency));
  assert.deepEqual(
    a.hits.map((hit) => [hit.ref, hit.score.toFixed(9)]),
    b.hits.map((hit) => [hit.ref, hit.score.toFixed(9)]),
  );
  const refs = a.hits.map((hit) => hit.ref);
  assert.deepEqual(await store.shared(distinct, refs), await oracle.shared(distinct, refs));
  if (store.sketches !== undefined) {
    const some = [0, ...refs, 1 + rng.integer(900)];
    const alone = await store.sketches(some);
    (await oracle.read(some)).forEach((row, i) => {
      const found = row === undefined || isCorrupt(row) ? undefined : row;
      assert.deepEqual(alone[i]?.sketch, found?.sketch);
    });
  }
  const signed: Signed = { bits: wordsFor(rng.u32()), projections: new Float32Array(256) };
  const queries = [0, 1].map((centre) => ({ centre, signed }));
  assert.deepEqual(await store.near(queries, 10), await oracle.near(queries, 10));
  const parts = await store.nearEntities('part', { centre: 0, signed }, 3);
  const expected = await oracle.nearEntities('part', { centre: 0, signed }, 3);
  assert.deepEqual(
    parts.map((p) => p.distance),
    expected.map((p) => p.distance),
  );
}
