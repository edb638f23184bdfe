// The canonical text form of a store's content: what two stores with the same events must agree on, line by line. It is
// made from the port alone, so it is the same for every store.
import { contentHash } from './_hash.ts';
import type { Link } from './links.ts';
import type { FullRecord, SourceName, Store } from './store.ts';

const PAGE = 512;

/** One line per event in order of its id, then one per statistic, owner of links, edge and kept source text. */
export async function* dumpLines(store: Store): AsyncGenerator<string> {
  const lines: string[] = [];
  for await (const record of allRecords(store)) lines.push(recordLine(record));
  yield* lines.sort();
  for (const name of (await store.statNames()).sort()) {
    yield JSON.stringify({ stat: name, bytes: hex((await store.stat(name))!) });
  }
  for (const { owner, at, links } of await store.owners()) yield JSON.stringify({ owner, at, links: linkTexts(links) });
  for await (const { from, kind, to, weight, count, time } of allEdges(store)) {
    yield JSON.stringify({ edge: [from, kind, to], weight, count, time });
  }
  for await (const source of allSources(store)) {
    if (source.bytes === undefined) continue;
    const [text] = await store.texts([{ source, lo: 0, hi: source.bytes }]);
    yield JSON.stringify({ source: source.uri, sha256: source.sha256, text: hex(contentHash([text!], 32)) });
  }
}

/** One line with everything that is kept of an event but its reference. */
export function recordLine({ count, event }: FullRecord): string {
  const { times, links, terms } = event;
  return JSON.stringify({
    id: hex(event.id),
    structure: event.structure.hash,
    task: event.task,
    source: event.source,
    ...(event.sourceHash ? { sourceHash: event.sourceHash } : {}),
    at: event.at,
    ...(times === undefined
      ? {}
      : { times: [times.validFrom, times.validTo, times.retractedAt].map((t) => t ?? null) }),
    count,
    provenance: hex(event.provenance),
    meta: hex(event.meta),
    sketch: hex(event.sketch),
    signature: Array.from(event.signature, (w) => w.toString(16).padStart(8, '0')).join(''),
    keys: [...event.keys],
    ...(links === undefined || links.length === 0 ? {} : { links: linkTexts(links) }),
    ...(terms === undefined
      ? {}
      : { terms: Array.from(terms.keys, (key, i) => [key, terms.counts[i]]), length: terms.length }),
  });
}

export async function* allRecords(store: Store): AsyncGenerator<FullRecord> {
  for (let after = 0; ;) {
    const page = await store.records(after, PAGE);
    if (page.length === 0) return;
    yield* page;
    after = page[page.length - 1]!.ref;
  }
}

export async function* allEdges(store: Store): AsyncGenerator<Awaited<ReturnType<Store['edgePage']>>[number]> {
  for (let after: Parameters<Store['edgePage']>[0]; ;) {
    const page = await store.edgePage(after, 4096);
    if (page.length === 0) return;
    yield* page;
    after = page[page.length - 1]!;
  }
}

export async function* allSources(store: Store): AsyncGenerator<Awaited<ReturnType<Store['sources']>>[number]> {
  for (let after: SourceName | undefined; ;) {
    const page = await store.sources(after, PAGE);
    if (page.length === 0) return;
    yield* page;
    after = page[page.length - 1]!;
  }
}

function linkTexts(links: readonly Link[]): string[] {
  return links.map(({ from, kind, to, weight }) => `${from} ${kind} ${to} ${weight}`);
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
