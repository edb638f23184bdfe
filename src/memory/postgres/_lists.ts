// The inverted lists: rows of references per key, one row per key and write until a group of references is full and packed.
// An event leaves them by its group, which is all that has to be looked through.
import type { Sql } from './_link.ts';
import { numbers } from './_literals.ts';

/** References per group. */
export const GROUP = 1024;

export interface ListEntries {
  readonly keys: number[];
  readonly refs: number[];
  /** Occurrences, for terms only. */
  readonly counts: number[];
}

export function groupOf(ref: number): number {
  return Math.floor(ref / GROUP);
}

/** Distinct groups of some references, as an array literal. */
export function groupsOf(refs: ArrayLike<number>): string {
  return numbers([...new Set(Array.from(refs, groupOf))]);
}

export function insertPostings(sql: Sql, { keys, refs }: ListEntries): PromiseLike<unknown> {
  return sql`INSERT INTO posting (key, grp, first, refs)
    SELECT key, ref / ${GROUP}::int, min(ref), array_agg(ref ORDER BY ref)
    FROM unnest(${numbers(keys)}::bigint[], ${numbers(refs)}::int[]) AS p (key, ref) GROUP BY 1, 2`;
}

export function insertTerms(sql: Sql, { keys, refs, counts }: ListEntries): PromiseLike<unknown> {
  return sql`INSERT INTO term (key, grp, first, refs, counts)
    SELECT key, ref / ${GROUP}::int, min(ref), array_agg(ref ORDER BY ref), array_agg(n ORDER BY ref)
    FROM unnest(${numbers(keys)}::bigint[], ${numbers(refs)}::int[], ${numbers(counts)}::int[]) AS p (key, ref, n)
    GROUP BY 1, 2`;
}

/** Takes an event out of all lists of keys, and entities that are in no list any more out of theirs. */
export async function dropPostings(sql: Sql, ref: number): Promise<void> {
  const group = groupOf(ref);
  const rows = await sql<{ key: number }[]>`
    UPDATE posting SET refs = array_remove(refs, ${ref}::int)
    WHERE grp = ${group} AND ${ref}::int = ANY(refs) RETURNING key`;
  const keys = numbers(rows.map(({ key }) => key));
  await sql`DELETE FROM posting WHERE key = ANY(${keys}::bigint[]) AND grp = ${group} AND refs = '{}'`;
  await sql`DELETE FROM entity WHERE key = ANY(${keys}::bigint[])
    AND NOT EXISTS (SELECT FROM posting WHERE posting.key = entity.key)`;
}

/** Takes an event out of all lists of words. */
export async function dropTerms(sql: Sql, ref: number, keys: ArrayLike<number>): Promise<void> {
  const list = numbers(keys);
  const group = groupOf(ref);
  await sql`UPDATE term SET refs = array_remove(refs, ${ref}::int),
      counts = counts[:array_position(refs, ${ref}::int) - 1] || counts[array_position(refs, ${ref}::int) + 1:]
    WHERE key = ANY(${list}::bigint[]) AND grp = ${group} AND ${ref}::int = ANY(refs)`;
  await sql`DELETE FROM term WHERE key = ANY(${list}::bigint[]) AND grp = ${group} AND refs = '{}'`;
  await sql`DELETE FROM document WHERE ref = ${ref}`;
}

/** Joins the rows of a group: one per key instead of one per key and write. */
export async function packGroup(sql: Sql, group: number): Promise<void> {
  await sql`WITH old AS (DELETE FROM posting WHERE grp = ${group} RETURNING key, refs)
    INSERT INTO posting (key, grp, first, refs)
    SELECT key, ${group}, min(ref), array_agg(ref ORDER BY ref) FROM old, unnest(refs) AS ref GROUP BY key`;
  await sql`WITH old AS (DELETE FROM term WHERE grp = ${group} RETURNING key, refs, counts)
    INSERT INTO term (key, grp, first, refs, counts)
    SELECT key, ${group}, min(ref), array_agg(ref ORDER BY ref), array_agg(n ORDER BY ref)
    FROM old, unnest(refs, counts) AS u (ref, n) GROUP BY key`;
}
