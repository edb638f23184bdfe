// Running totals of boards, kept in the memory's store together with the ordinal up to which they count; what was recorded
// after the last save is counted again from the events themselves, so a crash neither loses nor doubles a board.
import type { Store } from '../../memory/index.ts';
import type { Provenance } from '../module.ts';
import { seedAndIndex } from './generated.ts';
import type { BoardView } from './view.ts';

interface Counts {
  upTo: number;
  boards: number;
  proved: number;
  withheld: number;
  escalated: number;
  repaired: number;
  flop: number;
  alwaysLargeFlop: number;
  wrongProved: number;
  sketchBytes: number;
  readers: Record<string, number>;
  solvers: Record<string, number>;
  /** Next index of the stream of each seed. */
  next: Record<string, number>;
}

const NAME = 'boards/totals';
const SAVE_EVERY = 64;

export class Totals {
  readonly #store: Store;
  #counts: Counts;
  #sinceSave = 0;

  private constructor(store: Store, counts: Counts) {
    this.#store = store;
    this.#counts = counts;
  }

  static async open(store: Store): Promise<Totals> {
    const empty: Counts = {
      upTo: 0,
      boards: 0,
      proved: 0,
      withheld: 0,
      escalated: 0,
      repaired: 0,
      flop: 0,
      alwaysLargeFlop: 0,
      wrongProved: 0,
      sketchBytes: 0,
      readers: {},
      solvers: {},
      next: {},
    };
    const bytes = await store.stat(NAME);
    // Our own record: a damaged one would fail the store's checksum before it comes here.
    const saved = bytes ? (JSON.parse(new TextDecoder().decode(bytes)) as Partial<Counts>) : {};
    return new Totals(store, { ...empty, ...saved });
  }

  /** Ordinal of the last board that is counted. */
  get upTo(): number {
    return this.#counts.upTo;
  }

  get counts(): Readonly<Counts> {
    return this.#counts;
  }

  /** Index of the next board of a stream. */
  nextIndex(seed: string | number): number {
    return this.#counts.next[`${seed}`] ?? 0;
  }

  /** Counts one board. `wrong`: it was given as proved and is not what was written. */
  async add(view: BoardView, provenance: Provenance, wrong: boolean): Promise<void> {
    const c = this.#counts;
    c.upTo = Math.max(c.upTo, view.ordinal);
    c.boards++;
    if (view.status === 'proved') c.proved++;
    else c.withheld++;
    if (view.solver !== null) c.solvers[view.solver] = (c.solvers[view.solver] ?? 0) + 1;
    c.escalated += view.escalated;
    c.repaired += view.repaired;
    c.flop += view.cost.flop;
    c.alwaysLargeFlop += view.cost.alwaysLargeFlop;
    c.sketchBytes += view.sketch.bytes;
    if (wrong) c.wrongProved++;
    for (const cell of view.cells) if (cell.given) c.readers[cell.reader] = (c.readers[cell.reader] ?? 0) + 1;
    const generated = seedAndIndex(provenance);
    if (generated) c.next[generated.seed] = Math.max(c.next[generated.seed] ?? 0, generated.index + 1);
    if (++this.#sinceSave >= SAVE_EVERY) await this.save();
  }

  async save(): Promise<void> {
    if (this.#sinceSave === 0) return;
    this.#sinceSave = 0;
    await this.#store.write([
      { kind: 'stat', name: NAME, bytes: new TextEncoder().encode(JSON.stringify(this.#counts)) },
    ]);
  }
}
