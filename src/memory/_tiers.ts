// Tiers of forgetting: which events are cold, and how far each is shortened so that all sketches fit a budget. Hot events
// keep all their numbers, warm half, cold a quarter, archived none but their signature and provenance.
import { fromBytes, type SketchSpec } from '../sketch/index.ts';
import type { Erasure } from './_erasure.ts';
import { nodeOfLinks } from './_event-links.ts';
import { readVarint, varintLength, writeVarint } from './postings.ts';
import { type Id, isCorrupt, type Store } from './store.ts';

export interface FitOptions {
  /** Bytes that all stored sketches may take. */
  readonly budget: number;
  /** Milliseconds since 1970. */
  readonly now: number;
  /** Uses count half after so many milliseconds; 30 days by default. */
  readonly halfLife?: number | undefined;
  /** Numbers of a sketch that every event keeps; a quarter of the dimension by default, 0 lets events be archived. */
  readonly keep?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface Fitted {
  /** Bytes of all sketches. */
  readonly bytesBefore: number;
  readonly bytesAfter: number;
  /** Whether the budget is met: it is not where `keep` forbids more. */
  readonly fits: boolean;
  /** The certificate of each demotion. */
  readonly demoted: readonly Erasure[];
}

/** How warm an event was when it was last used. */
interface Heat {
  readonly heat: number;
  readonly at: number;
}

const DAY = 86_400_000;
const PAGE = 512;

/** Uses of events, faded: sum of 2^(-age / half-life). Kept as one statistic without ids. */
export class Uses {
  #uses = new Map<number, Heat>();

  touch(refs: readonly number[], at: number, halfLife = 30 * DAY): void {
    for (const ref of refs) this.#uses.set(ref, { heat: this.heat(ref, at, halfLife) + 1, at });
  }

  heat(ref: number, now: number, halfLife: number): number {
    const use = this.#uses.get(ref);
    return use === undefined ? 0 : use.heat * 2 ** -(Math.max(0, now - use.at) / halfLife);
  }

  /** Forgets an event; false when it was never used. */
  drop(ref: number): boolean {
    return this.#uses.delete(ref);
  }

  get size(): number {
    return this.#uses.size;
  }

  toBytes(): Uint8Array | undefined {
    if (this.#uses.size === 0) return undefined;
    const all = [...this.#uses].sort(([a], [b]) => a - b);
    const out = new Uint8Array(all.reduce((sum, [ref]) => sum + varintLength(ref) + 16, 0));
    const view = new DataView(out.buffer);
    let at = 0;
    for (const [ref, use] of all) {
      at = writeVarint(out, at, ref);
      view.setFloat64(at, use.heat, true);
      view.setFloat64(at + 8, use.at, true);
      at += 16;
    }
    return out;
  }

  static fromBytes(bytes: Uint8Array | undefined): Uses {
    const uses = new Uses();
    if (bytes === undefined) return uses;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    for (let at = 0; at < bytes.length;) {
      const [ref, next] = readVarint(bytes, at);
      uses.#uses.set(ref, { heat: view.getFloat64(next, true), at: view.getFloat64(next + 8, true) });
      at = next + 16;
    }
    return uses;
  }
}

/** Shortens the coldest events, one tier at a time, until the sketches fit. */
export async function fitBudget(
  tools: {
    readonly store: Store;
    readonly spec: SketchSpec;
    readonly uses: Uses;
    importance(nodes: readonly (number | undefined)[]): Promise<number[]>;
    shorten(id: Id, keep: number): Promise<Erasure>;
  },
  options: FitOptions,
): Promise<Fitted> {
  const { store, spec, uses } = tools;
  const { budget, now, halfLife = 30 * DAY, keep = spec.dim / 4, signal } = options;
  const events: { id: Id; at: number; heat: number; kept: number; bytes: number }[] = [];
  for (let before: number | undefined; ;) {
    signal?.throwIfAborted();
    const rows = await store.list({ limit: PAGE, ...(before === undefined ? {} : { before }) });
    if (rows.length === 0) break;
    before = rows[rows.length - 1]!.ref;
    const links = await store.links(rows.map(({ ref }) => ref));
    const importance = await tools.importance(links.map(nodeOfLinks));
    rows.forEach((row, i) => {
      if (isCorrupt(row)) return;
      const recorded = row.count * 2 ** -(Math.max(0, now - row.at) / halfLife);
      const heat = recorded + uses.heat(row.ref, now, halfLife) + importance[i]!;
      const { kept } = fromBytes(row.sketch, spec);
      events.push({ id: row.id, at: row.at, heat, kept, bytes: row.sketch.length });
    });
  }
  events.sort((a, b) => a.heat - b.heat || a.at - b.at || Buffer.compare(a.id, b.id));
  const bytesBefore = events.reduce((sum, { bytes }) => sum + bytes, 0);
  let total = bytesBefore;
  const demoted: Erasure[] = [];
  for (const tier of [spec.dim / 2, spec.dim / 4, 0]) {
    if (tier < keep) break;
    for (const event of events) {
      if (total <= budget) break;
      if (event.kept <= tier) continue;
      signal?.throwIfAborted();
      const erasure = await tools.shorten(event.id, tier);
      total += erasure.bytesAfter - event.bytes;
      event.kept = tier;
      event.bytes = erasure.bytesAfter;
      demoted.push(erasure);
    }
  }
  return { bytesBefore, bytesAfter: total, fits: total <= budget, demoted };
}
