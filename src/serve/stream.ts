// The stream of boards: runs one board after another through a service, at a pace people can follow, while someone watches.
// Pausable, steppable, with a speed. A fault pauses it and is shown; it never ends the server.
import { CairnError } from '../errors.ts';
import type { Speed, StreamState } from './views.ts';

/** What a stream needs of the outside. */
export interface StreamOptions<T> {
  /** Runs one board and returns it. */
  readonly next: (signal: AbortSignal) => Promise<T>;
  /** Called with every finished board. */
  readonly onBoard: (board: T) => void;
  /** Called when anything in the state changes. */
  readonly onState: (state: StreamState) => void;
  /** Runs also while nobody watches. */
  readonly always?: boolean;
  readonly speed?: Speed;
  /** Milliseconds between the starts of two boards at speed 1. */
  readonly paceMs?: number;
}

/** Milliseconds between the starts of two boards at speed 1. */
export const PACE_MS = 2_000;

/**
 * The controller of a stream of boards.
 *
 * @example
 * const stream = new BoardStream({ next: (signal) => service.nextBoard(signal), onBoard: show, onState: show });
 * stream.watch(1); // somebody looks: boards start to arrive
 */
export class BoardStream<T> {
  readonly #options: StreamOptions<T>;
  readonly #stop = new AbortController();
  #paused = false;
  #watchers = 0;
  #boards = 0;
  #speed: Speed;
  #fault: StreamState['fault'];
  #loop: Promise<void> | undefined;
  #turn: Promise<unknown> = Promise.resolve();
  #wake: (() => void) | undefined;

  constructor(options: StreamOptions<T>) {
    this.#options = options;
    this.#speed = options.speed ?? 1;
    if (options.always) this.#start();
  }

  /** The state as the studio shows it. */
  get state(): StreamState {
    return {
      running: this.#wanted,
      paused: this.#paused,
      speed: this.#speed,
      watchers: this.#watchers,
      boards: this.#boards,
      ...(this.#fault === undefined ? {} : { fault: this.#fault }),
    };
  }

  /** Tells how many look on. The stream runs while at least one does. */
  watch(watchers: number): void {
    if (watchers === this.#watchers) return;
    this.#watchers = watchers;
    this.#changed();
  }

  /** Stops after the board at hand. */
  pause(): void {
    if (this.#paused) return;
    this.#paused = true;
    this.#changed();
  }

  /** Goes on, also after a fault. */
  resume(): void {
    if (!this.#paused && this.#fault === undefined) return;
    this.#paused = false;
    this.#fault = undefined;
    this.#changed();
  }

  /** Throws `bad_speed` for anything but 0.1 to 32 or `max`. */
  setSpeed(speed: unknown): void {
    if (speed !== 'max' && !(typeof speed === 'number' && speed >= 0.1 && speed <= 32)) {
      throw new CairnError('bad_speed', 'Expected a speed from 0.1 to 32 or "max", got something else.', {
        hint: 'Send for example {"speed": 2}.',
      });
    }
    this.#speed = speed;
    this.#changed();
  }

  /** Runs exactly one board now, also while paused. Rejects with what went wrong. */
  async step(): Promise<T> {
    const board = await this.#one();
    this.#fault = undefined;
    this.#options.onState(this.state);
    return board;
  }

  /** Runs boards without delay until `count` are done or the stream ends; used to fill an empty memory at the start. */
  async prime(count: number): Promise<void> {
    for (let i = 0; i < count && !this.#stop.signal.aborted; i++) {
      try {
        await this.#one();
      } catch (error) {
        if (!this.#stop.signal.aborted) throw error;
      }
    }
  }

  /** Ends the stream and waits for the board at hand. */
  async close(): Promise<void> {
    this.#stop.abort();
    this.#wake?.();
    await this.#loop;
    await this.#turn.catch(() => undefined);
  }

  get #wanted(): boolean {
    return !this.#paused && !this.#stop.signal.aborted && (this.#watchers > 0 || this.#options.always === true);
  }

  #changed(): void {
    this.#options.onState(this.state);
    if (this.#wanted) this.#start();
    this.#wake?.();
  }

  #start(): void {
    this.#loop ??= this.#run().finally(() => {
      this.#loop = undefined;
      if (this.#wanted) this.#start();
    });
  }

  async #run(): Promise<void> {
    while (this.#wanted) {
      const started = performance.now();
      try {
        await this.#one();
      } catch (error) {
        if (this.#stop.signal.aborted) return;
        this.#paused = true;
        this.#fault = CairnError.isInstance(error)
          ? { code: error.code, message: error.message, ...(error.hint === undefined ? {} : { hint: error.hint }) }
          : {
              code: 'internal',
              message: 'A board met a fault that Cairn does not know.',
              hint: 'See the server’s output.',
            };
        this.#options.onState(this.state);
        return;
      }
      await this.#rest(started);
    }
  }

  /** Waits out the pace; a change of speed or state is felt at once. */
  async #rest(started: number): Promise<void> {
    for (;;) {
      const pace = this.#speed === 'max' ? 0 : (this.#options.paceMs ?? PACE_MS) / this.#speed;
      const left = started + pace - performance.now();
      if (left <= 0 || !this.#wanted) {
        await new Promise((resolve) => setImmediate(resolve));
        return;
      }
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
      this.#wake = undefined;
    }
  }

  /** One board at a time, whoever asks. */
  #one(): Promise<T> {
    const turn = this.#turn
      .catch(() => undefined)
      .then(async () => {
        if (this.#stop.signal.aborted)
          throw new CairnError('closing', 'Expected a running server, got one that is closing.');
        const board = await this.#options.next(this.#stop.signal);
        this.#boards++;
        this.#options.onBoard(board);
        return board;
      });
    this.#turn = turn;
    return turn;
  }
}
