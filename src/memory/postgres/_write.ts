// What one write does to the tables: runs of inserts as a whole, everything else one by one in order. Always inside a
// transaction that holds the row of counters, so that writers of all processes take turns.
import { contentHash } from '../_hash.ts';
import { unpackTerms } from '../_terms.ts';
import { checkLinks, EdgeSum, type Link, packLinks, unpackLinks } from '../links.ts';
import { type Change, eventNotFound, type Id, type Written } from '../store.ts';
import { applyEdges, owned, putOwned } from './_graph.ts';
import { insertEvents, type Insertion } from './_insert.ts';
import type { Sql } from './_link.ts';
import { dropPostings, dropTerms, groupOf, packGroup } from './_lists.ts';
import { numbers, toBytes, toText } from './_literals.ts';
import { checksumOf } from './_rows.ts';
import { blankSource, dropSources, putSource } from './_sources.ts';

/** The row of counters. */
export interface Counters {
  next: number;
  edits: number;
  events: number;
  bucketed: boolean;
  edgeLog: number;
  documents: number;
  words: number;
}

interface Stored {
  readonly ref: number;
  readonly id: Uint8Array;
  readonly structure: number;
  readonly source: number;
  readonly n: number;
  readonly at: number;
  readonly provenance: Uint8Array;
  readonly meta: Uint8Array;
  readonly links: Uint8Array | null;
  readonly terms: Uint8Array | null;
}

const nothing: Written = { ref: 0, fresh: true, count: 0 };

/** Carries out the changes in order; updates `counters`, which the caller stores. */
export async function applyChanges(sql: Sql, changes: readonly Change[], counters: Counters): Promise<Written[]> {
  const write = new Write(sql, counters);
  const written: Written[] = [];
  for (let i = 0; i < changes.length;) {
    const run: Insertion[] = [];
    for (let c = changes[i]; c?.kind === 'insert'; c = changes[++i]) run.push(c);
    if (run.length > 0) written.push(...(await insertEvents(sql, run, counters)));
    const change = changes[i++];
    if (change !== undefined && change.kind !== 'insert') written.push(await write.apply(change));
  }
  await write.finish();
  return written;
}

class Write {
  readonly #sql: Sql;
  readonly #counters: Counters;
  readonly #first: number;
  readonly #structures: number[] = [];
  readonly #sources: number[] = [];
  readonly #edges = new EdgeSum();
  #edited = false;

  constructor(sql: Sql, counters: Counters) {
    this.#sql = sql;
    this.#counters = counters;
    this.#first = counters.next;
  }

  async apply(change: Exclude<Change, { kind: 'insert' }>): Promise<Written> {
    const sql = this.#sql;
    switch (change.kind) {
      case 'stat':
        if (change.bytes === undefined) await sql`DELETE FROM stat WHERE name = ${toText(change.name)}`;
        else {
          await sql`INSERT INTO stat VALUES (${toText(change.name)}, ${change.bytes})
            ON CONFLICT (name) DO UPDATE SET bytes = EXCLUDED.bytes`;
        }
        return nothing;
      case 'tombstone': {
        const { idHash, at, certificate } = change.tombstone;
        await this.#bury(Buffer.from(idHash, 'hex'), at, certificate);
        return nothing;
      }
      default:
        this.#edited = true;
        return this.#edit(change);
    }
  }

  async #edit(change: Exclude<Change, { kind: 'insert' | 'stat' | 'tombstone' }>): Promise<Written> {
    const sql = this.#sql;
    switch (change.kind) {
      case 'replace': {
        const event = await this.#event(change.id);
        const crc = checksumOf({ ...event, sketch: change.sketch });
        await sql`UPDATE event SET sketch = ${change.sketch}, crc = ${crc} WHERE ref = ${event.ref}`;
        if (change.dropKeys) {
          await this.#unlist(event);
          await sql`UPDATE event SET links = NULL, terms = NULL WHERE ref = ${event.ref}`;
        }
        return { ref: event.ref, fresh: true, count: event.n };
      }
      case 'remove':
        return this.#remove(await this.#event(change.id), change.at, change.certificate);
      case 'times': {
        const { ref, n } = await this.#event(change.id);
        const { validFrom = null, validTo = null, retractedAt = null } = change.times ?? {};
        await sql`UPDATE event SET valid_from = ${validFrom}, valid_to = ${validTo}, retracted_at = ${retractedAt}
          WHERE ref = ${ref}`;
        return { ref, fresh: true, count: n };
      }
      case 'relink': {
        const { ref, n, at, links } = await this.#event(change.id);
        this.#count(unpacked(links), at, -1);
        this.#count(change.links, at, 1);
        const packed = change.links.length === 0 ? null : packLinks(change.links);
        await sql`UPDATE event SET links = ${packed} WHERE ref = ${ref}`;
        return { ref, fresh: true, count: n };
      }
      case 'links': {
        const old = await owned(sql, change.owner);
        if (old !== undefined) this.#count(old.links, old.at, -1);
        this.#count(change.links, change.at, 1);
        await putOwned(sql, change.owner, change.at, change.links);
        return nothing;
      }
      case 'source':
        await putSource(sql, change.source, change.text);
        return nothing;
      case 'blank':
        await blankSource(sql, change.source, change.lo, change.hi);
        return nothing;
      default:
        return change satisfies never;
    }
  }

  /** What is settled once for all changes: edges, names and structures without an event, full groups. */
  async finish(): Promise<void> {
    const sql = this.#sql;
    await applyEdges(sql, this.#edges.increments());
    if (this.#structures.length > 0) {
      await sql`DELETE FROM structure WHERE ord = ANY(${numbers(this.#structures)}::int[]) AND n <= 0`;
      await dropSources(sql, this.#sources);
    }
    if (this.#edited) this.#counters.edits++;
    for (let group = groupOf(this.#first); group < groupOf(this.#counters.next); group++) await packGroup(sql, group);
  }

  /** An event of an earlier write: its reference is below the first that this write gives out. */
  async #event(id: Id): Promise<Stored> {
    const [row] = await this.#sql<Stored[]>`
      SELECT ref, id, structure, source, n, at, provenance, meta, links, terms FROM event
      WHERE id = ${id} AND ref < ${this.#first}`;
    if (row === undefined) throw eventNotFound(id);
    return row;
  }

  async #remove(event: Stored, at: number, certificate: string | undefined): Promise<Written> {
    const sql = this.#sql;
    const { ref, structure, source } = event;
    await this.#unlist(event);
    await sql`DELETE FROM bucket USING (SELECT * FROM signature WHERE ref = ${ref}) AS s, generate_series(0, 7) AS t
      WHERE tbl = t AND key = substring(s.sig FROM 16 * t + 1 FOR 16)::bit(16)::int AND bucket.ref = ${ref}`;
    await sql`DELETE FROM signature WHERE ref = ${ref}`;
    await sql`DELETE FROM event WHERE ref = ${ref}`;
    await sql`UPDATE structure SET n = n - 1 WHERE ord = ${structure}`;
    await sql`UPDATE source SET n = n - 1 WHERE ord = ${source}`;
    if (certificate !== undefined) await this.#bury(contentHash([event.id]), at, certificate);
    this.#structures.push(structure);
    this.#sources.push(source);
    this.#counters.events--;
    return { ref, fresh: true, count: 0 };
  }

  /** Takes an event out of all lists: keys, words, edges. */
  async #unlist({ ref, at, links, terms }: Stored): Promise<void> {
    await dropPostings(this.#sql, ref);
    this.#count(unpacked(links), at, -1);
    if (terms === null) return;
    const { keys, length } = unpackTerms(toBytes(terms));
    await dropTerms(this.#sql, ref, keys);
    this.#counters.documents--;
    this.#counters.words -= length;
  }

  async #bury(hash: Uint8Array, at: number, certificate: string): Promise<void> {
    await this.#sql`INSERT INTO tombstone VALUES (${hash}, ${at}, ${toText(certificate)})
      ON CONFLICT (hash) DO UPDATE SET at = EXCLUDED.at, certificate = EXCLUDED.certificate`;
  }

  #count(links: readonly Link[], at: number, sign: 1 | -1): void {
    checkLinks(links);
    this.#edges.add(links, at, sign);
    this.#counters.edgeLog += links.length;
  }
}

function unpacked(links: Uint8Array | null): Link[] {
  return links === null ? [] : unpackLinks(toBytes(links));
}
