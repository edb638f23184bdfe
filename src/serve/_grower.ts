// When the server grows by itself: when the memory has doubled or gained 600 events since the last time, or while nothing else
// happens and a little is new. One growth at a time; requests go on meanwhile.
import { CairnError } from '../errors.ts';
import type { Growth, GrowthPolicy, GrowthService } from '../mind/index.ts';

export interface GrowerOptions {
  /** Undefined: nothing can grow. */
  readonly growths: () => Promise<GrowthService | undefined>;
  /** Events that are remembered. */
  readonly events: () => Promise<number>;
  /** Told of progress and of what was found. */
  readonly publish: (event: string, data: unknown) => void;
  readonly onFault: (error: unknown) => void;
  /** False: only when asked. */
  readonly byItself: boolean;
  /** Milliseconds of a steady clock. */
  readonly clock?: () => number;
}

/** What a studio shows of growth under way. */
export interface GrowingState {
  readonly growing: boolean;
  /** What is being done; empty while nothing is. */
  readonly says: string;
}

const LEAST_EVENTS = 50;
const MOST_STEP = 600;
/** When idle so many new events are enough. */
const IDLE_STEP = 25;
const IDLE_MS = 30_000;
const LOOK_MS = 5_000;

export class Grower {
  readonly #options: GrowerOptions;
  readonly #clock: () => number;
  readonly #timer: NodeJS.Timeout;
  #says = '';
  #work: Promise<unknown> | undefined;
  #lastBoard: number;
  /** Events at the last growth; undefined until it is known. */
  #at: number | undefined;
  /** Something was forgotten: what was withdrawn may be found again. */
  #stale = false;
  #closed = false;

  constructor(options: GrowerOptions) {
    this.#options = options;
    this.#clock = options.clock ?? ((): number => performance.now());
    this.#lastBoard = this.#clock();
    this.#timer = setInterval(() => void this.look(), LOOK_MS).unref();
  }

  get state(): GrowingState {
    return { growing: this.#work !== undefined, says: this.#says };
  }

  /** A board was remembered. */
  noteBoard(): void {
    this.#lastBoard = this.#clock();
  }

  /** An event was forgotten. */
  noteForgotten(): void {
    this.#stale = true;
  }

  /** Starts a growth if the moment is right. */
  async look(): Promise<void> {
    if (!this.#options.byItself || this.#work || this.#closed) return;
    try {
      const growths = await this.#options.growths();
      if (growths === undefined) return;
      const events = await this.#options.events();
      this.#at ??= Math.max(0, ...growths.list().map((g) => g.events));
      const fresh = events - this.#at;
      const idle = this.#clock() - this.#lastBoard >= IDLE_MS;
      const due =
        events >= LEAST_EVENTS &&
        (fresh >= Math.min(MOST_STEP, Math.max(LEAST_EVENTS, this.#at)) || (idle && fresh >= IDLE_STEP));
      if (due || (idle && this.#stale)) await this.start();
    } catch (error) {
      this.#options.onFault(error);
    }
  }

  /**
   * Starts a growth and returns at once.
   * @throws CairnError `growing` when one is under way, `not_available`
   */
  async start(policy: GrowthPolicy = {}): Promise<void> {
    if (this.#work) {
      throw new CairnError('growing', 'Expected to grow once at a time, got a second call meanwhile.', {
        hint: 'Wait until the first is done; GET /api/growth says how far it is.',
      });
    }
    const growths = await this.#options.growths();
    if (growths === undefined) {
      throw new CairnError('not_available', 'Expected a memory that can grow, got a service without.');
    }
    this.#at = await this.#options.events();
    this.#stale = false;
    this.#tell('looking at what is remembered');
    this.#work = growths.grow({ ...policy, onProgress: (says) => this.#tell(says) }).then(
      (grown) => this.#done(grown),
      (error: unknown) => {
        this.#done([]);
        if (!this.#closed) this.#options.onFault(error);
      },
    );
  }

  /** Stops looking. The mind ends what is under way when it closes. */
  close(): void {
    this.#closed = true;
    clearInterval(this.#timer);
  }

  #tell(says: string): void {
    this.#says = says;
    this.#options.publish('growing', { growing: true, says } satisfies GrowingState);
  }

  #done(grown: readonly Growth[]): void {
    this.#work = undefined;
    this.#says = '';
    this.#options.publish('growing', { growing: false, says: '' } satisfies GrowingState);
    if (grown.length > 0) this.#options.publish('growth', { growths: grown });
  }
}
