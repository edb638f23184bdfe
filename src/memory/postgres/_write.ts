// What one write does to the tables: runs of inserts go through unnest as a whole, everything else one by one in order. Always
// inside a transaction that holds the row of counters, so that writers of all processes take turns.
import { CairnError } from '../../errors.ts';
import { crc32 } from '../../tensor/index.ts';
import { contentHash } from '../_hash.ts';
import type { Change, Entity, Id, NewEvent, Written } from '../store.ts';
import { idToText } from '../store.ts';
import { blobs, numbers, signatures, texts, toText } from './_literals.ts';
import type { Sql } from './_link.ts';

/** Posting rows hold events of one group of so many references; a group is packed when it is full. */
export const GROUP = 1024;

/** The row of counters. */
export interface Counters {
  next: number;
  edits: number;
  events: number;
  bucketed: boolean;
}

/** CRC-32 over what never changes and what the sketch is. */
export function checksumOf(row: Pick<NewEvent, 'id' | 'at' | 'provenance' | 'meta' | 'sketch'>): number {
  const numbers = Float64Array.of(row.at, row.provenance.length, row.meta.length);
  let crc = crc32(row.id);
  crc = crc32(new Uint8Array(numbers.buffer), crc);
  crc = crc32(row.provenance, crc);
  crc = crc32(row.meta, crc);
  return crc32(row.sketch, crc);
}

/** Carries out the changes in order; updates `counters`, which the caller stores. */
export async function applyChanges(sql: Sql, changes: readonly Change[], counters: Counters): Promise<Written[]> {
  const written: Written[] = [];
  const first = counters.next;
  let edited = false;
  for (let i = 0; i < changes.length;) {
    const change = changes[i]!;
    if (change.kind === 'insert') {
      const events: NewEvent[] = [];
      for (let c = changes[i]; c?.kind === 'insert'; c = changes[++i]) events.push(c.event);
      written.push(...(await insertEvents(sql, events, counters)));
      continue;
    }
    i++;
    if (change.kind === 'stat') {
      if (change.bytes === undefined) await sql`DELETE FROM stat WHERE name = ${toText(change.name)}`;
      else {
        await sql`INSERT INTO stat VALUES (${toText(change.name)}, ${change.bytes})
          ON CONFLICT (name) DO UPDATE SET bytes = EXCLUDED.bytes`;
      }
      written.push({ ref: 0, fresh: true, count: 0 });
      continue;
    }
    edited = true;
    const event = await expectEvent(sql, change.id, first);
    if (change.kind === 'replace') written.push(await replaceSketch(sql, event, change.sketch, change.dropKeys));
    else if (change.kind === 'remove') {
      written.push(await removeEvent(sql, event, change.id, change.at, change.certificate, counters));
    } else change satisfies never;
  }
  if (edited) counters.edits++;
  for (let group = Math.floor(first / GROUP); group < Math.floor(counters.next / GROUP); group++) {
    await packGroup(sql, group);
  }
  return written;
}

interface Known {
  readonly ref: number;
  readonly n: number;
}

interface Fresh {
  readonly event: NewEvent;
  readonly ref: number;
  count: number;
}

async function insertEvents(sql: Sql, events: readonly NewEvent[], counters: Counters): Promise<Written[]> {
  const ids = [...new Map(events.map((e) => [idToText(e.id), e.id] as const)).values()];
  const rows = await sql<{ id: Uint8Array; ref: number; n: number }[]>`
    SELECT id, ref, n FROM event WHERE id = ANY(${blobs(ids)}::bytea[])`;
  const known = new Map<string, Known>(rows.map(({ id, ref, n }) => [idToText(id), { ref, n }]));
  const again = new Map<number, number>();
  const fresh = new Map<string, Fresh>();
  const written = events.map((event): Written => {
    const name = idToText(event.id);
    const old = known.get(name);
    if (old !== undefined) {
      const more = (again.get(old.ref) ?? 0) + 1;
      again.set(old.ref, more);
      return { ref: old.ref, fresh: false, count: old.n + more };
    }
    const twin = fresh.get(name);
    if (twin !== undefined) return { ref: twin.ref, fresh: false, count: ++twin.count };
    const made: Fresh = { event, ref: counters.next++, count: 1 };
    fresh.set(name, made);
    return { ref: made.ref, fresh: true, count: 1 };
  });
  if (again.size > 0) {
    await sql`UPDATE event SET n = event.n + more.n
      FROM unnest(${numbers([...again.keys()])}::int[], ${numbers([...again.values()])}::int[]) AS more (ref, n)
      WHERE event.ref = more.ref`;
  }
  if (fresh.size > 0) await insertFresh(sql, [...fresh.values()], counters);
  return written;
}

async function insertFresh(sql: Sql, fresh: readonly Fresh[], counters: Counters): Promise<void> {
  const structures = new Map<string, { bytes: Uint8Array; n: number }>();
  const entities = new Map<number, Entity>();
  const keys: number[] = [];
  const keyRefs: number[] = [];
  for (const { event, ref } of fresh) {
    const shared = structures.get(event.structure.hash);
    if (shared === undefined) structures.set(event.structure.hash, { bytes: event.structure.bytes, n: 1 });
    else shared.n++;
    for (const entity of event.entities) if (!entities.has(entity.key)) entities.set(entity.key, entity);
    for (const key of event.keys) {
      keys.push(key);
      keyRefs.push(ref);
    }
  }
  const events = fresh.map(({ event }) => event);
  const refs = numbers(fresh.map(({ ref }) => ref));
  const parts = [...entities.values()];
  counters.events += fresh.length;
  // Sent at once and answered in order; the first failure fails the transaction.
  await Promise.all([
    sql`INSERT INTO structure (hash, n, bytes)
      SELECT * FROM unnest(${texts([...structures.keys()])}::text[],
        ${numbers([...structures.values()].map(({ n }) => n))}::bigint[],
        ${blobs([...structures.values()].map(({ bytes }) => bytes))}::bytea[])
      ON CONFLICT (hash) DO UPDATE SET n = structure.n + EXCLUDED.n`,
    sql`INSERT INTO event (ref, id, structure, n, at, crc, task, source, provenance, meta, sketch)
      SELECT e.ref, e.id, structure.ord, e.n, e.at, e.crc, e.task, e.source, e.provenance, e.meta, e.sketch
      FROM unnest(${refs}::int[], ${blobs(events.map((e) => e.id))}::bytea[],
        ${texts(events.map((e) => e.structure.hash))}::text[], ${numbers(fresh.map(({ count }) => count))}::int[],
        ${numbers(events.map((e) => e.at))}::bigint[], ${numbers(events.map(checksumOf))}::bigint[],
        ${texts(events.map((e) => e.task))}::text[], ${texts(events.map((e) => e.source))}::text[],
        ${blobs(events.map((e) => e.provenance))}::bytea[], ${blobs(events.map((e) => e.meta))}::bytea[],
        ${blobs(events.map((e) => e.sketch))}::bytea[])
        AS e (ref, id, structure, n, at, crc, task, source, provenance, meta, sketch)
      JOIN structure ON structure.hash = e.structure`,
    sql`INSERT INTO signature
      SELECT * FROM unnest(${refs}::int[], ${numbers(events.map((e) => e.centre))}::int[],
        ${signatures(events.map((e) => e.signature))}::bit(256)[])`,
    sql`INSERT INTO posting (key, grp, first, refs)
      SELECT key, ref / ${GROUP}::int, min(ref), array_agg(ref ORDER BY ref)
      FROM unnest(${numbers(keys)}::bigint[], ${numbers(keyRefs)}::int[]) AS p (key, ref) GROUP BY 1, 2`,
    sql`INSERT INTO entity
      SELECT * FROM unnest(${numbers(parts.map((e) => e.key))}::bigint[], ${texts(parts.map((e) => e.module))}::text[],
        ${signatures(parts.map((e) => e.signature))}::bit(256)[])
      ON CONFLICT DO NOTHING`,
    ...(counters.bucketed ? [fillBuckets(sql, refs)] : []),
  ]);
}

interface Stored {
  readonly ref: number;
  readonly structure: number;
  readonly n: number;
  readonly at: number;
  readonly provenance: Uint8Array;
  readonly meta: Uint8Array;
}

/** An event of an earlier write: its reference is below the first that this write gives out. */
async function expectEvent(sql: Sql, id: Id, first: number): Promise<Stored> {
  const [row] = await sql<Stored[]>`
    SELECT ref, structure, n, at, provenance, meta FROM event WHERE id = ${id} AND ref < ${first}`;
  if (row !== undefined) return row;
  throw new CairnError('event_not_found', `Expected the id of a stored event, got ${idToText(id)}.`, {
    hint: 'List the events to see what is there; it may have been forgotten.',
  });
}

async function replaceSketch(
  sql: Sql,
  event: Stored & { id?: Id },
  sketch: Uint8Array,
  dropKeys: boolean,
): Promise<Written> {
  const [row] = await sql<{ id: Uint8Array }[]>`SELECT id FROM event WHERE ref = ${event.ref}`;
  const crc = checksumOf({ ...event, id: row!.id, sketch });
  await sql`UPDATE event SET sketch = ${sketch}, crc = ${crc} WHERE ref = ${event.ref}`;
  if (dropKeys) await dropPostings(sql, event.ref);
  return { ref: event.ref, fresh: true, count: event.n };
}

async function removeEvent(
  sql: Sql,
  event: Stored,
  id: Id,
  at: number,
  certificate: string,
  counters: Counters,
): Promise<Written> {
  const { ref, structure } = event;
  await dropPostings(sql, ref);
  await Promise.all([
    sql`DELETE FROM bucket USING (SELECT * FROM signature WHERE ref = ${ref}) AS s, generate_series(0, 7) AS t
      WHERE tbl = t AND key = substring(s.sig FROM 16 * t + 1 FOR 16)::bit(16)::int AND bucket.ref = ${ref}`,
    sql`DELETE FROM signature WHERE ref = ${ref}`,
    sql`DELETE FROM event WHERE ref = ${ref}`,
    sql`UPDATE structure SET n = n - 1 WHERE ord = ${structure}`,
    sql`DELETE FROM structure WHERE ord = ${structure} AND n <= 0`,
    sql`INSERT INTO tombstone VALUES (${contentHash([id])}, ${at}, ${toText(certificate)})
      ON CONFLICT (hash) DO UPDATE SET at = EXCLUDED.at, certificate = EXCLUDED.certificate`,
  ]);
  counters.events--;
  return { ref, fresh: true, count: 0 };
}

/** Takes an event out of all lists, and entities that are in no list any more out of theirs. */
async function dropPostings(sql: Sql, ref: number): Promise<void> {
  const group = Math.floor(ref / GROUP);
  const rows = await sql<{ key: number }[]>`
    UPDATE posting SET refs = array_remove(refs, ${ref}::int)
    WHERE grp = ${group} AND ${ref}::int = ANY(refs) RETURNING key`;
  const keys = numbers(rows.map(({ key }) => key));
  await sql`DELETE FROM posting WHERE key = ANY(${keys}::bigint[]) AND grp = ${group} AND refs = '{}'`;
  await sql`DELETE FROM entity WHERE key = ANY(${keys}::bigint[])
    AND NOT EXISTS (SELECT FROM posting WHERE posting.key = entity.key)`;
}

/** Joins the posting rows of a group: one per key instead of one per key and write. */
export async function packGroup(sql: Sql, group: number): Promise<void> {
  await sql`WITH old AS (DELETE FROM posting WHERE grp = ${group} RETURNING key, refs)
    INSERT INTO posting (key, grp, first, refs)
    SELECT key, ${group}, min(ref), array_agg(ref ORDER BY ref) FROM old, unnest(refs) AS ref GROUP BY key`;
}

/** Adds events to the LSH buckets: eight tables keyed by sixteen signature bits each. */
export function fillBuckets(sql: Sql, refs: string | undefined): Promise<unknown> {
  const some = refs === undefined ? sql`true` : sql`ref = ANY(${refs}::int[])`;
  return sql`INSERT INTO bucket (key, tbl, ref, centre, sig)
    SELECT substring(sig FROM 16 * t + 1 FOR 16)::bit(16)::int, t, ref, centre, sig
    FROM signature, generate_series(0, 7) AS t WHERE ${some}`;
}
