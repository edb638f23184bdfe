// What the graph says of found events beside their likeness: which were superseded, and which contradict another that holds
// at the same time. Nothing is dropped for it.
import { nodeOfLinks } from './_event-links.ts';
import { overlap } from './_validity.ts';
import { idToText, isCorrupt, type Store, type StoredRow } from './store.ts';

export interface Relations {
  /** Events that replace it. */
  readonly supersededBy: readonly string[];
  /** Events that say otherwise about the same for a common time, withdrawn and superseded ones left out. */
  readonly contradicts: readonly string[];
}

const MOST = 64;

/** Relations of some events, in order. */
export async function relationsOf(store: Store, rows: readonly StoredRow[]): Promise<Relations[]> {
  const none = rows.map((): Relations => ({ supersededBy: [], contradicts: [] }));
  const links = await store.links(rows.map(({ ref }) => ref));
  const nodes = links.map(nodeOfLinks);
  const known = nodes.filter((node) => node !== undefined);
  if (known.length === 0) return none;
  const own = await edgesByNode(store, known, ['superseded', 'about']);
  const targets = (node: number, kind: 'superseded' | 'about'): number[] =>
    (own.get(node) ?? []).filter((edge) => edge.kind === kind).map(({ to }) => to);
  const frames = [...new Set(known.flatMap((node) => targets(node, 'about')))];
  const told = await edgesByNode(store, frames, ['told']);
  const rivals = (node: number): number[] =>
    targets(node, 'about').flatMap((frame) => (told.get(frame) ?? []).map(({ to }) => to).filter((to) => to !== node));
  const wanted = [...new Set(known.flatMap((node) => [...targets(node, 'superseded'), ...rivals(node)]))];
  if (wanted.length === 0) return none;
  const events = await eventsOfNodes(store, wanted);
  const replaced = await edgesByNode(store, wanted, ['superseded']);
  return rows.map((row, i) => {
    const node = nodes[i];
    if (node === undefined) return none[i]!;
    const newer = targets(node, 'superseded').flatMap((to) => events.get(to) ?? []);
    const others = [...new Set(rivals(node))]
      .filter((to) => (replaced.get(to) ?? []).length === 0)
      .flatMap((to) => events.get(to) ?? [])
      .filter((other) => other.times?.retractedAt === undefined && overlap(row, other));
    const open = targets(node, 'superseded').length === 0 && row.times?.retractedAt === undefined;
    return { supersededBy: names(newer), contradicts: open ? names(others) : [] };
  });
}

/** The events whose node each is. */
export async function eventsOfNodes(store: Store, nodes: readonly number[]): Promise<Map<number, StoredRow[]>> {
  const { hits } = await store.sharing(nodes, { limit: MOST * nodes.length });
  const rows = await store.read(hits.map(({ ref }) => ref));
  const intact = rows.filter((row): row is StoredRow => row !== undefined && !isCorrupt(row));
  const links = await store.links(intact.map(({ ref }) => ref));
  const events = new Map<number, StoredRow[]>();
  intact.forEach((row, i) => {
    const node = nodeOfLinks(links[i]!);
    if (node === undefined || !nodes.includes(node)) return;
    events.set(node, [...(events.get(node) ?? []), row]);
  });
  return events;
}

async function edgesByNode(
  store: Store,
  nodes: readonly number[],
  kinds: Parameters<Store['edges']>[1],
): Promise<Map<number, Awaited<ReturnType<Store['edges']>>[number]>> {
  const lists = await store.edges(nodes, kinds, MOST);
  return new Map(nodes.map((node, i) => [node, lists[i]!] as const));
}

function names(rows: readonly StoredRow[]): string[] {
  return [...new Set(rows.map(({ id }) => idToText(id)))].sort();
}
