// The questions a memory asks of the tables, each answered in the server with plain SQL: sums over posting lists, Hamming
// distances as bit_count(a # b), multi-probe buckets. The sums are in the order of the keys, so that scores are the same
// numbers as in every other store.
import { rarity } from '../_sharing.ts';
import { inverseFrequency, type Lexical, type LexicalOptions } from '../_terms.ts';
import type { Near } from '../_nearest-list.ts';
import type { CentredQuery } from '../lsh.ts';
import { probeKeys } from '../probes.ts';
import type { Sharing, SharingOptions } from '../store.ts';
import type { Fragment, Sql } from './_link.ts';
import { GROUP, groupsOf } from './_lists.ts';
import { numbers, signatures, texts } from './_literals.ts';

interface Hit {
  readonly ref: number;
  readonly score: number;
}

/** Weights are whole numbers of 2^-20 where events are chosen: their sums do not depend on the order. */
const UNIT = 2 ** 20;
/** More events than asked for are chosen, because the last of them may be in another order by their exact sums. */
const SPARE = 256;

export async function sharing(
  sql: Sql,
  keys: ArrayLike<number>,
  { limit, likeness, whole, also = [] }: SharingOptions,
): Promise<Sharing> {
  const list = numbers(keys);
  const counts = await sql<{ pos: number; n: number; events: number }[]>`
    SELECT k.pos, sum(cardinality(p.refs)) AS n, (SELECT events FROM meta) AS events
    FROM unnest(${list}::bigint[]) WITH ORDINALITY AS k (key, pos) JOIN posting p ON p.key = k.key GROUP BY k.pos`;
  const frequency = new Uint32Array(keys.length);
  for (const { pos, n } of counts) frequency[pos - 1] = Number(n);
  if (counts.length === 0) return { frequency, hits: [] };
  const of = whole ?? { events: Number(counts[0]!.events), frequency };
  const weights = Array.from(of.frequency, (f, i) => rarity(f, of.events) * (likeness?.[i] ?? 1));
  const chosen = limit > 0 ? await mostSharing(sql, list, weights, limit + SPARE) : [];
  const refs = [...new Set([...chosen, ...Array.from(also)])];
  const places = await shared(sql, keys, refs);
  // In the order of the keys, as in every other store.
  const hits = refs
    .map((ref, i): Hit => ({ ref, score: places[i]!.reduce((sum, place) => sum + weights[place]!, 0) }))
    .filter((_, i) => places[i]!.length > 0);
  const scores = new Map(hits.map((hit) => [hit.ref, hit] as const));
  const best = chosen
    .flatMap((ref) => scores.get(ref) ?? [])
    .sort((a, b) => b.score - a.score || b.ref - a.ref)
    .slice(0, Math.max(0, limit));
  const listed = new Set(best.map(({ ref }) => ref));
  const others = [...new Set(Array.from(also))]
    .filter((ref) => !listed.has(ref))
    .flatMap((ref) => scores.get(ref) ?? []);
  return { frequency, hits: [...best, ...others] };
}

/** The events that share most, about in order; of equal sums the latest. */
async function mostSharing(sql: Sql, keys: string, weights: readonly number[], limit: number): Promise<number[]> {
  const rows = await sql<{ ref: number }[]>`
    SELECT ref FROM unnest(${keys}::bigint[], ${numbers(weights.map((w) => Math.round(w * UNIT)))}::int[]) AS k (key, w)
    JOIN posting p ON p.key = k.key CROSS JOIN LATERAL unnest(p.refs) AS ref
    GROUP BY ref ORDER BY sum(k.w) DESC, ref DESC LIMIT ${limit}`;
  return rows.map(({ ref }) => ref);
}

/** The best of what matches, of equal scores the latest; behind them those of `also` that match. */
async function rank(sql: Sql, matches: Fragment, limit: number, also: ArrayLike<number>): Promise<Hit[]> {
  const hits: Hit[] = [];
  if (limit > 0) {
    const best = await sql<Hit[]>`${matches} GROUP BY ref ORDER BY score DESC, ref DESC LIMIT ${limit}`;
    for (const { ref, score } of best) hits.push({ ref, score });
  }
  const listed = new Set(hits.map(({ ref }) => ref));
  const rest = Array.from(also).filter((ref) => !listed.has(ref));
  if (rest.length === 0) return hits;
  const others = await sql<Hit[]>`
    ${matches} WHERE p.grp = ANY(${groupsOf(rest)}::int[]) AND ref = ANY(${numbers(rest)}::int[]) GROUP BY ref`;
  const scores = new Map(others.map(({ ref, score }) => [ref, score] as const));
  for (const ref of rest) if (scores.has(ref)) hits.push({ ref, score: scores.get(ref)! });
  return hits;
}

/** BM25 over the lists of words. */
export async function lexical(
  sql: Sql,
  terms: ArrayLike<number>,
  totals: { readonly documents: number; readonly words: number },
  options: LexicalOptions,
): Promise<Lexical> {
  const { limit, weights, k1 = 1.2, b = 0.75, also = [], whole } = options;
  const { documents, words } = totals;
  const counts = await sql<{ pos: number; n: number }[]>`
    SELECT k.pos, sum(cardinality(p.refs)) AS n
    FROM unnest(${numbers(terms)}::bigint[]) WITH ORDINALITY AS k (key, pos) JOIN term p ON p.key = k.key GROUP BY k.pos`;
  const frequency = new Uint32Array(terms.length);
  for (const { pos, n } of counts) frequency[pos - 1] = Number(n);
  const of = whole ?? { documents, words, frequency };
  const asked = Array.from(terms, (key, i) => ({
    key,
    weight: inverseFrequency(of.frequency[i]!, of.documents) * (weights?.[i] ?? 1),
  })).filter(({ weight }, i) => weight > 0 && frequency[i]! > 0);
  if (asked.length === 0 || documents === 0) return { documents, words, frequency, hits: [] };
  // The same operations in the same order as in every other store.
  const score = sql`(u.n * (${k1}::float8 + 1)) / (u.n + ${k1}::float8 * (1 - ${b}::float8 + (${b}::float8 * d.words) / ${of.words / of.documents}::float8))`;
  const matches = sql`SELECT ref, sum(k.w * (${score}) ORDER BY k.pos) AS score
    FROM unnest(${numbers(asked.map(({ key }) => key))}::bigint[], ${numbers(asked.map(({ weight }) => weight))}::float8[])
      WITH ORDINALITY AS k (key, w, pos)
    JOIN term p ON p.key = k.key CROSS JOIN LATERAL unnest(p.refs, p.counts) AS u (ref, n) JOIN document d USING (ref)`;
  return { documents, words, frequency, hits: await rank(sql, matches, limit, also) };
}

export async function shared(sql: Sql, keys: ArrayLike<number>, refs: ArrayLike<number>): Promise<number[][]> {
  // Each list is unpacked once and then searched by halving: `width_bucket` counts the references up to one. The subqueries
  // stay as they are because of their offsets.
  const rows = await sql<{ ref: number; pos: number }[]>`
    SELECT own.ref, k.pos FROM unnest(${numbers(keys)}::bigint[]) WITH ORDINALITY AS k (key, pos)
    JOIN posting p ON p.key = k.key AND p.grp = ANY(${groupsOf(refs)}::int[])
    CROSS JOIN LATERAL (
      SELECT r.ref FROM (SELECT p.refs || '{}'::int[] AS refs OFFSET 0) AS list,
        unnest(${numbers([...new Set(Array.from(refs))])}::int[]) AS r (ref)
      WHERE r.ref BETWEEN p.grp * ${GROUP}::int AND p.grp * ${GROUP}::int + ${GROUP - 1}::int
        AND list.refs[width_bucket(r.ref, list.refs)] = r.ref OFFSET 0) AS own
    ORDER BY k.pos`;
  const found = new Map<number, number[]>();
  for (const { ref, pos } of rows) {
    const places = found.get(ref);
    if (places === undefined) found.set(ref, [pos - 1]);
    else places.push(pos - 1);
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

function split(queries: readonly CentredQuery[]): { centres: string; bits: string } {
  return {
    centres: numbers(queries.map(({ centre }) => centre)),
    bits: signatures(queries.map(({ signed }) => signed.bits)),
  };
}

/** Ties with the last one stay, up to twice the limit, so that the list does not depend on the order of insertion. */
function cutTies(rows: readonly Near[], limit: number): Near[] {
  const cut = rows[Math.min(limit, rows.length) - 1]?.distance ?? 0;
  return rows.filter(({ distance }) => distance <= cut).map(({ ref, distance }) => ({ ref, distance }));
}
