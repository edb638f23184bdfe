// A lane for work that takes long: one job at a time, a short queue, and a clear refusal when it is full.
import { CairnError } from '../errors.ts';

/** Runs jobs one after another; at most `waiting` may queue. */
export class Lane {
  readonly #waiting: number;
  #depth = 0;
  #last: Promise<unknown> = Promise.resolve();

  constructor(waiting = 4) {
    this.#waiting = waiting;
  }

  /** Throws `busy` when the queue is full. */
  async run<T>(job: () => Promise<T>): Promise<T> {
    if (this.#depth > this.#waiting) {
      throw new CairnError('busy', `Expected at most ${this.#waiting} pictures to wait, got one more.`, {
        hint: 'Try again in a second.',
      });
    }
    this.#depth++;
    const turn = this.#last.then(job);
    this.#last = turn.catch(() => undefined).finally(() => this.#depth--);
    return turn;
  }
}
