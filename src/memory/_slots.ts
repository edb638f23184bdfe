// What a cue asks for, as slots: each slot is one component, found by its own key or by the keys of entities like it. An
// event fills a slot by the best of them; slots weigh by how rare their component is.
import { CairnError } from '../errors.ts';
import { type Obj, objectSketch, type Sketcher } from '../sketch/index.ts';
import { rarity } from './_sharing.ts';
import { type Component, type ComponentKeys } from './components.ts';
import { cosineOfHamming, type Signer } from './signature.ts';
import type { Store } from './store.ts';

/** One component that is wanted. */
export interface Slot {
  readonly module: string;
  /** Path in the cue; with `place` 'same' the event must have it at this path. */
  readonly path: string;
  readonly place: 'same' | 'any';
  /** The own key first, then keys of similar entities with their cosine. */
  readonly options: readonly { readonly key: number; readonly cosine: number }[];
  /** What the component is made of: counts where its own key is not met. */
  readonly parts: readonly Slot[];
}

/** One reason: a component that cue and event share. */
export interface SharedComponent {
  readonly module: string;
  /** Its path in the cue, and in the event when `place` is 'same'. */
  readonly path: string;
  readonly place: 'same' | 'any';
  /** Likeness of the component: 1 when it is equal. */
  readonly cosine: number;
  /** ln((1 + events) / events that have it): what is everywhere explains nothing. */
  readonly weight: number;
  /** Events that have it. */
  readonly events: number;
}

/** A component cue: an object, anywhere or at a path. */
export interface ComponentCue {
  readonly object: Obj;
  readonly position?: string | undefined;
}

const LEAST_COSINE = 0.5;
const MOST_ALIKE = 16;

/** Slots of a whole event: every component at its place, and every distinct one anywhere. */
export function slotsOfEvent(components: readonly Component[]): Slot[] {
  const slots = new Map<number, Slot>();
  for (const { key, bound, module, path } of components) {
    if (bound !== undefined) slots.set(bound, exact(bound, module, path, 'same'));
    if (!slots.has(key)) slots.set(key, exact(key, module, path, 'any'));
  }
  return [...slots.values()];
}

/** Makes the slots of component cues; entities that resemble an object stand in for it. */
export async function slotsOfComponents(
  cues: readonly ComponentCue[],
  tools: { readonly keys: ComponentKeys; readonly signer: Signer; readonly sketcher: Sketcher; readonly store: Store },
): Promise<Slot[]> {
  const { keys, signer, sketcher, store } = tools;
  const slots: Slot[] = [];
  for (const { object, position } of cues) {
    if (position !== undefined && !/^\d{1,6}(\/\d{1,6}){0,63}$/.test(position)) {
      throw new CairnError(
        'bad_position',
        `Expected a path such as '0/0/40' as position, got '${position.slice(0, 40)}'.`,
        {
          hint: "The first number is the output, each further one an input of the object before; '0' is the first output.",
        },
      );
    }
    const { module } = object;
    // Sketching checks the object, cycles included, so it comes first.
    const content = objectSketch(object, sketcher.spec).content;
    const own = keys.entity(object);
    const near = await store.nearEntities(module, { centre: 0, signed: signer.sign(content) }, MOST_ALIKE);
    const alike = near
      .map(({ key, distance }) => ({ key, cosine: cosineOfHamming(distance) }))
      .filter(({ key, cosine }) => key !== own && cosine >= LEAST_COSINE);
    const place = position === undefined ? 'any' : 'same';
    const keyed = (key: number): number => (position === undefined ? key : keys.bound(position, key));
    const options = [{ key: own, cosine: 1 }, ...alike].map(({ key, cosine }) => ({ key: keyed(key), cosine }));
    const parts = (object.inputs ?? []).length === 0 ? [] : partsOf(keys, object, position);
    // A composite that occurs once has no key of its place: its parts at their places tell.
    slots.push({ module, path: position ?? '', place, options, parts });
  }
  return slots;
}

/** The inner components of a composite: at their places when its own is known, else anywhere. */
function partsOf(keys: ComponentKeys, object: Obj, position: string | undefined): Slot[] {
  const slots = new Map<number, Slot>();
  for (const { key, module, path } of keys.of(object)) {
    if (position === undefined) slots.set(key, exact(key, module, path, 'any'));
    else {
      const place = `${position}${path.slice(path.indexOf('/'))}`;
      const bound = keys.bound(place, key);
      slots.set(bound, exact(bound, module, place, 'same'));
    }
  }
  return [...slots.values()];
}

function exact(key: number, module: string, path: string, place: 'same' | 'any'): Slot {
  return { module, path, place, options: [{ key, cosine: 1 }], parts: [] };
}

/** All keys of some slots with their likeness, distinct. */
export function keysOfSlots(slots: readonly Slot[]): Map<number, number> {
  const keys = new Map<number, number>();
  const add = (list: readonly Slot[]): void => {
    for (const { options, parts } of list) {
      for (const { key, cosine } of options) keys.set(key, Math.max(cosine, keys.get(key) ?? 0));
      add(parts);
    }
  };
  add(slots);
  return keys;
}

/** Scores events by which keys they have. */
export class SlotScore {
  readonly #slots: readonly Slot[];
  readonly #frequency: ReadonlyMap<number, number>;
  readonly #rarity: ReadonlyMap<number, number>;

  /** @param frequency events that have each key */
  constructor(slots: readonly Slot[], frequency: ReadonlyMap<number, number>, events: number) {
    this.#slots = slots;
    this.#frequency = frequency;
    this.#rarity = new Map([...frequency].map(([key, n]) => [key, rarity(n, events)]));
  }

  /** Share of what was asked for that an event has, in 0..1. */
  overlap(has: ReadonlySet<number>): number {
    return this.#overlap(this.#slots, has);
  }

  #overlap(slots: readonly Slot[], has: ReadonlySet<number>): number {
    let sum = 0;
    let full = 0;
    for (const slot of slots) {
      const weight = this.#rarity.get(slot.options[0]!.key)!;
      full += weight;
      let best = 0;
      for (const { key, cosine } of slot.options) if (cosine > best && has.has(key)) best = cosine;
      if (best < 1 && slot.parts.length > 0) best = Math.max(best, this.#overlap(slot.parts, has));
      sum += weight * best;
    }
    return full > 0 ? sum / full : 0;
  }

  /** The components that are shared, rarest first; one found at its place is not listed again as being anywhere. */
  reasons(has: ReadonlySet<number>): SharedComponent[] {
    const found: SharedComponent[] = [];
    const collect = (slots: readonly Slot[]): void => {
      for (const { module, path, place, options, parts } of slots) {
        const met = options.filter(({ key }) => has.has(key)).sort((a, b) => b.cosine - a.cosine)[0];
        if (met === undefined) collect(parts);
        else {
          const weight = this.#rarity.get(met.key)!;
          found.push({ module, path, place, cosine: met.cosine, weight, events: this.#frequency.get(met.key) ?? 0 });
        }
      }
    };
    collect(this.#slots);
    const placed = new Set(found.filter((s) => s.place === 'same').map((s) => s.path));
    return found
      .filter((s) => s.place === 'same' || !placed.has(s.path))
      .sort((a, b) => b.weight - a.weight || (a.path < b.path ? -1 : 1));
  }
}
