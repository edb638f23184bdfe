// The questions a memory asks of the tables, each answered in the server with plain SQL: sums over posting lists, Hamming
// distances as bit_count(a # b), multi-probe buckets. The sums are in the order of the keys, so that scores are the same
// numbers as in every other store.
import { rarity } from '../_sharing.ts';
import { type CentredQuery, type Near, probeKeys } from '../lsh.ts';
import type { Row, Sharing, SharingOptions } from '../store.ts';
import { fromBits, fromText, numbers, signatures, texts } from './_literals.ts';
import type { Sql } from './_link.ts';
import { checksumOf, GROUP } from './_write.ts';

interface EventRow {
  readonly ref: number;
  readonly id: Uint8Array;
  readonly structure: string;
  readonly task: string;
  readonly source: string;
  readonly at: number;
  readonly n: number;
  readonly crc: number;
  readonly provenance: Uint8Array;
  readonly meta: Uint8Array;
  readonly sketch: Uint8Array | null;
}

/** Columns of an event; NULL for the sketch leaves it out. */
const columns = (sql: Sql, sketches: boolean) => sql`
  ref, id, hash AS structure, task, source, at, event.n, crc, provenance, meta,
  ${sketches ? sql`sketch` : sql`NULL AS sketch`} FROM event JOIN structure ON ord = event.structure`;

export function toRow(raw: EventRow): Row {
  const sketch = raw.sketch === null ? undefined : new Uint8Array(raw.sketch);
  const { ref, structure, at } = raw;
  const [id, provenance, meta] = [raw.id, raw.provenance, raw.meta].map((v) => new Uint8Array(v)) as [
    Uint8Array,
    Uint8Array,
    Uint8Array,
  ];
  if (sketch !== undefined && checksumOf({ id, at, provenance, meta, sketch }) !== raw.crc)
    return { ref, corrupt: true };
  const [task, source] = [fromText(raw.task), fromText(raw.source)];
  const rest = { sourceHash: '', times: undefined, sketch: sketch ?? new Uint8Array(0), count: raw.n };
  return { ref, id, structure, task, source, at, provenance, meta, ...rest };
}

export async function rowsById(sql: Sql, ids: string): Promise<Row[]> {
  return (await sql<EventRow[]>`SELECT ${columns(sql, true)} WHERE id = ANY(${ids}::bytea[])`).map(toRow);
}

export async function rowsByRef(sql: Sql, refs: ArrayLike<number>): Promise<Row[]> {
  return (await sql<EventRow[]>`SELECT ${columns(sql, true)} WHERE ref = ANY(${numbers(refs)}::int[])`).map(toRow);
}

/** The latest first; a negative limit means all. */
export async function rowsBefore(sql: Sql, before: number, limit: number, sketches: boolean): Promise<Row[]> {
  const most = limit < 0 ? null : limit;
  const bound = Math.min(before, 2 ** 31 - 1);
  const rows = await sql<EventRow[]>`
    SELECT ${columns(sql, sketches)} WHERE ref < ${bound} ORDER BY ref DESC LIMIT ${most}`;
  return rows.map(toRow);
}

export async function sharing(
  sql: Sql,
  keys: ArrayLike<number>,
  events: number,
  { limit, likeness, also = [] }: SharingOptions,
): Promise<Sharing> {
  const list = numbers(keys);
  const counts = await sql<{ pos: number; n: number }[]>`
    SELECT k.pos, sum(cardinality(p.refs)) AS n FROM unnest(${list}::bigint[]) WITH ORDINALITY AS k (key, pos)
    JOIN posting p ON p.key = k.key GROUP BY k.pos`;
  const frequency = new Uint32Array(keys.length);
  for (const { pos, n } of counts) frequency[pos - 1] = Number(n);
  const weights = numbers(Array.from(frequency, (f, i) => rarity(f, events) * (likeness?.[i] ?? 1)));
  const matches = sql`SELECT ref, sum(k.w ORDER BY k.pos) AS score
    FROM unnest(${list}::bigint[], ${weights}::float8[]) WITH ORDINALITY AS k (key, w, pos)
    JOIN posting p ON p.key = k.key CROSS JOIN LATERAL unnest(p.refs) AS ref`;
  type Hit = { ref: number; score: number };
  const best =
    limit <= 0 || counts.length === 0
      ? []
      : await sql<Hit[]>`${matches} GROUP BY ref ORDER BY score DESC, ref DESC LIMIT ${limit}`;
  const listed = new Set(best.map(({ ref }) => ref));
  const rest = Array.from(also).filter((ref) => !listed.has(ref));
  const hits = best.map(({ ref, score }) => ({ ref, score }));
  if (rest.length === 0 || counts.length === 0) return { frequency, hits };
  const others = await sql<Hit[]>`
    ${matches} WHERE p.grp = ANY(${groupsOf(rest)}::int[]) AND ref = ANY(${numbers(rest)}::int[]) GROUP BY ref`;
  const scores = new Map(others.map(({ ref, score }) => [ref, score] as const));
  for (const ref of rest) if (scores.has(ref)) hits.push({ ref, score: scores.get(ref)! });
  return { frequency, hits };
}

export async function shared(sql: Sql, keys: ArrayLike<number>, refs: ArrayLike<number>): Promise<number[][]> {
  const rows = await sql<{ ref: number; pos: number }[]>`
    SELECT ref, k.pos FROM unnest(${numbers(keys)}::bigint[]) WITH ORDINALITY AS k (key, pos)
    JOIN posting p ON p.key = k.key CROSS JOIN LATERAL unnest(p.refs) AS ref
    WHERE p.grp = ANY(${groupsOf(refs)}::int[]) AND ref = ANY(${numbers(refs)}::int[]) ORDER BY k.pos`;
  const found = new Map<number, number[]>();
  for (const { ref, pos } of rows) {
    const list = found.get(ref);
    if (list === undefined) found.set(ref, [pos - 1]);
    else list.push(pos - 1);
  }
  return Array.from(refs, (ref) => found.get(ref) ?? []);
}

/** Compares every signature: exact. */
export async function nearByScan(sql: Sql, queries: readonly CentredQuery[], limit: number): Promise<Near[]> {
  const { centres, bits } = split(queries);
  const rows = await sql<Near[]>`
    SELECT ref, bit_count(s.sig # q.sig)::int AS distance
    FROM unnest(${centres}::int[], ${bits}::bit(256)[]) AS q (centre, sig) JOIN signature s ON s.centre = q.centre
    ORDER BY distance, ref LIMIT ${limit * 2}`;
  return cutTies(rows, limit);
}

/** Compares the signatures in the probed buckets. */
export async function nearByBuckets(
  sql: Sql,
  queries: readonly CentredQuery[],
  limit: number,
  probes: number,
): Promise<Near[]> {
  const { centres, bits } = split(queries);
  const keys: number[] = [];
  const tables: number[] = [];
  const owners: number[] = [];
  queries.forEach(({ signed }, q) => {
    for (let t = 0; t < 8; t++) {
      for (const key of probeKeys(signed.projections.subarray(t * 16, t * 16 + 16), probes)) {
        keys.push(key);
        tables.push(t);
        owners.push(q + 1);
      }
    }
  });
  const rows = await sql<Near[]>`
    WITH q AS MATERIALIZED (SELECT * FROM unnest(${centres}::int[], ${bits}::bit(256)[]) WITH ORDINALITY AS q (centre, sig, pos))
    SELECT DISTINCT b.ref, bit_count(b.sig # q.sig)::int AS distance
    FROM unnest(${numbers(keys)}::int[], ${numbers(tables)}::int[], ${numbers(owners)}::int[]) AS p (key, tbl, pos)
    JOIN q USING (pos) JOIN bucket b ON b.key = p.key AND b.tbl = p.tbl AND b.centre = q.centre
    ORDER BY distance, ref LIMIT ${limit * 2}`;
  return cutTies(rows, limit);
}

export async function nearEntities(
  sql: Sql,
  module: string,
  { signed }: CentredQuery,
  limit: number,
): Promise<{ key: number; distance: number }[]> {
  const rows = await sql<{ ref: number; distance: number }[]>`
    SELECT key AS ref, bit_count(e.sig # q.sig)::int AS distance
    FROM unnest(${signatures([signed.bits])}::bit(256)[]) AS q (sig), entity e
    WHERE e.module = (${texts([module])}::text[])[1] ORDER BY distance, key LIMIT ${limit * 2}`;
  return cutTies(rows, limit).map(({ ref, distance }) => ({ key: ref, distance }));
}

/** Signatures and keys of some events, for the canonical text. */
export async function indexOf(
  sql: Sql,
  low: number,
  high: number,
): Promise<{ signatures: Map<number, Uint32Array>; keys: Map<number, number[]> }> {
  const bits = await sql<{ ref: number; sig: string }[]>`
    SELECT ref, sig::text FROM signature WHERE ref >= ${low} AND ref < ${high}`;
  const rows = await sql<{ ref: number; key: number }[]>`
    SELECT ref, key FROM posting, unnest(refs) AS ref
    WHERE grp >= ${Math.floor(low / GROUP)} AND grp <= ${Math.floor((high - 1) / GROUP)} AND ref >= ${low} AND ref < ${high}
    ORDER BY key`;
  const keys = new Map<number, number[]>();
  for (const { ref, key } of rows) {
    const list = keys.get(ref);
    if (list === undefined) keys.set(ref, [key]);
    else list.push(key);
  }
  return { signatures: new Map(bits.map(({ ref, sig }) => [ref, fromBits(sig)])), keys };
}

function split(queries: readonly CentredQuery[]): { centres: string; bits: string } {
  return {
    centres: numbers(queries.map(({ centre }) => centre)),
    bits: signatures(queries.map(({ signed }) => signed.bits)),
  };
}

function groupsOf(refs: ArrayLike<number>): string {
  return numbers([...new Set(Array.from(refs, (ref) => Math.floor(ref / GROUP)))]);
}

/** Ties with the last one stay, up to twice the limit, so that the list does not depend on the order of insertion. */
function cutTies(rows: readonly Near[], limit: number): Near[] {
  const cut = rows[Math.min(limit, rows.length) - 1]?.distance ?? 0;
  return rows.filter(({ distance }) => distance <= cut).map(({ ref, distance }) => ({ ref, distance }));
}
