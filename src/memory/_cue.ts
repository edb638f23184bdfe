// What a caller asks for, and what recall looks up for it: a sketch to compare with, component slots, words, and the nodes of
// the graph to start walking from.
import { CairnError } from '../errors.ts';
import { type Obj, type Sketcher } from '../sketch/index.ts';
import { nodeOfLinks } from './_event-links.ts';
import { type ComponentCue, type Slot, slotsOfComponents, slotsOfEvent } from './_slots.ts';
import { type EventReader, moduleOf } from './_stored-event.ts';
import type { ComponentKeys } from './components.ts';
import type { Signer } from './signature.ts';
import { idFromText, isCorrupt, type Store } from './store.ts';

/** Words to look for, as term keys with factors of their weight. */
export interface Words {
  readonly keys: ArrayLike<number>;
  readonly weights?: readonly number[] | undefined;
}

/** One thing to look for. */
export type Target =
  | { readonly root: Obj | readonly Obj[] }
  | { readonly event: string }
  | { readonly components: readonly ComponentCue[] }
  | { readonly module: string; readonly attributes: Float32Array }
  | { readonly words: Words };

/** What to look for, and what limits it. */
export type Cue = Target & {
  /** Words besides. */
  readonly words?: Words | undefined;
  /** Likeness to this counts against an event, as if its sketch were taken from the cue's. */
  readonly not?: Target | undefined;
  /** Keeps events whose validity, or else whose time, meets the interval. */
  readonly between?: readonly [number, number] | undefined;
  /** Keeps what holds at this time: recorded or valid from then or before, not valid only until then. */
  readonly asOf?: number | undefined;
  /** Keeps what the memory knew at this time: recorded then or before, not withdrawn by then. */
  readonly known?: number | undefined;
  /** `sketch` compares a root or an event by the sketch alone: no components, words or walk. */
  readonly by?: 'sketch' | undefined;
};

/** A target looked up. */
export interface Question {
  readonly vector: Float64Array | undefined;
  readonly module: string;
  readonly slots: readonly Slot[];
  readonly words: Words | undefined;
  /** Nodes of the graph that it names. */
  readonly nodes: readonly number[];
  /** Objects of a component cue, to be decoded in what is found. */
  readonly objects: readonly ComponentCue[];
}

interface Tools {
  readonly store: Store;
  readonly sketcher: Sketcher;
  readonly keys: ComponentKeys;
  readonly signer: Signer;
  readonly reader: EventReader;
}

const STAND_INS = 3;
const NOTHING = { vector: undefined, module: '', slots: [], words: undefined, nodes: [], objects: [] } as const;

/** Looks a target up. Throws `event_not_found`, `bad_event_id`, `bad_position`, `bad_cue` and the codes of `encode`. */
export async function questionOf(
  target: Target & { readonly words?: Words | undefined },
  tools: Tools,
): Promise<Question> {
  const { keys, sketcher, store, reader } = tools;
  const { words } = target;
  if ('components' in target) {
    const slots = await slotsOfComponents(target.components, tools);
    const own = target.components.map(({ object }) => keys.entity(object));
    const { frequency } = await store.sharing(own, { limit: 0 });
    // Where a component was never met, what is most like it stands in.
    const nodes = slots.flatMap(({ place, options }, i) => {
      const alike = place === 'any' ? options.slice(1, 1 + STAND_INS).map(({ key }) => key) : [];
      return frequency[i]! > 0 ? [own[i]!] : alike;
    });
    return { ...NOTHING, slots, words, nodes: [...new Set(nodes)], objects: target.components };
  }
  if ('module' in target) {
    const object: Obj = { module: target.module, attributes: target.attributes };
    return questionOf({ components: [{ object }], words }, tools);
  }
  if ('root' in target) {
    const encoded = sketcher.encode(target.root);
    const components = keys.of(target.root);
    const heavy = components.filter(({ weight }) => weight >= 1 / 16).map(({ key }) => key);
    return {
      ...NOTHING,
      vector: Float64Array.from(encoded.values),
      module: moduleOf(encoded.structure),
      slots: slotsOfEvent(components),
      words,
      nodes: [...new Set([keys.node(target.root), ...heavy])],
    };
  }
  if ('event' in target) {
    const [row] = await store.find([idFromText(target.event)]);
    if (row === undefined || isCorrupt(row)) {
      throw new CairnError('event_not_found', `Expected the id of a readable event, got ${target.event}.`, {
        hint: 'List the events to see what is there; it may have been forgotten.',
      });
    }
    const { vector, module, trace } = await reader.unrolled(row);
    const [links] = await store.links([row.ref]);
    const node = nodeOfLinks(links!);
    const slots = trace === undefined ? [] : slotsOfEvent(keys.of(trace));
    return { ...NOTHING, vector, module, slots, words, nodes: node === undefined ? [] : [node] };
  }
  if (words !== undefined && words.keys.length > 0) return { ...NOTHING, words };
  throw new CairnError('bad_cue', 'Expected a root, an event, components, attributes or words to look for, got none.', {
    hint: 'Pass one of them.',
  });
}
