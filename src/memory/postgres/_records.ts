// Whole events read back, as a copy needs them: the inverted lists are turned round for a page of events at a time.
import { unpackTerms } from '../_terms.ts';
import { unpackLinks } from '../links.ts';
import { type Entity, type FullRecord, isCorrupt } from '../store.ts';
import type { Sql } from './_link.ts';
import { groupsOf } from './_lists.ts';
import { fromBits, fromText, numbers, toBytes } from './_literals.ts';
import { type EventRow, selectEvents, toRow } from './_rows.ts';

/** The events behind a reference, in order, at most `limit`; damaged ones are left out. */
export async function readRecords(sql: Sql, after: number, limit: number): Promise<FullRecord[]> {
  for (let from = after; ;) {
    const raw = await sql<EventRow[]>`${selectEvents(sql)} WHERE ref > ${from} ORDER BY ref LIMIT ${limit}`;
    const rows = raw.map(toRow).filter((row) => !isCorrupt(row));
    if (rows.length > 0 || raw.length === 0)
      return recordsOf(sql, rows as Exclude<(typeof rows)[number], { corrupt: true }>[]);
    from = raw[raw.length - 1]!.ref;
  }
}

type Intact = Exclude<ReturnType<typeof toRow>, { readonly corrupt: true }>;

async function recordsOf(sql: Sql, rows: readonly Intact[]): Promise<FullRecord[]> {
  const refs = rows.map(({ ref }) => ref);
  const list = numbers(refs);
  const [extras, postings, structures] = await Promise.all([
    sql<{ ref: number; centre: number; sig: string; links: Uint8Array | null; terms: Uint8Array | null }[]>`
      SELECT ref, centre, sig::text, links, terms FROM signature JOIN event USING (ref) WHERE ref = ANY(${list}::int[])`,
    sql<{ ref: number; key: number }[]>`
      SELECT ref, key FROM posting, unnest(refs) AS ref
      WHERE grp = ANY(${groupsOf(refs)}::int[]) AND ref = ANY(${list}::int[]) ORDER BY key`,
    sql<{ hash: string; bytes: Uint8Array }[]>`
      SELECT hash, bytes FROM structure
      WHERE ord = ANY(ARRAY(SELECT DISTINCT structure FROM event WHERE ref = ANY(${list}::int[])))`,
  ]);
  const extra = new Map(extras.map((row) => [row.ref, row] as const));
  const bytes = new Map(structures.map((row) => [row.hash, toBytes(row.bytes)] as const));
  const keys = new Map<number, number[]>(refs.map((ref) => [ref, []]));
  for (const { ref, key } of postings) keys.get(ref)!.push(key);
  const known = await entitiesOf(sql, [...new Set(postings.map(({ key }) => key))]);
  return rows.map(({ ref, count, structure, ...row }) => {
    const { centre, sig, links, terms } = extra.get(ref)!;
    const own = Float64Array.from(keys.get(ref)!);
    return {
      ref,
      count,
      event: {
        ...row,
        structure: { hash: structure, bytes: bytes.get(structure)! },
        signature: fromBits(sig),
        centre,
        keys: own,
        entities: Array.from(own, (key) => known.get(key)).filter((e) => e !== undefined),
        links: links === null ? undefined : unpackLinks(toBytes(links)),
        terms: terms === null ? undefined : unpackTerms(toBytes(terms)),
      },
    };
  });
}

export async function entitiesOf(sql: Sql, keys: ArrayLike<number>): Promise<Map<number, Entity>> {
  const rows = await sql<{ key: number; module: string; sig: string }[]>`
    SELECT key, module, sig::text FROM entity WHERE key = ANY(${numbers(keys)}::bigint[])`;
  return new Map(
    rows.map(({ key, module, sig }) => [key, { key, module: fromText(module), signature: fromBits(sig) }] as const),
  );
}
