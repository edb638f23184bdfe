// Event rows read from the server, each with its checksum.
import { sourceOf } from '../_source-name.ts';
import { crc32 } from '../../tensor/index.ts';
import type { NewEvent, Row, Times } from '../store.ts';
import type { Fragment, Sql } from './_link.ts';
import { fromSortable, fromText, numbers, toBytes } from './_literals.ts';

export interface EventRow {
  readonly ref: number;
  readonly id: Uint8Array;
  readonly structure: string;
  readonly source: Uint8Array;
  readonly task: string;
  readonly at: number;
  readonly valid_from: number | null;
  readonly valid_to: number | null;
  readonly retracted_at: number | null;
  readonly n: number;
  readonly crc: number;
  readonly provenance: Uint8Array;
  readonly meta: Uint8Array;
  readonly sketch: Uint8Array | null;
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

/** SELECT without its WHERE. */
export function selectEvents(sql: Sql, sketches = true): Fragment {
  return sql`SELECT ref, id, hash AS structure, source.name AS source, task, at, valid_from, valid_to, retracted_at,
      event.n, crc, provenance, meta, ${sketches ? sql`sketch` : sql`NULL AS sketch`}
    FROM event JOIN structure ON structure.ord = event.structure JOIN source ON source.ord = event.source`;
}

export function toRow(raw: EventRow): Row {
  const { ref, structure, at, n: count } = raw;
  const id = toBytes(raw.id);
  const provenance = toBytes(raw.provenance);
  const meta = toBytes(raw.meta);
  const sketch = raw.sketch === null ? undefined : toBytes(raw.sketch);
  if (sketch !== undefined && checksumOf({ id, at, provenance, meta, sketch }) !== raw.crc)
    return { ref, corrupt: true };
  const { uri, sha256 } = sourceOf(fromSortable(toBytes(raw.source)));
  const task = fromText(raw.task);
  const times = toTimes(raw);
  const rest = { provenance, meta, sketch: sketch ?? new Uint8Array(0), count };
  return { ref, id, structure, task, source: uri, sourceHash: sha256, at, times, ...rest };
}

export async function rowsById(sql: Sql, ids: string): Promise<{ readonly id: Uint8Array; readonly row: Row }[]> {
  const rows = await sql<EventRow[]>`${selectEvents(sql)} WHERE id = ANY(${ids}::bytea[])`;
  return rows.map((raw) => ({ id: raw.id, row: toRow(raw) }));
}

export async function rowsByRef(sql: Sql, refs: ArrayLike<number>): Promise<Row[]> {
  return (await sql<EventRow[]>`${selectEvents(sql)} WHERE ref = ANY(${numbers(refs)}::int[])`).map(toRow);
}

/** The latest first; a negative limit means all. */
export async function rowsBefore(sql: Sql, before: number, limit: number, sketches: boolean): Promise<Row[]> {
  const most = limit < 0 ? null : limit;
  const bound = Math.min(before, 2 ** 31 - 1);
  const rows = await sql<EventRow[]>`
    ${selectEvents(sql, sketches)} WHERE ref < ${bound} ORDER BY ref DESC LIMIT ${most}`;
  return rows.map(toRow);
}

function toTimes({ valid_from, valid_to, retracted_at }: EventRow): Times | undefined {
  if (valid_from === null && valid_to === null && retracted_at === null) return undefined;
  return {
    ...(valid_from === null ? {} : { validFrom: valid_from }),
    ...(valid_to === null ? {} : { validTo: valid_to }),
    ...(retracted_at === null ? {} : { retractedAt: retracted_at }),
  };
}
