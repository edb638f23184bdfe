// One concept of a book: its statistics, the signature and threshold that follow from them, and its latest points, which a
// split needs. Internal state of concept-book.ts; users see a `Concept`.
import type { KeptPoint } from './_book-bytes.ts';
import type { FeatureMap } from './features.ts';
import { MomentSignature } from './moment-signature.ts';
import type { Moments } from './moments.ts';
import { memberThreshold } from './threshold.ts';

/** What a book says about a concept. */
export interface Concept {
  readonly id: number;
  /** Points seen and not forgotten. */
  readonly count: number;
  readonly signature: MomentSignature;
  /** Largest residual of a member. */
  readonly threshold: number;
  /** Mean of the points' features, [k]. */
  readonly mean: Float64Array;
  /** Mean squared norm of the points' features. */
  readonly energy: number;
}

/** Points that are kept to see whether a concept is really two. */
const KEPT_POINTS = 192;
/** At most this many updates between two eigendecompositions. */
const LONGEST_WAIT = 64;

export class LearntConcept {
  readonly id: number;
  readonly map: FeatureMap;
  readonly noise: number;
  readonly moments: Moments;
  /** Latest points, oldest first. */
  readonly recent: KeptPoint[];
  #signature: MomentSignature;
  #threshold: number;
  #stale = 0;

  constructor(id: number, map: FeatureMap, noise: number, moments: Moments, recent: readonly KeptPoint[]) {
    this.id = id;
    this.map = map;
    this.noise = noise;
    this.moments = moments;
    this.recent = recent.slice(-KEPT_POINTS);
    this.#signature = MomentSignature.of(moments, { degrees: map.degrees, noise });
    this.#threshold = memberThreshold(moments, this.#signature);
  }

  get signature(): MomentSignature {
    return this.#signature;
  }

  get threshold(): number {
    return this.#threshold;
  }

  /** Returns whether the signature was renewed. */
  add(point: KeptPoint): boolean {
    this.moments.add(point.phi);
    this.recent.push(point);
    if (this.recent.length > KEPT_POINTS) this.recent.shift();
    return this.#changed();
  }

  remove({ phi, id }: KeptPoint): boolean {
    this.moments.remove(phi);
    const same = (p: KeptPoint): boolean => (id === undefined ? p.phi.every((v, i) => v === phi[i]) : p.id === id);
    const at = this.recent.findIndex(same);
    if (at >= 0) this.recent.splice(at, 1);
    return this.#changed();
  }

  absorb(other: LearntConcept): void {
    this.moments.merge(other.moments);
    this.recent.push(...other.recent);
    this.recent.splice(0, Math.max(0, this.recent.length - KEPT_POINTS));
    this.refresh();
  }

  /** Signature and threshold of the moments as they are now. */
  refresh(): void {
    this.#signature = MomentSignature.of(this.moments, { degrees: this.map.degrees, noise: this.noise });
    this.#threshold = memberThreshold(this.moments, this.#signature);
    this.#stale = 0;
  }

  view(): Concept {
    if (this.#stale > 0) this.refresh();
    const { count, sum } = this.moments;
    return {
      id: this.id,
      count,
      signature: this.#signature,
      threshold: this.#threshold,
      mean: sum.map((v) => v / Math.max(1, count)),
      energy: this.moments.energy,
    };
  }

  /** Renews after as many changes as half the points, and at the latest after 64. */
  #changed(): boolean {
    this.#stale++;
    if (this.#stale < Math.min(LONGEST_WAIT, Math.max(1, this.moments.count / 2))) return false;
    this.refresh();
    return true;
  }
}
