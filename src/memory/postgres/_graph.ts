// Edges in PostgreSQL: one row per directed edge with its sums, and the packed links of owners that are no events.
import {
  type Edge,
  type EdgeIncrement,
  type EdgeKind,
  edgeKinds,
  type Link,
  packLinks,
  unpackLinks,
} from '../links.ts';
import type { Degree, OwnedLinks } from '../store.ts';
import type { Sql } from './_link.ts';
import { fromText, numbers, toBytes, toText } from './_literals.ts';

interface EdgeRow {
  readonly src: number;
  readonly kind: number;
  readonly dst: number;
  readonly weight: number;
  readonly n: number;
  readonly seconds: number;
}

export async function applyEdges(sql: Sql, increments: readonly EdgeIncrement[]): Promise<void> {
  if (increments.length === 0) return;
  const column = (of: (e: EdgeIncrement) => number): string => numbers(increments.map(of));
  await sql`INSERT INTO edge AS old (src, kind, dst, weight, n, seconds)
    SELECT * FROM unnest(${column((e) => e.from)}::bigint[], ${column((e) => edgeKinds.indexOf(e.kind))}::smallint[],
      ${column((e) => e.to)}::bigint[], ${column((e) => e.weight)}::bigint[], ${column((e) => e.count)}::bigint[],
      ${column((e) => e.seconds)}::bigint[])
    ON CONFLICT (src, kind, dst) DO UPDATE SET weight = old.weight + EXCLUDED.weight, n = old.n + EXCLUDED.n,
      seconds = old.seconds + EXCLUDED.seconds`;
  const less = increments.filter(({ count }) => count <= 0);
  if (less.length === 0) return;
  await sql`DELETE FROM edge USING unnest(${numbers(less.map((e) => e.from))}::bigint[],
      ${numbers(less.map((e) => edgeKinds.indexOf(e.kind)))}::smallint[], ${numbers(less.map((e) => e.to))}::bigint[])
      AS gone (src, kind, dst)
    WHERE edge.src = gone.src AND edge.kind = gone.kind AND edge.dst = gone.dst AND edge.n <= 0`;
}

export async function edges(
  sql: Sql,
  nodes: ArrayLike<number>,
  kinds: readonly EdgeKind[],
  limit: number,
): Promise<Edge[][]> {
  const lists: Edge[][] = Array.from(nodes, () => []);
  const rows = await sql<(EdgeRow & { pos: number })[]>`
    SELECT pos, e.* FROM unnest(${numbers(nodes)}::bigint[]) WITH ORDINALITY AS node (key, pos)
    CROSS JOIN LATERAL (SELECT * FROM edge WHERE src = node.key AND kind = ANY(${codes(kinds)}::smallint[])
      ORDER BY weight DESC, kind, dst LIMIT ${Number.isFinite(limit) ? limit : null}) AS e
    ORDER BY pos, e.weight DESC, e.kind, e.dst`;
  for (const { pos, ...row } of rows) lists[pos - 1]!.push(toEdge(row));
  return lists;
}

export async function degrees(sql: Sql, nodes: ArrayLike<number>, kinds: readonly EdgeKind[]): Promise<Degree[]> {
  const rows = await sql<{ pos: number; n: number; weight: number }[]>`
    SELECT pos, count(*) AS n, sum(weight)::bigint AS weight
    FROM unnest(${numbers(nodes)}::bigint[]) WITH ORDINALITY AS node (key, pos)
    JOIN edge ON src = node.key AND kind = ANY(${codes(kinds)}::smallint[]) GROUP BY pos`;
  const found: Degree[] = Array.from(nodes, () => ({ edges: 0, weight: 0 }));
  for (const { pos, n, weight } of rows) found[pos - 1] = { edges: n, weight };
  return found;
}

export async function edgePage(
  sql: Sql,
  after: Pick<Edge, 'from' | 'kind' | 'to'> | undefined,
  limit: number,
): Promise<Edge[]> {
  const [src, kind, dst] = after === undefined ? [-1, 0, 0] : [after.from, edgeKinds.indexOf(after.kind), after.to];
  const rows = await sql<EdgeRow[]>`
    SELECT * FROM edge WHERE (src, kind, dst) > (${src}::bigint, ${kind}::smallint, ${dst}::bigint)
    ORDER BY src, kind, dst LIMIT ${limit}`;
  return rows.map(toEdge);
}

export async function owned(sql: Sql, owner: string): Promise<OwnedLinks | undefined> {
  const [row] = await sql<
    { at: number; links: Uint8Array }[]
  >`SELECT at, links FROM owner WHERE name = ${toText(owner)}`;
  return row === undefined ? undefined : { owner, at: row.at, links: unpackLinks(toBytes(row.links)) };
}

export async function putOwned(sql: Sql, owner: string, at: number, links: readonly Link[]): Promise<void> {
  if (links.length === 0) await sql`DELETE FROM owner WHERE name = ${toText(owner)}`;
  else {
    await sql`INSERT INTO owner VALUES (${toText(owner)}, ${at}, ${packLinks(links)})
      ON CONFLICT (name) DO UPDATE SET at = EXCLUDED.at, links = EXCLUDED.links`;
  }
}

export async function owners(sql: Sql): Promise<OwnedLinks[]> {
  const rows = await sql<{ name: string; at: number; links: Uint8Array }[]>`SELECT * FROM owner`;
  return rows
    .map(({ name, at, links }) => ({ owner: fromText(name), at, links: unpackLinks(toBytes(links)) }))
    .sort((a, b) => (a.owner < b.owner ? -1 : 1));
}

function codes(kinds: readonly EdgeKind[]): string {
  return numbers(kinds.map((kind) => edgeKinds.indexOf(kind)));
}

function toEdge({ src, kind, dst, weight, n, seconds }: EdgeRow): Edge {
  return { from: src, kind: edgeKinds[kind]!, to: dst, weight, count: n, seconds, time: Math.floor(seconds / n) };
}
