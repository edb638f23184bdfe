// Sources in PostgreSQL: their names with the number of events that use them, and kept texts in packed chunks.
import { sourceOf, sourceText } from '../_source-name.ts';
import { blankRange, CHUNK, chunksIn, chunksOf, packChunk, sliceOf, unpackChunk } from '../_source-text.ts';
import { expectSource, type SourceInfo, type SourceName, type SourceSlice } from '../store.ts';
import type { Sql } from './_link.ts';
import { blobs, fromSortable, numbers, toBytes, toSortable } from './_literals.ts';

export async function putSource(sql: Sql, source: SourceName, text: Uint8Array | undefined): Promise<void> {
  const name = toSortable(sourceText(expectSource(source)));
  await sql`DELETE FROM source_text USING source WHERE source.name = ${name} AND source_text.source = source.ord`;
  if (text === undefined) {
    await sql`DELETE FROM source WHERE name = ${name} AND n <= 0`;
    await sql`UPDATE source SET size = NULL WHERE name = ${name}`;
    return;
  }
  const [row] = await sql<{ ord: number }[]>`
    INSERT INTO source (name, n, size) VALUES (${name}, 0, ${text.length})
    ON CONFLICT (name) DO UPDATE SET size = EXCLUDED.size RETURNING ord`;
  const chunks = Array.from(chunksOf(text), packChunk);
  if (chunks.length === 0) return;
  await sql`INSERT INTO source_text SELECT ${row!.ord}, c.pos - 1, c.bytes
    FROM unnest(${blobs(chunks)}::bytea[]) WITH ORDINALITY AS c (bytes, pos)`;
}

export async function blankSource(sql: Sql, source: SourceName, lo: number, hi: number): Promise<void> {
  const name = toSortable(sourceText(source));
  const rows = await sql<{ source: number; chunk: number; bytes: Uint8Array }[]>`
    SELECT t.* FROM source_text t JOIN source ON ord = t.source
    WHERE name = ${name} AND chunk >= ${Math.floor(Math.max(0, lo) / CHUNK)} AND chunk * ${CHUNK}::bigint < ${hi}`;
  for (const { source: ord, chunk, bytes } of rows) {
    const blank = packChunk(blankRange(unpackChunk(toBytes(bytes)), chunk, lo, hi));
    await sql`UPDATE source_text SET bytes = ${blank} WHERE source = ${ord} AND chunk = ${chunk}`;
  }
}

export async function readTexts(sql: Sql, slices: readonly SourceSlice[]): Promise<(Uint8Array | undefined)[]> {
  const names = slices.map(({ source }) => toSortable(sourceText(source)));
  const known = await sql<{ pos: number; ord: number; size: number }[]>`
    SELECT pos, ord, size FROM unnest(${blobs(names)}::bytea[]) WITH ORDINALITY AS n (name, pos)
    JOIN source USING (name) WHERE size IS NOT NULL`;
  const texts: (Uint8Array | undefined)[] = slices.map(() => undefined);
  for (const { pos, ord, size } of known) {
    const { lo, hi } = slices[pos - 1]!;
    const end = Math.min(hi, size);
    const rows = await sql<{ chunk: number; bytes: Uint8Array }[]>`
      SELECT chunk, bytes FROM source_text WHERE source = ${ord} AND chunk = ANY(${numbers(chunksIn(lo, end))}::int[])`;
    const chunks = new Map(rows.map(({ chunk, bytes }) => [chunk, unpackChunk(toBytes(bytes))] as const));
    texts[pos - 1] = sliceOf(chunks, lo, end);
  }
  return texts;
}

export async function listSources(sql: Sql, after: SourceName | undefined, limit: number): Promise<SourceInfo[]> {
  const behind = after === undefined ? sql`true` : sql`name > ${toSortable(sourceText(after))}`;
  const rows = await sql<{ name: Uint8Array; n: number; size: number | null }[]>`
    SELECT name, n, size FROM source WHERE ${behind} ORDER BY name LIMIT ${limit}`;
  return rows.map(({ name, n, size }) => ({
    ...sourceOf(fromSortable(toBytes(name))),
    events: n,
    bytes: size ?? undefined,
  }));
}

/** Names without an event go, with their texts. */
export async function dropSources(sql: Sql, ords: readonly number[]): Promise<void> {
  const list = numbers(ords);
  await sql`DELETE FROM source_text USING source
    WHERE source.ord = ANY(${list}::int[]) AND n <= 0 AND source_text.source = source.ord`;
  await sql`DELETE FROM source WHERE ord = ANY(${list}::int[]) AND n <= 0`;
}
