// Recall: candidates by signature and by shared keys, scored by centred cosine and by how rare the shared components are.
// Every hit says why. Source: arXiv 1910.06718; the score is a fixed sum, never tuned on a benchmark.
import { CairnError } from '../errors.ts';
import { type Obj, objectSketch, type Sketcher } from '../sketch/index.ts';
import type { Centres } from './_centres.ts';
import { type Meta, type Provenance, unpackMeta } from './_record.ts';
import {
  type ComponentCue,
  keysOfSlots,
  type SharedComponent,
  type Slot,
  slotsOfComponents,
  slotsOfEvent,
  SlotScore,
} from './_slots.ts';
import { rarity } from './_sharing.ts';
import { type EventReader, moduleOf, provenanceOf } from './_stored-event.ts';
import type { ComponentKeys } from './components.ts';
import type { Signer } from './signature.ts';
import { type Entity, idFromText, idToText, isCorrupt, type Sharing, type Store, type StoredRow } from './store.ts';

/** What to look for; `between` keeps events whose validity, or else whose time, meets the interval. */
export type Cue = (
  | { readonly root: Obj | readonly Obj[] }
  | { readonly event: string }
  | { readonly components: readonly ComponentCue[] }
  | { readonly module: string; readonly attributes: Float32Array }
) & { readonly between?: readonly [number, number] | undefined };

/** An event that was found, and why. */
export interface Hit {
  readonly id: string;
  readonly ordinal: number;
  readonly task: string;
  readonly at: number;
  readonly provenance: Provenance;
  readonly meta: Meta;
  /** For whole events: centred cosine + overlap / 2. For components: the overlap. */
  readonly score: number;
  /** Cosine of the two sketches as they are; undefined for a component cue. */
  readonly cosine: number | undefined;
  /** Cosine after the mean of the module was taken away; this is what the score uses. */
  readonly centred: number | undefined;
  /** Weight of the shared components over the weight of all that the cue asks for, in 0..1. */
  readonly overlap: number;
  /** What led here: a near signature, or equal keys. */
  readonly via: readonly ('signature' | 'component')[];
  /** Different bits of the two signatures, of 256. */
  readonly hamming: number | undefined;
  readonly shared: readonly SharedComponent[];
}

interface Tools {
  readonly store: Store;
  readonly sketcher: Sketcher;
  readonly keys: ComponentKeys;
  readonly signer: Signer;
  readonly centres: Centres;
  readonly reader: EventReader;
}

const CANDIDATES = 32;
const MOST_CENTRES = 32;
const MOST_HITS = 10_000;

export class Recall {
  readonly #tools: Tools;

  constructor(tools: Tools) {
    this.#tools = tools;
  }

  /** The signature of a component's own sketch. */
  entity(object: Obj, key: number): Entity {
    const { signer, sketcher } = this.#tools;
    const content = objectSketch(object, sketcher.spec).content;
    return { key, module: object.module, signature: signer.sign(content).bits };
  }

  async find(cue: Cue, k: number): Promise<Hit[]> {
    const { sketcher, keys, reader, store } = this.#tools;
    if (!Number.isInteger(k) || k < 1 || k > MOST_HITS) {
      throw new CairnError('bad_count', `Expected 1 to ${MOST_HITS} hits to be asked for, got ${k}.`);
    }
    if ('components' in cue) return this.#byParts(await slotsOfComponents(cue.components, this.#tools), k, cue.between);
    if ('module' in cue) {
      const object: Obj = { module: cue.module, attributes: cue.attributes };
      return this.#byParts(await slotsOfComponents([{ object }], this.#tools), k, cue.between);
    }
    if ('root' in cue) {
      const encoded = sketcher.encode(cue.root);
      const vector = Float64Array.from(encoded.values);
      const slots = slotsOfEvent(keys.of(cue.root));
      return this.#byWhole({ vector, module: moduleOf(encoded.structure), slots }, k, cue.between);
    }
    const [row] = await store.find([idFromText(cue.event)]);
    if (row === undefined || isCorrupt(row)) {
      throw new CairnError('event_not_found', `Expected the id of a readable event, got ${cue.event}.`, {
        hint: 'List the events to see what is there; it may have been forgotten.',
      });
    }
    const { vector, module, trace } = await reader.unrolled(row);
    const slots = trace === undefined ? [] : slotsOfEvent(keys.of(trace));
    return this.#byWhole({ vector, module, slots }, k, cue.between);
  }

  async #byWhole(
    cue: { readonly vector: Float64Array; readonly module: string; readonly slots: readonly Slot[] },
    k: number,
    between: Cue['between'],
  ): Promise<Hit[]> {
    const { store, signer, centres, reader } = this.#tools;
    const limit = between === undefined ? Math.max(CANDIDATES, k * 2) : MOST_HITS;
    const queries = centres
      .all(cue.module)
      .slice(0, MOST_CENTRES)
      .map((c) => ({ centre: c.id, signed: signer.sign(cue.vector, c.mean) }));
    const near = new Map((await store.near(queries, limit)).map((n) => [n.ref, n.distance] as const));
    const search = await this.#search(cue.slots, limit, [...near.keys()]);
    const sum = new Map(search.hits.map((hit) => [hit.ref, hit.score] as const));
    const mean = centres.mean(cue.module) ?? centres.latest(cue.module)?.mean;
    const found: Found[] = [];
    for (const row of await store.read([...new Set([...near.keys(), ...sum.keys()])])) {
      if (row === undefined || isCorrupt(row) || !isInside(row, between)) continue;
      const own = await reader.vector(row);
      const cosine = cosineOf(cue.vector, own.vector);
      const centred = own.module === cue.module ? cosineOf(cue.vector, own.vector, mean) : cosine;
      // Slots of a whole event have one key each, so the sum over the keys is the overlap.
      const overlap = search.full > 0 ? (sum.get(row.ref) ?? 0) / search.full : 0;
      found.push({ row, score: centred + overlap / 2, cosine, centred, overlap, hamming: near.get(row.ref) });
    }
    const hits = best(found, k);
    const has = await this.#keysOf(search, hits);
    return hits.map((f) => toHit(f, search.score.reasons(has(f.row.ref))));
  }

  async #byParts(slots: readonly Slot[], k: number, between: Cue['between']): Promise<Hit[]> {
    const limit = between === undefined ? Math.max(CANDIDATES, k * 4) : MOST_HITS;
    const search = await this.#search(slots, limit, []);
    const rows = await this.#tools.store.read(search.hits.map(({ ref }) => ref));
    const inside = rows.filter((row) => row !== undefined && !isCorrupt(row) && isInside(row, between)) as StoredRow[];
    const has = await this.#keysOf(
      search,
      inside.map((row) => ({ row })),
    );
    const found = inside.map((row): Found => {
      const overlap = search.score.overlap(has(row.ref));
      return { row, score: overlap, overlap, cosine: undefined, centred: undefined, hamming: undefined };
    });
    return best(found, k).map((f) => toHit(f, search.score.reasons(has(f.row.ref))));
  }

  /** Candidates by shared keys, `also` included where they share any. */
  async #search(slots: readonly Slot[], limit: number, also: readonly number[]): Promise<Search> {
    const { store } = this.#tools;
    const likeness = keysOfSlots(slots);
    const keys = [...likeness.keys()];
    const { frequency, hits } = await store.sharing(keys, { limit, likeness: [...likeness.values()], also });
    const events = await store.count();
    const score = new SlotScore(slots, new Map(keys.map((key, i) => [key, frequency[i]!] as const)), events);
    return { keys, hits, score, full: frequency.reduce((sum, n) => sum + rarity(n, events), 0) };
  }

  async #keysOf(
    search: Search,
    found: readonly { readonly row: StoredRow }[],
  ): Promise<(ref: number) => ReadonlySet<number>> {
    const refs = found.map(({ row }) => row.ref);
    const shared = await this.#tools.store.shared(search.keys, refs);
    const sets = new Map(refs.map((ref, i) => [ref, new Set(shared[i]!.map((p) => search.keys[p]!))] as const));
    const none: ReadonlySet<number> = new Set();
    return (ref) => sets.get(ref) ?? none;
  }
}

interface Search {
  readonly keys: readonly number[];
  readonly hits: Sharing['hits'];
  readonly score: SlotScore;
  /** Weight of an event that has everything. */
  readonly full: number;
}

/** A candidate with its scores. */
type Found = { readonly row: StoredRow } & Pick<Hit, 'score' | 'cosine' | 'centred' | 'overlap' | 'hamming'>;

/** Cosine over the numbers that both have, after taking away a mean. */
export function cosineOf(a: ArrayLike<number>, b: ArrayLike<number>, mean?: ArrayLike<number>): number {
  const n = Math.min(a.length, b.length);
  let ab = 0;
  let aa = 0;
  let bb = 0;
  for (let i = 0; i < n; i++) {
    const m = mean === undefined ? 0 : mean[i]!;
    const x = a[i]! - m;
    const y = b[i]! - m;
    ab += x * y;
    aa += x * x;
    bb += y * y;
  }
  return aa === 0 || bb === 0 ? 0 : ab / Math.sqrt(aa * bb);
}

function toHit({ row, ...scores }: Found, shared: readonly SharedComponent[]): Hit {
  const { ref, task, at, meta } = row;
  return {
    id: idToText(row.id),
    ordinal: ref,
    task,
    at,
    provenance: provenanceOf(row),
    meta: unpackMeta(meta),
    ...scores,
    via: [
      ...(scores.hamming === undefined ? [] : (['signature'] as const)),
      ...(shared.length === 0 ? [] : (['component'] as const)),
    ],
    shared,
  };
}

function isInside(row: StoredRow, between: Cue['between']): boolean {
  if (between === undefined) return true;
  const { validFrom, validTo } = provenanceOf(row);
  return (
    (validFrom ?? row.at) <= between[1] && (validTo ?? (validFrom === undefined ? row.at : Infinity)) >= between[0]
  );
}

/** Best score first, then the later event, then by id: nothing depends on the order of recording. */
function best(found: Found[], k: number): Found[] {
  return found
    .sort((a, b) => b.score - a.score || b.row.at - a.row.at || Buffer.compare(a.row.id, b.row.id))
    .slice(0, k);
}
