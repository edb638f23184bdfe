// Whole events read back from the SQLite tables, as a copy needs them: the inverted lists are turned round for a page of
// events at a time.
import { isCorrupt, type Entity, type FullRecord } from './store.ts';
import type { SqliteTables } from './_sqlite-writes.ts';

/** The events behind a reference, in order, at most `limit`; damaged ones are left out. */
export function readRecords(tables: SqliteTables, after: number, limit: number): FullRecord[] {
  const { rows, index, postings, terms, graph, dictionary } = tables;
  let page = rows.after(after, limit);
  while (page.length > 0 && page.every(isCorrupt)) page = rows.after(page[page.length - 1]!.ref, limit);
  const refs = page.map(({ ref }) => ref);
  const folded = refs.filter((ref) => !index.pending.has(ref));
  const keysOf = postings.keysOf(folded);
  const termsOf = terms.termsOf(refs);
  const records: FullRecord[] = [];
  for (const row of page) {
    if (isCorrupt(row)) continue;
    const { ref, id, task, source, sourceHash, at, times, provenance, meta, sketch, count } = row;
    const keys = index.pending.get(ref)?.keys ?? Float64Array.from(keysOf.get(ref) ?? [], ({ key }) => key).sort();
    const links = graph.links(ref);
    const event = {
      id,
      structure: { hash: row.structure, bytes: dictionary.structureBytes(row.structure)! },
      task,
      source,
      sourceHash,
      at,
      times,
      provenance,
      meta,
      sketch,
      signature: index.events.signature(ref),
      centre: index.events.centre(ref),
      keys,
      entities: Array.from(keys, (key) => index.entityOf(key)).filter((e): e is Entity => e !== undefined),
      links: links.length === 0 ? undefined : links,
      terms: termsOf.get(ref),
    };
    records.push({ ref, count, event });
  }
  return records;
}
