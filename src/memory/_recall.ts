// Recall: candidates by signature, by shared keys, by words and by a random walk over the graph, scored by a fixed sum. Every
// hit says why. Source: arXiv 1910.06718.
import { CairnError } from '../errors.ts';
import { type Obj, objectSketch, type Sketcher, unroll, type UnrolledObject } from '../sketch/index.ts';
import type { Centres } from './_centres.ts';
import { findBySketch } from './_by-sketch.ts';
import { type Cue, type Question, questionOf } from './_cue.ts';
import { nodeOfLinks } from './_event-links.ts';
import type { GraphView } from './_graph-view.ts';
import {
  best,
  cosineOf,
  type DecodedComponent,
  type Found,
  type Hit,
  type Recency,
  type ScoreParts,
  type ScoreWeights,
  sumOf,
  toHit,
} from './_hit.ts';
import { relationsOf } from './_relations.ts';
import { rarity } from './_sharing.ts';
import { type ComponentCue, keysOfSlots, SlotScore } from './_slots.ts';
import type { EventReader } from './_stored-event.ts';
import { isLimited, passes } from './_validity.ts';
import type { ComponentKeys } from './components.ts';
import type { Signer } from './signature.ts';
import { type Entity, isCorrupt, type Sharing, type Store, type StoredRow } from './store.ts';
import type { Step } from './walk.ts';

export interface RecallOptions {
  /** Walks over the graph from the cue and from what is like it; true by default. */
  readonly walk?: boolean | undefined;
  readonly weights?: ScoreWeights | undefined;
  readonly recency?: Recency | undefined;
  /** Hits of a component cue in which the component is read back from the sketch; 3 by default. */
  readonly decode?: number | undefined;
}

interface Tools {
  readonly store: Store;
  readonly sketcher: Sketcher;
  readonly keys: ComponentKeys;
  readonly signer: Signer;
  readonly centres: Centres;
  readonly reader: EventReader;
  readonly graph: GraphView;
}

const CANDIDATES = 32;
const MOST_CENTRES = 32;
const MOST_HITS = 10_000;
/** Postings that are walked along to bring events in. */
const MOST_POSTINGS = 1 << 18;
/** Candidates that a walk starts from, and nodes of its end that are looked up. */
const SEEDS = 16;
const ENDS = 64;
const NO_PARTS: ScoreParts = { similarity: 0, components: 0, walk: 0, words: 0, importance: 0, recency: 0, not: 0 };

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

  async find(cue: Cue, k: number, options: RecallOptions = {}): Promise<Hit[]> {
    if (!Number.isInteger(k) || k < 1 || k > MOST_HITS) {
      throw new CairnError('bad_count', `Expected 1 to ${MOST_HITS} hits to be asked for, got ${k}.`);
    }
    if (cue.by === 'sketch') return this.#bySketch(cue, k);
    const question = await questionOf(cue, this.#tools);
    const limit = isLimited(cue) ? MOST_HITS : Math.max(CANDIDATES, k * (question.vector === undefined ? 4 : 2));
    const search = await this.#search(question, limit);
    const unwanted = cue.not === undefined ? undefined : await this.#search(await questionOf(cue.not, this.#tools), 1);
    const judge = async (refs: readonly number[]): Promise<Found[]> =>
      this.#against(await this.#judge(search, refs, cue, options.weights), unwanted);
    let found = await judge([...search.refs]);
    if (options.walk !== false && !(await this.#tools.graph.isEmpty())) {
      const { nodes } = search.question;
      const avoid = new Set(unwanted?.question.nodes);
      found = await this.#walk(
        nodes.filter((node) => !avoid.has(node)),
        found,
        judge,
        options.weights,
      );
    }
    if (options.recency !== undefined) found = found.map((f) => withRecency(f, options.recency!));
    const hits = best(found, k);
    const has = await this.#keysOf(search, hits);
    const relations = await relationsOf(
      this.#tools.store,
      hits.map(({ row }) => row),
    );
    const decode = options.decode ?? 3;
    const decoded: DecodedComponent[][] = [];
    for (const [i, { row }] of hits.entries())
      decoded.push(i < decode ? await this.#decode(question.objects, row) : []);
    const missing = this.#tools.store.missing?.() ?? [];
    const partial = missing.length === 0 ? {} : { partial: missing };
    return hits.map((f, i) => ({
      ...toHit(f, search.score.reasons(has(f.row.ref)), decoded[i]!, relations[i]!),
      ...partial,
    }));
  }

  async #bySketch(cue: Cue, k: number): Promise<Hit[]> {
    const found = await findBySketch(cue, k, this.#tools);
    const relations = await relationsOf(
      this.#tools.store,
      found.map(({ row }) => row),
    );
    return found.map((f, i) => toHit(f, [], [], relations[i]!));
  }

  /** All candidates with what each way of looking says of them. */
  async #search(question: Question, limit: number): Promise<Search> {
    const { store, signer, centres } = this.#tools;
    const { vector, module, words } = question;
    const queries =
      vector === undefined
        ? []
        : centres
            .all(module)
            .slice(0, MOST_CENTRES)
            .map((c) => ({ centre: c.id, signed: signer.sign(vector, c.mean) }));
    const nearest = queries.length === 0 ? [] : await store.near(queries, limit);
    const near = new Map(nearest.map((n) => [n.ref, n.distance] as const));
    const likeness = keysOfSlots(question.slots);
    const keys = [...likeness.keys()];
    const factors = [...likeness.values()];
    const sharing = await this.#sharing(keys, factors, limit, [...near.keys()]);
    const { sum } = sharing;
    const spoken = new Map<number, number>();
    if (words !== undefined && words.keys.length > 0) {
      const also = [...new Set([...near.keys(), ...sum.keys()])];
      const lexical = await store.lexical(words.keys, { limit, weights: words.weights, also });
      for (const { ref, score } of lexical.hits) spoken.set(ref, score);
      const rest = [...spoken.keys()].filter((ref) => !sum.has(ref));
      const more = await store.sharing(keys, { limit: 0, likeness: factors, also: rest });
      for (const { ref, score } of more.hits) sum.set(ref, score);
    }
    const events = await store.count();
    const frequency = new Map(keys.map((key, i) => [key, sharing.frequency[i]!] as const));
    return {
      question,
      keys,
      near,
      sum,
      spoken,
      mostSpoken: Math.max(0, ...spoken.values()),
      mean: centres.mean(module) ?? centres.latest(module)?.mean,
      score: new SlotScore(question.slots, frequency, events),
      full: sharing.frequency.reduce((total, n) => total + rarity(n, events), 0),
      refs: new Set([...near.keys(), ...sum.keys(), ...spoken.keys()]),
    };
  }

  /**
   * Events that share keys: the rarest keys bring events in, as many as a bounded number of postings allows; all keys count for
   * what was brought in. So a key that a large part of a large store has costs a look at its list, not a walk along it.
   */
  async #sharing(
    keys: readonly number[],
    factors: readonly number[],
    limit: number,
    also: readonly number[],
  ): Promise<{ frequency: Uint32Array; sum: Map<number, number> }> {
    const { store } = this.#tools;
    const known = await store.sharing(keys, { limit: 0, likeness: factors, also });
    const order = keys.map((_, i) => i).filter((i) => known.frequency[i]! > 0);
    order.sort((a, b) => known.frequency[a]! - known.frequency[b]! || a - b);
    let postings = 0;
    const rare = order.filter((i, at) => (postings += known.frequency[i]!) <= MOST_POSTINGS || at === 0);
    const sum = new Map(known.hits.map((hit) => [hit.ref, hit.score] as const));
    if (rare.length === 0) return { frequency: known.frequency, sum };
    const found = await store.sharing(
      rare.map((i) => keys[i]!),
      { limit, likeness: rare.map((i) => factors[i]!) },
    );
    const fresh = found.hits.filter(({ ref }) => !sum.has(ref));
    if (rare.length === order.length) for (const { ref, score } of fresh) sum.set(ref, score);
    else if (fresh.length > 0) {
      const refs = fresh.map(({ ref }) => ref);
      const whole = await store.sharing(keys, { limit: 0, likeness: factors, also: refs });
      for (const { ref, score } of whole.hits) sum.set(ref, score);
    }
    return { frequency: known.frequency, sum };
  }

  /** Reads candidates and scores their likeness and their words. */
  async #judge(
    search: Search,
    refs: readonly number[],
    limits: Cue | undefined,
    weights?: ScoreWeights,
  ): Promise<Found[]> {
    const rows = await this.#tools.store.read(refs);
    const inside = rows.filter(
      (row): row is StoredRow => row !== undefined && !isCorrupt(row) && (limits === undefined || passes(row, limits)),
    );
    const { question, sum, full, near, spoken, mostSpoken } = search;
    const { vector } = question;
    const has =
      vector === undefined
        ? await this.#keysOf(
            search,
            inside.map((row) => ({ row })),
          )
        : undefined;
    const found: Found[] = [];
    for (const row of inside) {
      const bm25 = spoken.get(row.ref) ?? 0;
      const words = mostSpoken > 0 ? ((weights?.words ?? 1) * bm25) / mostSpoken : 0;
      if (vector === undefined) {
        const overlap = question.slots.length === 0 ? 0 : search.score.overlap(has!(row.ref));
        const parts = { ...NO_PARTS, components: overlap, words };
        const none = { cosine: undefined, centred: undefined, hamming: undefined };
        found.push({ row, ...none, overlap, bm25, parts, score: sumOf(parts), path: [] });
        continue;
      }
      const own = await this.#tools.reader.vector(row);
      const cosine = cosineOf(vector, own.vector);
      const centred = own.module === question.module ? cosineOf(vector, own.vector, search.mean) : cosine;
      // Slots of a whole event have one key each, so the sum over the keys is the overlap.
      const overlap = full > 0 ? (sum.get(row.ref) ?? 0) / full : 0;
      const parts = { ...NO_PARTS, similarity: centred, components: overlap / 2, words };
      found.push({
        row,
        cosine,
        centred,
        overlap,
        hamming: near.get(row.ref),
        bm25,
        parts,
        score: sumOf(parts),
        path: [],
      });
    }
    return found;
  }

  /** Adds what a random walk from the cue and from the best candidates says, with the events that only it finds. */
  async #walk(
    nodes: readonly number[],
    found: readonly Found[],
    judge: (refs: readonly number[]) => Promise<Found[]>,
    weights: ScoreWeights | undefined,
  ): Promise<Found[]> {
    const { store, graph } = this.#tools;
    const seeds = new Map<number, number>();
    const give = (node: number, mass: number): void => void seeds.set(node, (seeds.get(node) ?? 0) + mass);
    const starts = best(found, SEEDS).filter(({ score }) => score > 0);
    const own = (await store.links(starts.map(({ row }) => row.ref))).map(nodeOfLinks);
    const total = starts.reduce((sum, { score }, i) => (own[i] === undefined ? sum : sum + score), 0);
    const half = nodes.length > 0 && total > 0 ? 0.5 : 1;
    for (const node of nodes) give(node, half / nodes.length);
    starts.forEach(({ score }, i) => {
      if (own[i] !== undefined) give(own[i], (half * score) / total);
    });
    if (seeds.size === 0) return [...found];
    const walk = await graph.walk(seeds);
    const ends = [...walk.mass].sort((a, b) => b[1] - a[1] || a[0] - b[0]).slice(0, ENDS);
    const keys = ends.map(([node]) => node);
    const candidates = found.map(({ row }) => row.ref);
    const { frequency, hits } = await store.sharing(keys, { limit: CANDIDATES * 2, also: candidates });
    const refs = hits.map(({ ref }) => ref);
    const held = await store.shared(keys, refs);
    const reached = new Map<number, { mass: number; path: readonly Step[] }>();
    refs.forEach((ref, i) => {
      const places = held[i]!;
      const share = (p: number): number => ends[p]![1] / Math.max(1, frequency[p]!);
      const mass = places.reduce((sum, p) => sum + share(p), 0);
      const main = places.reduce((a, p) => (share(p) > share(a) ? p : a), places[0]!);
      reached.set(ref, { mass, path: walk.pathTo(keys[main]!) });
    });
    const listed = new Set(candidates);
    const fresh = refs.filter((ref) => !listed.has(ref));
    const all = [...found, ...(await judge(fresh))];
    const most = Math.max(0, ...all.map(({ row }) => reached.get(row.ref)?.mass ?? 0));
    const links = await store.links(all.map(({ row }) => row.ref));
    const importance = await graph.importance(links.map(nodeOfLinks));
    return all.map((f, i) => {
      const { mass = 0, path = [] } = reached.get(f.row.ref) ?? {};
      const parts = {
        ...f.parts,
        walk: most > 0 ? ((weights?.walk ?? 0.5) * mass) / most : 0,
        importance: (weights?.importance ?? 0.05) * Math.log1p(importance[i]!),
      };
      return { ...f, parts, path, score: sumOf(parts) };
    });
  }

  /** Takes likeness to an unwanted target away. */
  async #against(found: readonly Found[], search: Search | undefined): Promise<Found[]> {
    if (search === undefined) return [...found];
    // What the search did not come to is judged too: every candidate of the cue must be.
    const refs = found.map(({ row }) => row.ref);
    const again = await this.#tools.store.sharing(search.keys, { limit: 0, also: refs });
    for (const { ref, score } of again.hits) search.sum.set(ref, score);
    const { words } = search.question;
    if (words !== undefined) {
      const lexical = await this.#tools.store.lexical(words.keys, { limit: 1, weights: words.weights, also: refs });
      for (const { ref, score } of lexical.hits) search.spoken.set(ref, score);
    }
    const likeness = new Map((await this.#judge(search, refs, undefined)).map((f) => [f.row.ref, f.score]));
    return found.map((f) => {
      const parts = { ...f.parts, not: -Math.max(0, likeness.get(f.row.ref) ?? 0) };
      return { ...f, parts, score: sumOf(parts) };
    });
  }

  async #keysOf(
    search: Pick<Search, 'keys'>,
    found: readonly { readonly row: StoredRow }[],
  ): Promise<(ref: number) => ReadonlySet<number>> {
    const refs = found.map(({ row }) => row.ref);
    const shared = await this.#tools.store.shared(search.keys, refs);
    const sets = new Map(refs.map((ref, i) => [ref, new Set(shared[i]!.map((p) => search.keys[p]!))] as const));
    const none: ReadonlySet<number> = new Set();
    return (ref) => sets.get(ref) ?? none;
  }

  /** The objects of a found event that are nearest to those asked for, read back from its sketch. */
  async #decode(objects: readonly ComponentCue[], row: StoredRow): Promise<DecodedComponent[]> {
    if (objects.length === 0) return [];
    const { sketch, structure } = await this.#tools.reader.event(row);
    const all: UnrolledObject[] = [];
    const visit = (object: UnrolledObject): void => {
      all.push(object);
      object.inputs.forEach(visit);
    };
    unroll(sketch, structure).outputs.forEach(visit);
    return objects.flatMap(({ object, position }): DecodedComponent[] => {
      const same = all
        .filter(({ module, path }) => module === object.module && (position === undefined || path === position))
        .map(({ path, module, attributes, err }) => {
          return { path, module, attributes, err, difference: rms(attributes, object.attributes) };
        });
      return same.sort((a, b) => a.difference - b.difference || (a.path < b.path ? -1 : 1)).slice(0, 1);
    });
  }
}

interface Search {
  readonly question: Question;
  readonly keys: readonly number[];
  /** Per candidate the distance of signatures, the weight of shared keys, the BM25 of words. */
  readonly near: ReadonlyMap<number, number>;
  readonly sum: Map<number, Sharing['hits'][number]['score']>;
  readonly spoken: Map<number, number>;
  readonly mostSpoken: number;
  readonly mean: Float64Array | undefined;
  readonly score: SlotScore;
  /** Weight of an event that has everything. */
  readonly full: number;
  readonly refs: ReadonlySet<number>;
}

function withRecency(found: Found, { now, halfLife, weight }: Recency): Found {
  const parts = { ...found.parts, recency: weight * 2 ** -(Math.max(0, now - found.row.at) / halfLife) };
  return { ...found, parts, score: sumOf(parts) };
}

function rms(a: ArrayLike<number>, b: ArrayLike<number>): number {
  const n = Math.max(a.length, b.length);
  let sum = 0;
  for (let i = 0; i < n; i++) sum += ((a[i] ?? 0) - (b[i] ?? 0)) ** 2;
  return n === 0 ? 0 : Math.sqrt(sum / n);
}
