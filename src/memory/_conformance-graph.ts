// Cases of the conformance suite for what hangs on events: edges, words, source texts, times, and reading whole events back.
import assert from 'node:assert/strict';
import { CairnError } from '../errors.ts';
import { Rng } from '../tensor/index.ts';
import { type ConformanceCase, dumpOf, insert, many, syntheticEvent } from './_conformance-tools.ts';
import { recordLine } from './_dump.ts';
import { digestStore } from './digest.ts';
import { InMemoryStore } from './in-memory-store.ts';
import { edgeKinds, type Link } from './links.ts';
import type { Change, NewEvent, SourceName, Store, Times } from './store.ts';

const SOURCES: readonly SourceName[] = [
  { uri: 'notes.md', sha256: 'ab'.repeat(32) },
  { uri: 'notes.md', sha256: 'cd'.repeat(32) },
  { uri: 'chat', sha256: '' },
];

/** A made-up event with everything an event may have. */
function richEvent(rng: Rng, n: number): NewEvent {
  const source = SOURCES[rng.integer(SOURCES.length)]!;
  const node = (): number => (rng.bernoulli(0.2) ? 2 ** 52 + rng.integer(4) : 10 + rng.integer(12));
  const links = Array.from({ length: rng.integer(7) }, (): Link => {
    const kind = edgeKinds[rng.integer(edgeKinds.length)]!;
    return { from: node(), kind, to: node(), weight: 1 + rng.integer(2 ** 20) };
  });
  const counts = new Map<number, number>();
  for (let i = rng.integer(12); i > 0; i--) {
    const term = 500 + rng.integer(20);
    counts.set(term, (counts.get(term) ?? 0) + 1 + (rng.bernoulli(0.1) ? 300 : 0));
  }
  const keys = Float64Array.from(counts.keys()).sort();
  const terms = { keys, counts: Uint32Array.from(keys, (key) => counts.get(key)!) };
  const length = terms.counts.reduce((sum, count) => sum + count, 0) + rng.integer(5) + 1;
  return {
    ...syntheticEvent(rng, n),
    source: source.uri,
    sourceHash: source.sha256,
    ...(rng.bernoulli(0.4) ? { times: someTimes(rng) } : {}),
    ...(links.length === 0 ? {} : { links }),
    ...(rng.bernoulli(0.7) ? { terms: { ...terms, length } } : {}),
  };
}

function someTimes(rng: Rng): Times {
  const time = (): number | undefined => (rng.bernoulli(0.5) ? rng.integer(1e9) * 1000 : undefined);
  return { validFrom: time(), validTo: time(), retractedAt: time() };
}

export const graphCases: readonly ConformanceCase[] = [
  {
    name: 'agrees with the in-memory store in edges, words, texts and times through random writes',
    async run({ open, reopen }) {
      let store = await open();
      const oracle = new InMemoryStore();
      const rng = new Rng(21);
      const live: NewEvent[] = [];
      for (let n = 0; n < 520;) {
        const first = n;
        const batch = Array.from({ length: 1 + rng.integer(60) }, (_, i) => richEvent(rng, first + i));
        n += batch.length;
        const changes: Change[] = batch.map(insert);
        const pick = (): NewEvent => live[rng.integer(live.length)]!;
        if (live.length > 0 && rng.bernoulli(0.5)) {
          changes.push({ kind: 'times', id: pick().id, times: rng.bernoulli(0.3) ? undefined : someTimes(rng) });
          changes.push({ kind: 'relink', id: pick().id, links: richEvent(rng, 0).links ?? [] });
          changes.push({ kind: 'replace', id: pick().id, sketch: Uint8Array.of(1, 2), dropKeys: rng.bernoulli(0.3) });
        }
        for (let gone = rng.integer(6); gone > 0 && live.length > 0; gone--) {
          const [{ id }] = live.splice(rng.integer(live.length), 1) as [NewEvent];
          changes.push({ kind: 'remove', id, at: n, certificate: '{}' });
        }
        const owner = `concept-${rng.integer(3)}`;
        changes.push({ kind: 'links', owner, at: n * 1000, links: richEvent(rng, 0).links ?? [] });
        const source = SOURCES[rng.integer(SOURCES.length)]!;
        const text = rng.bernoulli(0.2) ? undefined : textOf(rng, rng.integer(200_000));
        changes.splice(rng.integer(changes.length), 0, { kind: 'source', source, text });
        if (rng.bernoulli(0.5)) changes.push({ kind: 'blank', source, lo: rng.integer(1e5), hi: rng.integer(2e5) });
        live.push(...batch);
        assert.deepEqual(await store.write(changes), await oracle.write(changes));
        assert.equal(await store.revision(), await oracle.revision());
        assert.equal(await store.edgeLog(), await oracle.edgeLog());
        if (rng.bernoulli(0.2)) store = await reopen(store);
        await sameGraph(store, oracle, rng);
      }
      assert.deepEqual(await dumpOf(store), await dumpOf(oracle));
      store = await reopen(store);
      assert.deepEqual(await dumpOf(store), await dumpOf(oracle));
      assert.deepEqual(await digestStore(store), await digestStore(oracle));
      await store.close();
    },
  },
  {
    name: 'after a removal everything is as if the event had never been there',
    async run({ open, reopen }) {
      const rng = new Rng(22);
      const events = Array.from({ length: 430 }, (_, n) => richEvent(rng, n));
      const gone = new Set(events.filter((_, n) => n % 9 === 4 || n > 410));
      const removals = [...gone].map(({ id }): Change => ({ kind: 'remove', id, at: 1, certificate: '' }));
      const control = await open();
      await control.write(events.filter((event) => !gone.has(event)).map(insert));
      let store = await open();
      await store.write(events.slice(0, 250).map(insert));
      await store.write(events.slice(250).map(insert));
      await store.write(removals.slice(0, 20));
      await store.write(removals.slice(20));
      assert.deepEqual(await dumpOf(store), await dumpOf(control));
      store = await reopen(store);
      await store.compact();
      assert.deepEqual(await dumpOf(store), await dumpOf(control));
      await store.write(
        events.filter((e) => !gone.has(e)).map(({ id }) => ({ kind: 'remove', id, at: 1, certificate: '' })),
      );
      assert.deepEqual(await dumpOf(store), []);
      assert.deepEqual((await store.lexical([505], { limit: 3 })).documents, 0);
      await Promise.all([store.close(), control.close()]);
    },
  },
  {
    name: 'a source text is kept until its last event is removed, and read by byte range',
    async run({ open, reopen }) {
      let store = await open();
      const [source] = SOURCES as [SourceName];
      const [a, b] = many(2, 23).map((e) => ({ ...e, source: source.uri, sourceHash: source.sha256 })) as [
        NewEvent,
        NewEvent,
      ];
      const text = textOf(new Rng(24), 150_000);
      await store.write([{ kind: 'source', source, text }]);
      await store.write([insert(a), insert(b)]);
      store = await reopen(store);
      const slices = [
        { source, lo: 65_530, hi: 65_540 },
        { source, lo: 149_990, hi: 999_999 },
        { source: { uri: 'notes.md', sha256: '' }, lo: 0, hi: 1 },
      ];
      const texts = await store.texts(slices);
      assert.deepEqual(texts[0], text.slice(65_530, 65_540));
      assert.deepEqual(texts[1], text.slice(149_990));
      assert.equal(texts[2], undefined);
      await store.write([{ kind: 'blank', source, lo: 65_534, hi: 65_538 }]);
      const expected = text.slice(65_530, 65_540).fill(32, 4, 8);
      assert.deepEqual((await store.texts(slices))[0], expected);
      await store.write([{ kind: 'remove', id: a.id, at: 0, certificate: '' }]);
      assert.deepEqual(await store.sources(undefined, 9), [{ ...source, events: 1, bytes: 150_000 }]);
      await store.write([{ kind: 'remove', id: b.id, at: 0, certificate: '' }]);
      assert.deepEqual(await store.sources(undefined, 9), []);
      assert.equal((await store.texts(slices))[0], undefined);
      await store.close();
    },
  },
  {
    name: 'a new event keeps the text of a source whose last older event goes in the same write',
    async run({ open, reopen }) {
      let store = await open();
      const source = { uri: 'only', sha256: '' };
      const [a, b] = many(2, 29).map((e) => ({ ...e, source: 'only', task: e.task + e.source })) as [
        NewEvent,
        NewEvent,
      ];
      await store.write([insert(a), { kind: 'source', source, text: Uint8Array.of(65, 66) }]);
      await store.write([insert(b), { kind: 'remove', id: a.id, at: 0, certificate: '' }]);
      store = await reopen(store);
      const [row] = await store.find([b.id]);
      assert.ok(row !== undefined && 'source' in row && row.source === 'only');
      assert.deepEqual(await store.sources(undefined, 9), [{ ...source, events: 1, bytes: 2 }]);
      await store.close();
    },
  },
  {
    name: 'records and tombstones make a copy with the same references, content and digest',
    async run({ open }) {
      const rng = new Rng(25);
      const from = await open();
      const events = Array.from({ length: 90 }, (_, n) => richEvent(rng, n));
      await from.write([
        ...events.map(insert),
        insert(events[3]!),
        { kind: 'stat', name: 's', bytes: Uint8Array.of(7) },
      ]);
      await from.write([
        { kind: 'remove', id: events[10]!.id, at: 9, certificate: '{"a":1}' },
        { kind: 'remove', id: events[89]!.id, at: 9, certificate: '' },
      ]);
      const to = new InMemoryStore();
      for (let after = 0; ;) {
        const page = await from.records(after, 17);
        if (page.length === 0) break;
        await to.write(page.map(({ event, ref, count }) => ({ kind: 'insert', event, ref, count })));
        after = page[page.length - 1]!.ref;
      }
      for (const tombstone of await from.tombstones(undefined, 99)) await to.write([{ kind: 'tombstone', tombstone }]);
      await to.write([{ kind: 'stat', name: 's', bytes: Uint8Array.of(7) }]);
      assert.deepEqual(await digestStore(to), await digestStore(from));
      const refs = async (store: Store): Promise<number[]> => (await store.list({ limit: 200 })).map(({ ref }) => ref);
      assert.deepEqual(await refs(to), await refs(from));
      const again = await open();
      await again.write(
        (await to.records(0, 200)).map(({ event, ref, count }) => ({ kind: 'insert', event, ref, count })),
      );
      assert.deepEqual((await digestStore(again)).events, (await digestStore(from)).events);
      assert.deepEqual(await refs(again), await refs(from));
      await assert.rejects(again.write([{ kind: 'insert', event: many(1, 26)[0]!, ref: 5 }]), hasCode('bad_reference'));
      await Promise.all([from.close(), again.close()]);
    },
  },
  {
    name: 'refuses bad links, terms and sources, and changes nothing then',
    async run({ open }) {
      const store = await open();
      const [a, b] = many(2, 27) as [NewEvent, NewEvent];
      await store.write([insert(a)]);
      const before = await dumpOf(store);
      const link = { from: 1, kind: 'has', to: 2, weight: 1 } as const;
      const keys = Float64Array.of(1, 2);
      const counts = Uint32Array.of(1, 1);
      const bad: [string, Change][] = [
        ['bad_link', insert({ ...b, links: [{ ...link, weight: 0 }] })],
        ['bad_link', { kind: 'relink', id: a.id, links: [{ ...link, from: -1 }] }],
        ['bad_link', { kind: 'links', owner: 'x', at: 0, links: [{ ...link, to: 0.5 }] }],
        ['bad_terms', insert({ ...b, terms: { keys: Float64Array.of(2, 1), counts, length: 2 } })],
        ['bad_terms', insert({ ...b, terms: { keys, counts: Uint32Array.of(1, 0), length: 2 } })],
        ['bad_terms', insert({ ...b, terms: { keys, counts, length: 1 } })],
        ['bad_source', insert({ ...b, sourceHash: 'x' })],
        ['bad_source', { kind: 'source', source: { uri: 'a\0b', sha256: '' }, text: Uint8Array.of(1) }],
        ['event_not_found', { kind: 'times', id: b.id, times: undefined }],
      ];
      for (const [code, change] of bad) {
        await assert.rejects(
          store.write([{ kind: 'stat', name: 'x', bytes: Uint8Array.of(1) }, change]),
          hasCode(code),
        );
        assert.deepEqual(await dumpOf(store), before);
      }
      await store.close();
    },
  },
];

function hasCode(code: string): (error: unknown) => boolean {
  return (error) => CairnError.isInstance(error) && error.code === code;
}

function textOf(rng: Rng, length: number): Uint8Array {
  return Uint8Array.from({ length }, () => 97 + rng.integer(26));
}

async function sameGraph(store: Store, oracle: Store, rng: Rng): Promise<void> {
  const nodes = Array.from({ length: 4 }, () => 10 + rng.integer(12));
  const kinds = edgeKinds.filter(() => rng.bernoulli(0.5));
  const limit = 1 + rng.integer(8);
  assert.deepEqual(await store.edges(nodes, kinds, limit), await oracle.edges(nodes, kinds, limit));
  assert.deepEqual(await store.degrees(nodes, kinds), await oracle.degrees(nodes, kinds));
  const [middle] = await oracle.edgePage({ from: nodes[0]!, kind: 'with', to: 0 }, 1);
  assert.deepEqual(await store.edgePage(middle, 20), await oracle.edgePage(middle, 20));
  assert.deepEqual(await store.owners(), await oracle.owners());
  assert.deepEqual(await store.entities(nodes), await oracle.entities(nodes));
  const refs = Array.from({ length: 5 }, () => 1 + rng.integer(500));
  assert.deepEqual(await store.links(refs), await oracle.links(refs));
  const terms = [...new Set(Array.from({ length: 4 }, () => 500 + rng.integer(24)))];
  const weights = rng.bernoulli(0.5) ? terms.map(() => rng.uniform()) : undefined;
  const options = {
    limit: rng.integer(12),
    weights,
    also: [refs[0]!, refs[1]!].filter((r, i, a) => a.indexOf(r) === i),
  };
  const [a, b] = [await store.lexical(terms, options), await oracle.lexical(terms, options)];
  const rounded = (hits: typeof a.hits): unknown => hits.map(({ ref, score }) => [ref, score.toFixed(9)]);
  assert.deepEqual([a.documents, a.words, [...a.frequency]], [b.documents, b.words, [...b.frequency]]);
  assert.deepEqual(rounded(a.hits), rounded(b.hits));
  assert.deepEqual(await store.sources(undefined, 9), await oracle.sources(undefined, 9));
  assert.deepEqual(await store.sources(SOURCES[1], 9), await oracle.sources(SOURCES[1], 9));
  const slices = SOURCES.map((source) => ({ source, lo: rng.integer(1e5), hi: rng.integer(2e5) }));
  assert.deepEqual(await store.texts(slices), await oracle.texts(slices));
  const after = rng.integer(300);
  const records = async (of: Store): Promise<unknown> =>
    (await of.records(after, 7)).map((record) => [record.ref, recordLine(record)]);
  assert.deepEqual(await records(store), await records(oracle));
}
