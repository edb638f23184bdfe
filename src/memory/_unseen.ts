// Whether a cue is like anything that was ever remembered, so that recall may abstain. The threshold is what pairs of events
// that have nothing to do with each other reach: the 99.9 percent quantile of their centred cosines.
import type { Centres } from './_centres.ts';
import { cosineOf } from './_hit.ts';
import { type Cue, questionOf } from './_cue.ts';
import type { EventReader } from './_stored-event.ts';
import { isCorrupt, type StoredRow } from './store.ts';

/** How near the nearest comes. */
export interface Novelty {
  /** True when nothing like the cue was remembered. */
  readonly unseen: boolean;
  /** Likeness of the nearest: centred cosine for a whole, else 1 or a cosine of components, or the share of known words. */
  readonly nearest: number;
  /** What `nearest` must reach to count as seen. */
  readonly threshold: number;
}

interface Tools extends Readonly<Omit<Parameters<typeof questionOf>[1], 'reader'>> {
  readonly reader: EventReader;
  readonly centres: Centres;
}

/** A component that was never met counts as seen when one this like it was. */
const SAME_COMPONENT = 0.95;
/** Events whose pairs are compared, and the share of pairs below the threshold. */
const SAMPLE = 96;
const QUANTILE = 0.999;
/** Too few events to know what chance is: only the same counts as seen. */
const FEWEST = 12;

export class NoveltyMeter {
  readonly #tools: Tools;
  readonly #thresholds = new Map<string, { readonly events: number; readonly value: number }>();

  constructor(tools: Tools) {
    this.#tools = tools;
  }

  async measure(cue: Cue, nearest: () => Promise<number>): Promise<Novelty> {
    const { store } = this.#tools;
    const { vector, module, slots, words } = await questionOf(cue, this.#tools);
    if (vector !== undefined) {
      const threshold = await this.threshold(module);
      return settled(await nearest(), threshold);
    }
    if (slots.length > 0) {
      const options = slots.flatMap((slot) => slot.options);
      const { frequency } = await store.sharing(
        options.map(({ key }) => key),
        { limit: 0 },
      );
      return settled(Math.max(0, ...options.map(({ cosine }, i) => (frequency[i]! > 0 ? cosine : 0))), SAME_COMPONENT);
    }
    const { frequency } = await store.lexical(words!.keys, { limit: 0 });
    const known = frequency.reduce((n, f) => n + (f > 0 ? 1 : 0), 0) / frequency.length;
    return settled(known, 1 / frequency.length);
  }

  /** The likeness that random pairs of events of a module stay below. */
  async threshold(module: string): Promise<number> {
    const { store, reader, centres } = this.#tools;
    const events = await store.count();
    const known = this.#thresholds.get(module);
    if (known !== undefined && events < 1.5 * known.events && events > known.events / 1.5) return known.value;
    const mean = centres.mean(module);
    const vectors: Float64Array[] = [];
    for (const row of await this.#sample()) {
      const own = await reader.vector(row);
      if (own.module === module && own.complete) vectors.push(own.vector);
    }
    const cosines: number[] = [];
    vectors.forEach((a, i) => vectors.slice(i + 1).forEach((b) => cosines.push(cosineOf(a, b, mean))));
    cosines.sort((a, b) => a - b);
    const value = vectors.length < FEWEST ? 1 - 1e-3 : cosines[Math.floor(QUANTILE * (cosines.length - 1))]!;
    this.#thresholds.set(module, { events, value });
    return value;
  }

  /** Events spread evenly over all that were recorded. */
  async #sample(): Promise<StoredRow[]> {
    const [last] = await this.#tools.store.list({ limit: 1, sketches: false });
    if (last === undefined) return [];
    const step = Math.max(1, last.ref / (2 * SAMPLE));
    const refs = new Set(Array.from({ length: 2 * SAMPLE }, (_, i) => Math.max(1, Math.round(last.ref - i * step))));
    const rows = await this.#tools.store.read([...refs]);
    return rows.filter((row): row is StoredRow => row !== undefined && !isCorrupt(row));
  }
}

function settled(nearest: number, threshold: number): Novelty {
  return { unseen: nearest < threshold, nearest, threshold };
}
