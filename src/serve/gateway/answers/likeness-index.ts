// The nearest kept ask among those with the same surroundings: vectors in memory, compared one by one.
import type { Vectors } from './answer-table.ts';

export interface Neighbour {
  readonly id: number;
  /** Cosine. */
  readonly similarity: number;
}

export class LikenessIndex {
  readonly #buckets = new Map<string, Map<number, Float32Array>>();
  readonly #bucketOf = new Map<number, string>();

  constructor(rows: readonly Vectors[]) {
    for (const { id, tenant, context, features, vector } of rows) {
      if (context === null || features === null || vector === null) continue;
      const bytes = new Uint8Array(vector);
      this.add(id, bucket(tenant, context, features), new Float32Array(bytes.buffer, 0, bytes.byteLength >> 2));
    }
  }

  get size(): number {
    return this.#bucketOf.size;
  }

  /** @param most vectors that are held afterwards; the oldest go first */
  add(id: number, place: string, vector: Float32Array, most = Infinity): void {
    let found = this.#buckets.get(place);
    if (found === undefined) this.#buckets.set(place, (found = new Map()));
    found.set(id, vector);
    this.#bucketOf.set(id, place);
    while (this.#bucketOf.size > most) this.drop(this.#bucketOf.keys().next().value!);
  }

  drop(id: number): void {
    const place = this.#bucketOf.get(id);
    if (place === undefined) return;
    this.#bucketOf.delete(id);
    const found = this.#buckets.get(place)!;
    found.delete(id);
    if (found.size === 0) this.#buckets.delete(place);
  }

  clear(): void {
    this.#buckets.clear();
    this.#bucketOf.clear();
  }

  nearest(place: string, vector: Float32Array): Neighbour | undefined {
    let best: Neighbour | undefined;
    for (const [id, other] of this.#buckets.get(place) ?? []) {
      if (other.length !== vector.length) continue;
      let similarity = 0;
      for (let i = 0; i < other.length; i++) similarity += other[i]! * vector[i]!;
      if (best === undefined || similarity > best.similarity) best = { id, similarity };
    }
    return best;
  }
}

/** Only what is in one bucket is compared. */
export function bucket(tenant: string, context: string, features: string): string {
  return `${tenant}\n${context}\n${features}`;
}
