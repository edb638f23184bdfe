// A run of new events: everything goes through unnest, one statement per table, sent at once.
import { sourceText } from '../_source-name.ts';
import { checkTerms, packTerms } from '../_terms.ts';
import { checkLinks, EdgeSum, packLinks } from '../links.ts';
import { type Entity, expectRef, expectSource, idToText, type NewEvent, type Written } from '../store.ts';
import { applyEdges } from './_graph.ts';
import type { Sql } from './_link.ts';
import { insertPostings, insertTerms, type ListEntries } from './_lists.ts';
import { blobs, numbers, optional, optionalBlobs, signatures, texts, toSortable } from './_literals.ts';
import { checksumOf } from './_rows.ts';
import type { Counters } from './_write.ts';

export interface Insertion {
  readonly event: NewEvent;
  readonly ref?: number | undefined;
  readonly count?: number | undefined;
}

interface Fresh {
  readonly event: NewEvent;
  readonly ref: number;
  count: number;
}

/** Events that are known already only raise their count; the others get the next references. */
export async function insertEvents(sql: Sql, run: readonly Insertion[], counters: Counters): Promise<Written[]> {
  const ids = [...new Map(run.map(({ event }) => [idToText(event.id), event.id] as const)).values()];
  const rows = await sql<{ id: Uint8Array; ref: number; n: number }[]>`
    SELECT id, ref, n FROM event WHERE id = ANY(${blobs(ids)}::bytea[])`;
  const known = new Map(rows.map(({ id, ref, n }) => [idToText(id), { ref, n }] as const));
  const again = new Map<number, number>();
  const fresh = new Map<string, Fresh>();
  const written = run.map(({ event, ref: asked, count = 1 }): Written => {
    const name = idToText(event.id);
    const old = known.get(name);
    if (old !== undefined) {
      const more = (again.get(old.ref) ?? 0) + count;
      again.set(old.ref, more);
      return { ref: old.ref, fresh: false, count: old.n + more };
    }
    const twin = fresh.get(name);
    if (twin !== undefined) return { ref: twin.ref, fresh: false, count: (twin.count += count) };
    const ref = asked ?? counters.next;
    expectRef(ref, counters.next);
    counters.next = ref + 1;
    fresh.set(name, { event, ref, count });
    return { ref, fresh: true, count };
  });
  if (again.size > 0) {
    await sql`UPDATE event SET n = event.n + more.n
      FROM unnest(${numbers([...again.keys()])}::int[], ${numbers([...again.values()])}::int[]) AS more (ref, n)
      WHERE event.ref = more.ref`;
  }
  if (fresh.size > 0) await insertFresh(sql, [...fresh.values()], counters);
  return written;
}

/** What a run of events shares. */
interface Shared {
  readonly structures: Map<string, { bytes: Uint8Array; n: number }>;
  readonly sources: Map<string, number>;
  readonly entities: Map<number, Entity>;
  readonly postings: ListEntries;
  readonly terms: ListEntries;
  readonly documents: { readonly ref: number; readonly words: number }[];
  readonly edges: EdgeSum;
}

function gather(fresh: readonly Fresh[], counters: Counters): Shared {
  const shared: Shared = {
    structures: new Map(),
    sources: new Map(),
    entities: new Map(),
    postings: { keys: [], refs: [], counts: [] },
    terms: { keys: [], refs: [], counts: [] },
    documents: [],
    edges: new EdgeSum(),
  };
  const push = (lists: ListEntries, ref: number, keys: Float64Array, counts?: Uint32Array): void => {
    keys.forEach((key, i) => {
      lists.keys.push(key);
      lists.refs.push(ref);
      lists.counts.push(counts?.[i] ?? 1);
    });
  };
  for (const { event, ref } of fresh) {
    const { structure, links, terms, at } = event;
    const known = shared.structures.get(structure.hash);
    if (known === undefined) shared.structures.set(structure.hash, { bytes: structure.bytes, n: 1 });
    else known.n++;
    const source = sourceOfEvent(event);
    shared.sources.set(source, (shared.sources.get(source) ?? 0) + 1);
    for (const entity of event.entities) {
      if (!shared.entities.has(entity.key)) shared.entities.set(entity.key, entity);
    }
    push(shared.postings, ref, event.keys);
    if (links !== undefined) {
      checkLinks(links);
      shared.edges.add(links, at, 1);
      counters.edgeLog += links.length;
    }
    if (terms !== undefined) {
      checkTerms(terms);
      push(shared.terms, ref, terms.keys, terms.counts);
      shared.documents.push({ ref, words: terms.length });
      counters.documents++;
      counters.words += terms.length;
    }
  }
  counters.events += fresh.length;
  return shared;
}

async function insertFresh(sql: Sql, fresh: readonly Fresh[], counters: Counters): Promise<void> {
  const { structures, sources, entities, postings, terms, documents, edges } = gather(fresh, counters);
  const events = fresh.map(({ event }) => event);
  const refs = numbers(fresh.map(({ ref }) => ref));
  const parts = [...entities.values()];
  const column = <T>(of: (e: NewEvent) => T): T[] => events.map(of);
  const sent: PromiseLike<unknown>[] = [
    sql`INSERT INTO structure (hash, n, bytes)
      SELECT * FROM unnest(${texts([...structures.keys()])}::text[],
        ${numbers([...structures.values()].map(({ n }) => n))}::bigint[],
        ${blobs([...structures.values()].map(({ bytes }) => bytes))}::bytea[])
      ON CONFLICT (hash) DO UPDATE SET n = structure.n + EXCLUDED.n`,
    sql`INSERT INTO source (name, n)
      SELECT * FROM unnest(${blobs([...sources.keys()].map(toSortable))}::bytea[],
        ${numbers([...sources.values()])}::bigint[])
      ON CONFLICT (name) DO UPDATE SET n = source.n + EXCLUDED.n`,
    sql`INSERT INTO event (ref, id, structure, source, n, at, valid_from, valid_to, retracted_at, crc, task, provenance,
        meta, links, terms, sketch)
      SELECT e.ref, e.id, structure.ord, source.ord, e.n, e.at, e.valid_from, e.valid_to, e.retracted_at, e.crc, e.task,
        e.provenance, e.meta, e.links, e.terms, e.sketch
      FROM unnest(${refs}::int[], ${blobs(column((e) => e.id))}::bytea[],
        ${texts(column((e) => e.structure.hash))}::text[],
        ${blobs(column((e) => toSortable(sourceOfEvent(e))))}::bytea[],
        ${numbers(fresh.map(({ count }) => count))}::int[], ${numbers(column((e) => e.at))}::bigint[],
        ${optional(column((e) => e.times?.validFrom))}::bigint[], ${optional(column((e) => e.times?.validTo))}::bigint[],
        ${optional(column((e) => e.times?.retractedAt))}::bigint[], ${numbers(column(checksumOf))}::bigint[],
        ${texts(column((e) => e.task))}::text[], ${blobs(column((e) => e.provenance))}::bytea[],
        ${blobs(column((e) => e.meta))}::bytea[],
        ${optionalBlobs(column((e) => (e.links === undefined || e.links.length === 0 ? undefined : packLinks(e.links))))}::bytea[],
        ${optionalBlobs(column((e) => (e.terms === undefined ? undefined : packTerms(e.terms))))}::bytea[],
        ${blobs(column((e) => e.sketch))}::bytea[])
        AS e (ref, id, structure, source, n, at, valid_from, valid_to, retracted_at, crc, task, provenance, meta, links,
          terms, sketch)
      JOIN structure ON structure.hash = e.structure JOIN source ON source.name = e.source`,
    sql`INSERT INTO signature
      SELECT * FROM unnest(${refs}::int[], ${numbers(column((e) => e.centre))}::int[],
        ${signatures(column((e) => e.signature))}::bit(256)[])`,
    insertPostings(sql, postings),
    sql`INSERT INTO entity
      SELECT * FROM unnest(${numbers(parts.map((e) => e.key))}::bigint[], ${texts(parts.map((e) => e.module))}::text[],
        ${signatures(parts.map((e) => e.signature))}::bit(256)[])
      ON CONFLICT DO NOTHING`,
    applyEdges(sql, edges.increments()),
  ];
  if (documents.length > 0) {
    sent.push(
      insertTerms(sql, terms),
      sql`INSERT INTO document SELECT * FROM unnest(${numbers(documents.map(({ ref }) => ref))}::int[],
        ${numbers(documents.map(({ words }) => words))}::int[])`,
    );
  }
  if (counters.bucketed) sent.push(fillBuckets(sql, refs));
  // Answered in order; the first failure fails the transaction.
  await Promise.all(sent);
}

/** Adds events to the LSH buckets: eight tables keyed by sixteen signature bits each. */
export function fillBuckets(sql: Sql, refs: string | undefined): PromiseLike<unknown> {
  const some = refs === undefined ? sql`true` : sql`ref = ANY(${refs}::int[])`;
  return sql`INSERT INTO bucket (key, tbl, ref, centre, sig)
    SELECT substring(sig FROM 16 * t + 1 FOR 16)::bit(16)::int, t, ref, centre, sig
    FROM signature, generate_series(0, 7) AS t WHERE ${some}`;
}

function sourceOfEvent(event: NewEvent): string {
  return sourceText(expectSource({ uri: event.source, sha256: event.sourceHash ?? '' }));
}
