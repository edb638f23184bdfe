// Joins concurrent writes into one transaction: everything that arrives before the event loop comes round again, up to a
// limit, shares one commit and so one fsync. Work that must not meet a commit takes its turn in the same line.
import { CairnError } from '../errors.ts';

const LIMIT = 256;

interface Waiting<Item, Result> {
  readonly item: Item;
  readonly resolve: (result: Result) => void;
  readonly reject: (reason: unknown) => void;
}

export class GroupCommit<Item, Result> {
  readonly #commit: (items: Item[]) => Promise<Result[]>;
  #waiting: Waiting<Item, Result>[] = [];
  #line: Promise<void> = Promise.resolve();

  /** @param commit makes all items durable or none; results in order */
  constructor(commit: (items: Item[]) => Promise<Result[]>) {
    this.#commit = commit;
  }

  /** Resolves when the item is durable. */
  push(item: Item): Promise<Result> {
    return new Promise<Result>((resolve, reject) => {
      this.#waiting.push({ item, resolve, reject });
      if (this.#waiting.length === 1) this.#line = this.#line.then(() => this.#drain());
    });
  }

  /** Runs when everything before is done and before anything that comes later. */
  exclusive<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#line.then(work);
    this.#line = result.then(
      () => undefined,
      () => undefined,
    );
    return result;
  }

  async #drain(): Promise<void> {
    await new Promise<void>((resolve) => setImmediate(resolve));
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.slice(0, LIMIT);
      try {
        const results = await this.#commit(batch.map(({ item }) => item));
        batch.forEach(({ resolve }, i) => resolve(results[i]!));
      } catch (error) {
        // One server that is away must not refuse what the others keep.
        if (batch.length > 1 && CairnError.isInstance(error) && error.code === 'server_down') await this.#singly(batch);
        else for (const { reject } of batch) reject(error);
      }
      // Only now, so that what arrived meanwhile joined this drain instead of starting another.
      this.#waiting = this.#waiting.slice(batch.length);
    }
  }

  async #singly(batch: readonly Waiting<Item, Result>[]): Promise<void> {
    for (const { item, resolve, reject } of batch) {
      try {
        resolve((await this.#commit([item]))[0]!);
      } catch (error) {
        reject(error);
      }
    }
  }
}
