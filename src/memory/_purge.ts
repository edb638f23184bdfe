// What an erasure takes with it beyond the event's own record: edges of others that lead to nodes which are gone with it, the
// ends that it set to what it superseded, and its bytes in a kept source text.
import { reopened } from './_facts.ts';
import { provenanceOf } from './_stored-event.ts';
import type { ComponentKeys } from './components.ts';
import { edgeKinds, edgeName, EdgeSum, type Link } from './links.ts';
import { type Change, isCorrupt, type SourceName, type Store, type StoredRow } from './store.ts';

const MOST = 4096;

export interface Purge {
  readonly changes: readonly Change[];
  /** What the changes concern, for the certificate. */
  readonly names: readonly string[];
  /** Owners of edges, such as concepts, that were made with the event and are not subtractive. */
  readonly influenced: readonly string[];
}

/** Changes that belong to the removal of some events, in the same write. */
export async function purgeOf(store: Store, rows: readonly StoredRow[], keys: ComponentKeys): Promise<Purge> {
  const links = await store.links(rows.map(({ ref }) => ref));
  const changes: Change[] = [];
  const names: string[] = [];
  const gone = await nodesOnlyIn(store, rows, links);
  const removed = new Set(rows.map(({ ref }) => ref));
  const cuts = gone.size === 0 ? { changes: [], owners: [] } : await cutEdges(store, removed, links.flat(), gone);
  for (const [i, row] of rows.entries()) {
    const open = await reopened(store, row, links[i]!);
    if (open.length > 0) names.push('superseded');
    changes.push(...open.filter((change) => !('id' in change) || !rows.some(({ id }) => same(id, change.id))));
  }
  changes.push(...cuts.changes);
  if (links.some((own) => own.length > 0)) names.push('edges');
  const blanks = await blankTexts(store, rows, keys);
  if (blanks.length > 0) names.push('source text');
  changes.push(...blanks);
  return { changes, names: [...new Set(names)], influenced: cuts.owners };
}

/** Nodes that no other events have. */
async function nodesOnlyIn(
  store: Store,
  rows: readonly StoredRow[],
  links: readonly (readonly Link[])[],
): Promise<Set<number>> {
  const own = new Set<number>();
  for (const { from, kind, to } of links.flat()) {
    own.add(from);
    if (kind === 'has' || kind === 'with') own.add(to);
  }
  const nodes = [...own];
  if (nodes.length === 0) return own;
  const { frequency } = await store.sharing(nodes, { limit: 0 });
  const held = await store.shared(
    nodes,
    rows.map(({ ref }) => ref),
  );
  const here = new Uint32Array(nodes.length);
  for (const places of held) for (const p of places) here[p]!++;
  return new Set(nodes.filter((_, i) => frequency[i]! <= here[i]!));
}

/** Other events and owners lose their edges to nodes that are gone. */
async function cutEdges(
  store: Store,
  removed: ReadonlySet<number>,
  links: readonly Link[],
  gone: ReadonlySet<number>,
): Promise<{ changes: Change[]; owners: string[] }> {
  const own = new EdgeSum();
  own.add(links, 0, 1);
  const mine = new Map(own.increments().map(({ from, kind, to, count }) => [edgeName(from, kind, to), count]));
  const others = new Set<number>();
  for (const { from, kind, to, count } of (await store.edges([...gone], edgeKinds, MOST)).flat()) {
    if (count > (mine.get(edgeName(from, kind, to)) ?? 0)) others.add(to).add(from);
  }
  const changes: Change[] = [];
  const owners: string[] = [];
  if (others.size === 0) return { changes, owners };
  const keep = ({ from, to }: Link): boolean => !gone.has(from) && !gone.has(to);
  const { hits } = await store.sharing([...others], { limit: MOST });
  const rows = await store.read(hits.map(({ ref }) => ref));
  const held = await store.links(hits.map(({ ref }) => ref));
  rows.forEach((other, i) => {
    if (other === undefined || isCorrupt(other) || removed.has(other.ref) || held[i]!.every(keep)) return;
    changes.push({ kind: 'relink', id: other.id, links: held[i]!.filter(keep) });
  });
  for (const { owner, at, links: owned } of await store.owners()) {
    if (owned.every(keep)) continue;
    owners.push(owner);
    changes.push({ kind: 'links', owner, at, links: owned.filter(keep) });
  }
  return { changes, owners };
}

/**
 * The events' bytes in kept source texts, overwritten, except those of other events inside them: an event that only surrounds
 * a forgotten one does not protect its bytes.
 */
async function blankTexts(store: Store, rows: readonly StoredRow[], keys: ComponentKeys): Promise<Change[]> {
  const bySource = new Map<string, { name: SourceName; ranges: (readonly [number, number])[]; refs: Set<number> }>();
  for (const row of rows) {
    const { source, sha256 = '', range } = provenanceOf(row);
    if (range === undefined || range[1] <= range[0]) continue;
    const key = `${source} ${sha256}`;
    const entry = bySource.get(key) ?? { name: { uri: source, sha256 }, ranges: [], refs: new Set() };
    entry.ranges.push(range);
    entry.refs.add(row.ref);
    bySource.set(key, entry);
  }
  const changes: Change[] = [];
  for (const { name, ranges, refs } of bySource.values()) {
    const [text] = await store.texts([{ source: name, lo: 0, hi: 1 }]);
    if (text === undefined) continue;
    const { hits } = await store.sharing([keys.source(name.uri, name.sha256)], { limit: 1 << 24 });
    const others = (await store.read(hits.map(({ ref }) => ref).filter((ref) => !refs.has(ref)))).flatMap((row) => {
      const range = row === undefined || isCorrupt(row) ? undefined : provenanceOf(row).range;
      return range === undefined ? [] : [range];
    });
    for (const [lo, hi] of ranges) {
      for (const [from, to] of withoutRanges(lo, hi, others))
        changes.push({ kind: 'blank', source: name, lo: from, hi: to });
    }
  }
  return changes;
}

/** The parts of a range outside of all ranges that lie within it. */
function withoutRanges(
  lo: number,
  hi: number,
  others: readonly (readonly [number, number])[],
): (readonly [number, number])[] {
  const inside = others.filter(([from, to]) => from >= lo && to <= hi && from < to).sort((a, b) => a[0] - b[0]);
  const rest: (readonly [number, number])[] = [];
  let at = lo;
  for (const [from, to] of inside) {
    if (from > at) rest.push([at, from]);
    at = Math.max(at, to);
  }
  if (at < hi) rest.push([at, hi]);
  return rest;
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}
