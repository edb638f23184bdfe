// What the in-memory store holds and how each change alters it. Everything that can be refused is checked before the first
// change is made, so that a write happens as a whole or not at all.
import { sourceText } from './_source-name.ts';
import { contentHash } from './_hash.ts';
import { checkTerms } from './_terms.ts';
import { checkLinks, type Edge, type EdgeIncrement, edgeName, EdgeSum, type Link } from './links.ts';
import {
  type Change,
  type Entity,
  eventNotFound,
  expectRef,
  expectSource,
  type Id,
  idToText,
  type NewEvent,
  type OwnedLinks,
  type SourceName,
  type StoredRow,
  type Times,
  type Tombstone,
  type Written,
} from './store.ts';

export interface Item {
  readonly row: StoredRow;
  readonly event: NewEvent;
  readonly keys: ReadonlySet<number>;
}

export interface KeptSource {
  readonly name: SourceName;
  text: Uint8Array | undefined;
}

export interface State {
  readonly items: Map<number, Item>;
  readonly refs: Map<string, number>;
  readonly structures: Map<string, Uint8Array>;
  readonly entities: Map<number, Entity>;
  readonly edges: Map<string, EdgeIncrement>;
  readonly owners: Map<string, OwnedLinks>;
  readonly sources: Map<string, KeptSource>;
  readonly stats: Map<string, Uint8Array>;
  readonly tombstones: Map<string, Tombstone>;
  /** Events removed by the write that is under way. */
  readonly left: StoredRow[];
  next: number;
  edits: number;
  edgeLog: number;
}

export function emptyState(): State {
  return {
    items: new Map(),
    refs: new Map(),
    structures: new Map(),
    entities: new Map(),
    edges: new Map(),
    owners: new Map(),
    sources: new Map(),
    stats: new Map(),
    tombstones: new Map(),
    left: [],
    next: 1,
    edits: 0,
    edgeLog: 0,
  };
}

export function itemOf(state: State, id: Id): Item | undefined {
  const ref = state.refs.get(idToText(id));
  return ref === undefined ? undefined : state.items.get(ref);
}

export function toEdge({ from, kind, to, weight, count, seconds }: EdgeIncrement): Edge {
  return { from, kind, to, weight, count, seconds, time: Math.floor(seconds / count) };
}

/** Throws what any of the changes would be refused for. */
export function checkChanges(state: State, changes: readonly Change[]): void {
  let next = state.next;
  const fresh = new Set<string>();
  const removed = new Set<string>();
  for (const change of changes) {
    if ('id' in change) {
      const id = idToText(change.id);
      if (!state.refs.has(id) || removed.has(id)) throw eventNotFound(change.id);
      if (change.kind === 'remove') removed.add(id);
    }
    if (change.kind === 'insert') {
      const { event, ref } = change;
      const id = idToText(event.id);
      if (fresh.has(id) || (state.refs.has(id) && !removed.has(id))) continue;
      expectRef(ref ?? next, next);
      next = (ref ?? next) + 1;
      fresh.add(id);
    }
    checkContent(change);
  }
}

/** Throws for a change that no store would take, whatever it holds. */
export function checkContent(change: Change): void {
  if (change.kind === 'insert') {
    const { source, sourceHash = '', links, terms } = change.event;
    expectSource({ uri: source, sha256: sourceHash });
    if (links !== undefined) checkLinks(links);
    if (terms !== undefined) checkTerms(terms);
  }
  if (change.kind === 'links' || change.kind === 'relink') checkLinks(change.links);
  if (change.kind === 'source') expectSource(change.source);
}

export function applyChange(state: State, change: Change): Written {
  switch (change.kind) {
    case 'insert':
      return insert(state, change.event, change.ref ?? state.next, change.count ?? 1);
    case 'replace': {
      const item = itemOf(state, change.id)!;
      const { ref, count } = item.row;
      const row = { ...item.row, sketch: change.sketch };
      if (change.dropKeys) {
        addEdges(state, item.event.links ?? [], item.row.at, -1);
        const event = { ...item.event, links: undefined, terms: undefined };
        state.items.set(ref, { row, event, keys: new Set() });
        dropUnused(state, item.keys);
      } else state.items.set(ref, { ...item, row });
      return { ref, fresh: true, count };
    }
    case 'remove':
      return remove(state, itemOf(state, change.id)!, change.at, change.certificate);
    case 'times': {
      const item = itemOf(state, change.id)!;
      state.items.set(item.row.ref, { ...item, row: { ...item.row, times: settledTimes(change.times) } });
      return { ref: item.row.ref, fresh: true, count: item.row.count };
    }
    case 'relink': {
      const item = itemOf(state, change.id)!;
      addEdges(state, item.event.links ?? [], item.row.at, -1);
      addEdges(state, change.links, item.row.at, 1);
      state.items.set(item.row.ref, { ...item, event: { ...item.event, links: change.links } });
      return { ref: item.row.ref, fresh: true, count: item.row.count };
    }
    case 'links': {
      const { owner, at, links } = change;
      const old = state.owners.get(owner);
      if (old !== undefined) addEdges(state, old.links, old.at, -1);
      addEdges(state, links, at, 1);
      if (links.length === 0) state.owners.delete(owner);
      else state.owners.set(owner, { owner, at, links });
      return nothing;
    }
    case 'source': {
      const key = sourceText(change.source);
      const used = [...state.items.values()].some(({ row }) => sourceText(nameOf(row)) === key);
      if (change.text === undefined && !used) state.sources.delete(key);
      else state.sources.set(key, { name: change.source, text: change.text?.slice() });
      return nothing;
    }
    case 'blank': {
      state.sources.get(sourceText(change.source))?.text?.fill(0x20, change.lo, change.hi);
      return nothing;
    }
    case 'tombstone':
      state.tombstones.set(change.tombstone.idHash, change.tombstone);
      return nothing;
    case 'stat':
      if (change.bytes === undefined) state.stats.delete(change.name);
      else state.stats.set(change.name, change.bytes);
      return nothing;
    default:
      return change satisfies never;
  }
}

/** At the end of a write: structures and source texts whose last event it removed go too. */
export function dropUnnamed(state: State): void {
  const rows = [...state.items.values()].map(({ row }) => row);
  for (const { structure, source, sourceHash } of state.left.splice(0)) {
    if (!rows.some((row) => row.structure === structure)) state.structures.delete(structure);
    if (!rows.some((row) => row.source === source && row.sourceHash === sourceHash)) {
      state.sources.delete(sourceText({ uri: source, sha256: sourceHash }));
    }
  }
}

const nothing: Written = { ref: 0, fresh: true, count: 0 };

function insert(state: State, event: NewEvent, ref: number, count: number): Written {
  const known = itemOf(state, event.id);
  if (known !== undefined) {
    const row = { ...known.row, count: known.row.count + count };
    state.items.set(row.ref, { ...known, row });
    return { ref: row.ref, fresh: false, count: row.count };
  }
  const { id, task, source, sourceHash = '', at, provenance, meta, sketch } = event;
  const structure = event.structure.hash;
  const times = settledTimes(event.times);
  const row = { ref, id, structure, task, source, sourceHash, at, times, provenance, meta, sketch, count };
  state.items.set(ref, { row, event, keys: new Set(event.keys) });
  state.refs.set(idToText(id), ref);
  state.next = ref + 1;
  state.structures.set(structure, event.structure.bytes);
  const key = sourceText(nameOf(row));
  if (!state.sources.has(key)) state.sources.set(key, { name: nameOf(row), text: undefined });
  for (const entity of event.entities) if (!state.entities.has(entity.key)) state.entities.set(entity.key, entity);
  addEdges(state, event.links ?? [], at, 1);
  return { ref, fresh: true, count };
}

function remove(state: State, { row, event, keys }: Item, at: number, certificate: string | undefined): Written {
  state.items.delete(row.ref);
  state.refs.delete(idToText(row.id));
  dropUnused(state, keys);
  addEdges(state, event.links ?? [], row.at, -1);
  state.left.push(row);
  const idHash = Buffer.from(contentHash([row.id])).toString('hex');
  if (certificate !== undefined) state.tombstones.set(idHash, { idHash, at, certificate });
  return { ref: row.ref, fresh: true, count: 0 };
}

/** Adds the links of an owner to the edges, or takes them away; an edge without contributions is gone. */
function addEdges(state: State, links: readonly Link[], at: number, sign: 1 | -1): void {
  const sum = new EdgeSum();
  sum.add(links, at, sign);
  state.edgeLog += links.length;
  for (const increment of sum.increments()) {
    const name = edgeName(increment.from, increment.kind, increment.to);
    const edge = state.edges.get(name) ?? { ...increment, weight: 0, count: 0, seconds: 0 };
    edge.weight += increment.weight;
    edge.count += increment.count;
    edge.seconds += increment.seconds;
    if (edge.count <= 0) state.edges.delete(name);
    else state.edges.set(name, edge);
  }
}

function dropUnused(state: State, keys: ReadonlySet<number>): void {
  for (const key of keys) if (![...state.items.values()].some((item) => item.keys.has(key))) state.entities.delete(key);
}

function nameOf(row: StoredRow): SourceName {
  return { uri: row.source, sha256: row.sourceHash };
}

/** Times without the undefined ones; undefined when none is left. */
function settledTimes(times: Times | undefined): Times | undefined {
  const { validFrom, validTo, retractedAt } = times ?? {};
  if (validFrom === undefined && validTo === undefined && retractedAt === undefined) return undefined;
  return {
    ...(validFrom === undefined ? {} : { validFrom }),
    ...(validTo === undefined ? {} : { validTo }),
    ...(retractedAt === undefined ? {} : { retractedAt }),
  };
}
