// The dictionary of concepts: points join the concept whose equations they satisfy, the others wait in a buffer in which new
// concepts are discovered. Concepts merge, split, are forgotten point by point, and combine. Points are numbers only: which
// event they come from is the caller's to know. After the online dictionary of 2310.12143.
import { CairnError } from '../../errors.ts';
import { andOf, commonOf, conceptSimilarity, type LiftedSignature, orExact, orHull } from './algebra.ts';
import { type BookId, type KeptPoint, readBook, writeBook } from './_book-bytes.ts';
import { type Concept, LearntConcept } from './concept.ts';
import { discover } from './discover.ts';
import { FeatureMap, type FeatureSpec } from './features.ts';
import { type Family, familiesOf } from './families.ts';
import { MomentSignature } from './moment-signature.ts';
import { Moments } from './moments.ts';
import { SignatureIndex, type SimilarConcept } from './signature-index.ts';

export interface BookOptions {
  readonly features: FeatureSpec;
  /** Standard deviation of the noise on a point, if it is known. */
  readonly noise?: number;
  /** Waiting points at which discovery starts by itself; 256 by default. */
  readonly buffer?: number;
  /** Largest dimension of a discovered concept; see `discover`. */
  readonly maxRank?: number;
  readonly seed?: string | number;
}

/** Names a point that may be forgotten later. */
export type PointId = BookId;

/** Where a point went. */
export interface Observed {
  /** The concept it joined; undefined while it waits. */
  readonly concept: number | undefined;
  /** Its residual there, or the smallest one found; 1 without any concept. */
  readonly residual: number;
  /** Concepts that this point's arrival let the book discover. */
  readonly discovered: readonly number[];
}

export interface Membership {
  readonly concept: number;
  readonly residual: number;
}

/** What `consolidate` changed. */
export interface Consolidation {
  readonly merged: readonly { readonly into: number; readonly from: number }[];
  /** Concepts that were two or more. `unplaced` counts older points of which only the statistics were left: they are gone. */
  readonly split: readonly { readonly from: number; readonly into: readonly number[]; readonly unplaced: number }[];
}

/** Centred similarity above which two concepts are the same. */
const SAME_CONCEPT = 0.95;
const MOST_PASSES = 4;
const WAITING = -1;

/**
 * A dictionary that finds its own concepts.
 *
 * @example
 * const book = new ConceptBook({ features: { dim: 12 } });
 * for (const x of stream) book.observe(x);
 * book.concepts(); // those that the stream was mixed from
 */
export class ConceptBook {
  readonly map: FeatureMap;
  readonly #options: Required<Omit<BookOptions, 'maxRank'>> & { maxRank: number | undefined };
  readonly #concepts = new Map<number, LearntConcept>();
  readonly #index: SignatureIndex;
  /** Concept of every named point, or WAITING. */
  readonly #places = new Map<PointId, number>();
  #waiting: (KeptPoint & { passes: number })[] = [];
  #next = 0;
  #discoverAt: number;

  constructor(options: BookOptions) {
    this.map = new FeatureMap(options.features);
    this.#options = {
      features: options.features,
      noise: options.noise ?? 0,
      buffer: options.buffer ?? 256,
      seed: options.seed ?? 0,
      maxRank: options.maxRank,
    };
    this.#index = new SignatureIndex(this.map.size, `${this.#options.seed}`);
    this.#discoverAt = this.#options.buffer;
  }

  /** Concepts, oldest first. */
  concepts(): Concept[] {
    return [...this.#concepts.values()].map((c) => c.view());
  }

  /** @throws CairnError `unknown_concept` */
  concept(id: number): Concept {
    return this.#get(id).view();
  }

  /** Points that fit no concept yet. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** The concept of a named point; undefined while it waits or when it is unknown. */
  conceptOf(id: PointId): number | undefined {
    const place = this.#places.get(id);
    return place === WAITING ? undefined : place;
  }

  /**
   * Takes a point in. A point with a known id is not counted twice.
   * @param x [dim]
   */
  observe(x: ArrayLike<number>, id?: PointId): Observed {
    const phi = this.map.apply(x);
    const best = this.#best(phi);
    const residual = best?.residual ?? 1;
    if (id !== undefined && this.#places.has(id)) return { concept: this.conceptOf(id), residual, discovered: [] };
    if (best !== undefined) {
      const concept = this.#get(best.concept);
      if (best.residual <= concept.threshold) {
        if (concept.add({ phi, id })) this.#index.set(concept.id, concept.signature);
        if (id !== undefined) this.#places.set(id, concept.id);
        return { concept: concept.id, residual, discovered: [] };
      }
    }
    this.#waiting.push({ phi, id, passes: 0 });
    if (id !== undefined) this.#places.set(id, WAITING);
    if (this.#waiting.length < this.#discoverAt) return { concept: undefined, residual, discovered: [] };
    const discovered = this.discover();
    return { concept: id === undefined ? undefined : this.conceptOf(id), residual, discovered };
  }

  /** Makes a concept of points that are known to belong together. */
  teach(points: readonly ArrayLike<number>[], ids?: readonly PointId[]): number {
    if (points.length === 0) throw new CairnError('bad_option', 'Expected at least one point, got none.');
    if (ids !== undefined && (ids.length !== points.length || ids.some((id) => this.#places.has(id)))) {
      throw new CairnError('bad_option', 'Expected one new id for each point, got others.');
    }
    const concept = this.#create(points.map((x, i) => ({ phi: this.map.apply(x), id: ids?.[i] })));
    return concept.id;
  }

  /** Looks for concepts among the waiting points; those left after four passes are let go. Returns the new ones. */
  discover(): number[] {
    const found = discover(
      this.#waiting.map((w) => w.phi),
      {
        seed: this.#options.seed,
        ...(this.#options.maxRank === undefined ? {} : { maxRank: this.#options.maxRank }),
      },
    );
    const taken = new Set<number>();
    const fresh: number[] = [];
    for (const { members } of found) {
      const own = members.map((i) => this.#waiting[i]!);
      if (this.#signatureOf(momentsOf(own)).state !== 'determined') continue;
      const concept = this.#create(own.map(({ phi, id }) => ({ phi, id })));
      fresh.push(concept.id);
      for (const i of members) taken.add(i);
    }
    const left = this.#waiting.filter((_, i) => !taken.has(i)).map((w) => ({ ...w, passes: w.passes + 1 }));
    this.#waiting = left.filter((w) => w.passes < MOST_PASSES);
    for (const w of left) if (w.passes >= MOST_PASSES && w.id !== undefined) this.#places.delete(w.id);
    this.#discoverAt = this.#waiting.length + Math.max(32, this.#options.buffer / 2);
    if (this.#discoverAt < this.#options.buffer) this.#discoverAt = this.#options.buffer;
    return fresh;
  }

  /** Concepts that a point belongs to, best first. */
  member(x: ArrayLike<number>): Membership[] {
    const phi = this.map.apply(x);
    return [...this.#concepts.values()]
      .map((c) => ({ concept: c.id, residual: c.signature.residual(phi), within: c.threshold }))
      .filter((m) => m.residual <= m.within)
      .sort((a, b) => a.residual - b.residual || a.concept - b.concept)
      .map(({ concept, residual }) => ({ concept, residual }));
  }

  /** The concept with the smallest residual, member or not; undefined in an empty book. */
  nearest(x: ArrayLike<number>): Membership | undefined {
    return this.#best(this.map.apply(x));
  }

  /** Takes a point out again; what it added to its concept is subtracted exactly. Returns the concept it was in. */
  forget(x: ArrayLike<number>, id?: PointId): number | undefined {
    const phi = this.map.apply(x);
    const place = id === undefined ? undefined : this.#places.get(id);
    if (id !== undefined && place === undefined) return undefined;
    const same = (w: KeptPoint): boolean => (id === undefined ? w.phi.every((v, i) => v === phi[i]) : w.id === id);
    const at = place === undefined || place === WAITING ? this.#waiting.findIndex(same) : -1;
    if (id !== undefined) this.#places.delete(id);
    if (at >= 0) {
      this.#waiting.splice(at, 1);
      return undefined;
    }
    const from = place ?? this.#best(phi)?.concept;
    if (from === undefined || from === WAITING) return undefined;
    const concept = this.#get(from);
    const renewed = concept.remove({ phi, id });
    if (concept.moments.count <= 0) this.#drop(from);
    else if (renewed) this.#index.set(from, concept.signature);
    return from;
  }

  /** All equations of both concepts: what is in A and in B. */
  and(a: number, b: number): MomentSignature {
    return andOf(this.concept(a).signature, this.concept(b).signature);
  }

  /** The smallest linear set that contains both concepts. */
  or(a: number, b: number): MomentSignature {
    return orHull(this.concept(a).signature, this.concept(b).signature);
  }

  /** The union exactly, in features of twice the degree. */
  orExact(a: number, b: number): LiftedSignature {
    return orExact(this.concept(a).signature, this.concept(b).signature, this.map);
  }

  /** What these concepts have in common: the signature of a higher concept. */
  lift(ids: readonly number[]): MomentSignature {
    return commonOf(ids.map((id) => this.concept(id).signature));
  }

  /** Groups of concepts that share equations; members are concept ids. */
  families(): Family[] {
    const all = this.concepts();
    return familiesOf(all.map((c) => c.signature)).map((f) => ({
      members: f.members.map((i) => all[i]!.id),
      common: f.common,
    }));
  }

  /** Concepts with the most similar equations, best first. */
  similar(signature: MomentSignature, limit = 8): SimilarConcept[] {
    return this.#index.nearest(signature, limit);
  }

  /** Takes in all concepts and waiting points of another book with equal features; similar concepts become one. */
  merge(other: ConceptBook): void {
    if (!this.map.equals(other.map)) {
      throw new CairnError('bad_features', 'Expected a book with equal features, got another.', {
        hint: 'Merge books that were made with the same options.',
      });
    }
    const renamed = new Map<number, number>([[WAITING, WAITING]]);
    for (const theirs of other.#concepts.values()) {
      const own = this.#sameAs(theirs);
      if (own === undefined) {
        renamed.set(theirs.id, this.#insert(theirs.moments.clone(), theirs.recent).id);
      } else {
        own.absorb(theirs);
        this.#index.set(own.id, own.signature);
        renamed.set(theirs.id, own.id);
      }
    }
    for (const [id, place] of other.#places) if (!this.#places.has(id)) this.#places.set(id, renamed.get(place)!);
    this.#waiting.push(...other.#waiting);
  }

  /** Merges concepts that have become the same and splits those that have turned out to be several. */
  consolidate(): Consolidation {
    const merged: { into: number; from: number }[] = [];
    for (const concept of [...this.#concepts.values()].reverse()) {
      concept.refresh();
      const same = this.#sameAs(concept);
      if (same === undefined) continue;
      same.absorb(concept);
      this.#move(concept.id, same.id);
      this.#drop(concept.id);
      this.#index.set(same.id, same.signature);
      merged.push({ into: same.id, from: concept.id });
    }
    const split = [...this.#concepts.values()].flatMap((concept) => this.#split(concept));
    return { merged: merged.reverse(), split };
  }

  /** Everything the book knows; equal books give equal bytes. */
  toBytes(): Uint8Array {
    for (const concept of this.#concepts.values()) concept.refresh();
    return writeBook({
      features: this.map.spec,
      noise: this.#options.noise,
      buffer: this.#options.buffer,
      maxRank: this.#options.maxRank,
      seed: this.#options.seed,
      next: this.#next,
      concepts: [...this.#concepts.values()],
      waiting: this.#waiting,
      places: this.#places,
    });
  }

  /** @throws CairnError `bad_concepts` for damaged bytes */
  static fromBytes(bytes: Uint8Array): ConceptBook {
    const state = readBook(bytes);
    const { features, noise, buffer, seed, maxRank } = state;
    const book = new ConceptBook({ features, noise, buffer, seed, ...(maxRank === undefined ? {} : { maxRank }) });
    for (const { id, moments, recent } of state.concepts) {
      const concept = new LearntConcept(id, book.map, noise, moments, recent);
      book.#concepts.set(id, concept);
      book.#index.set(id, concept.signature);
    }
    book.#next = state.next;
    book.#waiting = state.waiting;
    for (const [id, place] of state.places) book.#places.set(id, place);
    book.#discoverAt = Math.max(buffer, book.#waiting.length + 1);
    return book;
  }

  #signatureOf(moments: Moments): MomentSignature {
    return MomentSignature.of(moments, { degrees: this.map.degrees, noise: this.#options.noise });
  }

  #get(id: number): LearntConcept {
    const concept = this.#concepts.get(id);
    if (concept === undefined) {
      throw new CairnError('unknown_concept', `Expected the id of a concept in this book, got ${id}.`, {
        hint: 'List them with concepts().',
      });
    }
    return concept;
  }

  /** A scan: testing a point costs the smaller of rank and nullity times k multiply-adds for each concept. */
  #best(phi: Float64Array): Membership | undefined {
    let best: { concept: number; residual: number; margin: number } | undefined;
    for (const c of this.#concepts.values()) {
      if (c.signature.state === 'unconstrained') continue;
      const residual = c.signature.residual(phi);
      // Against its own threshold: a noisy concept may not take what a precise one fits.
      const margin = residual / c.threshold;
      if (best === undefined || margin < best.margin) best = { concept: c.id, residual, margin };
    }
    return best === undefined ? undefined : { concept: best.concept, residual: best.residual };
  }

  #create(points: readonly KeptPoint[]): LearntConcept {
    const concept = this.#insert(momentsOf(points), points);
    for (const { id } of points) if (id !== undefined) this.#places.set(id, concept.id);
    return concept;
  }

  #insert(moments: Moments, recent: readonly KeptPoint[]): LearntConcept {
    const concept = new LearntConcept(this.#next++, this.map, this.#options.noise, moments, recent);
    this.#concepts.set(concept.id, concept);
    this.#index.set(concept.id, concept.signature);
    return concept;
  }

  /** An older concept that this one cannot be told from: similar, and no equation is lost when both are one. */
  #sameAs(concept: LearntConcept): LearntConcept | undefined {
    for (const { ref, similarity } of this.#index.nearest(concept.signature, 4)) {
      const other = this.#concepts.get(ref);
      if (other === undefined || other === concept || similarity <= SAME_CONCEPT) continue;
      if (this.#concepts.get(concept.id) === concept && other.id > concept.id) continue;
      const both = other.moments.clone();
      both.merge(concept.moments);
      if (this.#signatureOf(both).nullity >= other.signature.nullity) return other;
    }
    return undefined;
  }

  #split(concept: LearntConcept): Consolidation['split'] {
    const features = concept.recent.map((p) => p.phi);
    const parts = discover(features, { seed: this.#options.seed })
      .map(({ members }) => members.map((i) => concept.recent[i]!))
      .map((points) => ({ points, signature: this.#signatureOf(momentsOf(points)) }))
      .filter(({ signature }) => signature.state === 'determined');
    // Parts that mean the same would only be merged again.
    const same = parts.some(({ signature }, i) =>
      parts.slice(0, i).some((other) => conceptSimilarity(signature, other.signature) > SAME_CONCEPT),
    );
    if (parts.length < 2 || same) return [];
    for (const [id, place] of this.#places) if (place === concept.id) this.#places.delete(id);
    this.#drop(concept.id);
    const into = parts.map(({ points }) => this.#create(points).id);
    const placed = parts.reduce((s, p) => s + p.points.length, 0);
    return [{ from: concept.id, into, unplaced: Math.round(concept.moments.count - placed) }];
  }

  #move(from: number, to: number): void {
    for (const [id, place] of this.#places) if (place === from) this.#places.set(id, to);
  }

  #drop(id: number): void {
    this.#concepts.delete(id);
    this.#index.remove(id);
  }
}

function momentsOf(points: readonly KeptPoint[]): Moments {
  const moments = new Moments(points[0]!.phi.length);
  for (const { phi } of points) moments.add(phi);
  return moments;
}
