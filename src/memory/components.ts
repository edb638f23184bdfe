// The components of an event and the keys they are found by: a structural signature of what an object is, and the same
// bound to where it stands. Equal components of different events have equal keys. Source: arXiv 1910.06718, section on
// LSH buckets of sub-sketches; the exact keys are this library's own.
import type { Obj } from '../sketch/index.ts';
import { KeyHash } from './_hash.ts';

/** Attributes and weights closer than this step count as equal in a key. */
export const KEY_STEP = 1 / 16;

export interface ComponentOptions {
  /** Objects with a smaller effective weight are not indexed. */
  readonly minWeight?: number;
  /** At most this many paths of an event are indexed, the heaviest first. */
  readonly maxComponents?: number;
}

/** One object of a trace at one path, below the root. */
export interface Component {
  readonly module: string;
  /** `0/0/40`: first output, its first input, its 41st input. */
  readonly path: string;
  readonly object: Obj;
  /** Product of the weights along the path. */
  readonly weight: number;
  /** Structural signature: the same for equal objects anywhere. */
  readonly key: number;
  /** The signature bound to the path; undefined for a composite whose module occurs once: its parts tell its place. */
  readonly bound: number | undefined;
  /** True when no object above it has another input: its sketch says what the event's own does. */
  readonly alone: boolean;
}

/** Computes keys; one instance per store, because keys depend on the store's seed. */
export class ComponentKeys {
  readonly #seed: number;
  readonly #minWeight: number;
  readonly #maxComponents: number;
  readonly #names = new Map<string, number>();

  constructor(seed: string, options: ComponentOptions = {}) {
    this.#seed = new KeyHash(0).text(seed).digest() | 0;
    this.#minWeight = options.minWeight ?? 1 / 128;
    this.#maxComponents = options.maxComponents ?? 128;
  }

  /** Structural signature: module, quantised attributes, and the signatures and weights of the inputs. */
  entity(object: Obj, memo: Map<Obj, number> = new Map()): number {
    const known = memo.get(object);
    if (known !== undefined) return known;
    const inputs = object.inputs ?? [];
    const keys = inputs.map((input) => this.entity(input.object, memo));
    const hash = new KeyHash(this.#seed).key(this.#name(object.module)).word(object.attributes.length);
    for (let i = 0; i < object.attributes.length; i++) {
      const q = Math.round(object.attributes[i]! / KEY_STEP);
      if (q !== 0) hash.word(i).word(q);
    }
    hash.word(inputs.length);
    keys.forEach((key, i) => hash.key(key).word(Math.round(inputs[i]!.weight * 65536)));
    const key = hash.digest();
    memo.set(object, key);
    return key;
  }

  /** The node of a whole event in the graph: the signature of its output, or of its outputs together. */
  node(root: Obj | readonly Obj[], memo: Map<Obj, number> = new Map()): number {
    if (!isList(root)) return this.entity(root, memo);
    if (root.length === 1) return this.entity(root[0]!, memo);
    const hash = new KeyHash(this.#seed).word(root.length);
    for (const output of root) hash.key(this.entity(output, memo));
    return hash.digest();
  }

  /**
   * What a statement is about: for each of its one-hot values the signature of the rest. Two statements with an equal one
   * and different values say different things about the same.
   */
  frames(root: Obj | readonly Obj[]): number[] {
    const outputs: readonly Obj[] = isList(root) ? root : [root];
    const found = outputs.flatMap((object) =>
      (object.groups ?? []).map(({ start, size }) => {
        const attributes = object.attributes.slice();
        attributes.fill(0, start, start + size);
        return new KeyHash(this.#seed)
          .word(start)
          .word(size)
          .key(this.entity({ ...object, attributes }))
          .digest();
      }),
    );
    // Without values to vary it is about itself: nothing contradicts it, but it has a node.
    return found.length > 0 ? found : [new KeyHash(this.#seed).word(-1).key(this.node(root)).digest()];
  }

  /** The node of something that is no object of a trace, such as a concept. */
  named(name: string): number {
    return new KeyHash(~this.#seed).text('named').text(name).digest();
  }

  /** The key that all events with a byte range in a source have. */
  source(uri: string, sha256: string): number {
    return new KeyHash(~this.#seed).text('source').text(uri).text(sha256).digest();
  }

  /** The key of an entity at a path. */
  bound(path: string, entity: number): number {
    return new KeyHash(~this.#seed).key(this.#name(path)).key(entity).digest();
  }

  /**
   * All indexed components of an event, heaviest first, then by path. The only output of an event is the event itself and
   * no component of it; several outputs are.
   */
  of(root: Obj | readonly Obj[]): Component[] {
    const outputs: readonly Obj[] = isList(root) ? root : [root];
    const memo = new Map<Obj, number>();
    const places: { object: Obj; path: string; weight: number; alone: boolean }[] = [];
    const walk = (object: Obj, path: string, weight: number, alone: boolean): void => {
      if (weight < this.#minWeight || places.length > 65_536) return;
      places.push({ object, path, weight, alone });
      const inputs = object.inputs ?? [];
      inputs.forEach((input, i) =>
        walk(input.object, `${path}/${i}`, weight * input.weight, alone && inputs.length === 1),
      );
    };
    outputs.forEach((object, i) => walk(object, String(i), 1 / outputs.length, outputs.length === 1));
    const found = outputs.length === 1 ? places.slice(1) : places;
    const occurrences = new Map<string, number>();
    for (const { object } of places) occurrences.set(object.module, (occurrences.get(object.module) ?? 0) + 1);
    // Sorting is stable, so equal weights keep the order of the walk.
    found.sort((a, b) => b.weight - a.weight);
    return found.slice(0, this.#maxComponents).map(({ object, path, weight, alone }) => {
      const key = this.entity(object, memo);
      const once = occurrences.get(object.module) === 1 && (object.inputs ?? []).length > 0;
      return {
        module: object.module,
        path,
        object,
        weight,
        key,
        bound: once ? undefined : this.bound(path, key),
        alone,
      };
    });
  }

  #name(text: string): number {
    let key = this.#names.get(text);
    if (key === undefined) {
      key = new KeyHash(this.#seed).text(text).digest();
      if (this.#names.size < 65_536) this.#names.set(text, key);
    }
    return key;
  }
}

/** The distinct keys of some components, rising. */
export function keysOf(components: readonly Component[]): Float64Array {
  const keys = new Set<number>();
  for (const { key, bound } of components) {
    keys.add(key);
    if (bound !== undefined) keys.add(bound);
  }
  return Float64Array.from(keys).sort();
}

/**
 * Which components become items of their own: parts from a small vocabulary, stored once for all events, and heavy parts. A
 * part that is the event's only one is found by the event's own signature.
 */
export function isItem({ object, weight, alone }: Component): boolean {
  if (alone) return false;
  if (weight >= 1 / 32) return true;
  return (object.inputs ?? []).length === 0 && object.attributes.every((v) => v === 0 || v === 1);
}

/** Whether a trace is a list of outputs. */
export function isList(root: Obj | readonly Obj[]): root is readonly Obj[] {
  return Array.isArray(root);
}
