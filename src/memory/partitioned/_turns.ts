// Readers together, writers alone: no answer is made of the two halves of a write.
export class Turns {
  #writing: Promise<void> | undefined;
  #line: Promise<unknown> = Promise.resolve();
  readonly #reading = new Set<Promise<unknown>>();

  /** Not to be nested: a writer that waits in between would wait for ever. */
  async read<T>(work: () => Promise<T>): Promise<T> {
    while (this.#writing !== undefined) await this.#writing;
    const answer = work();
    this.#reading.add(answer);
    try {
      return await answer;
    } finally {
      this.#reading.delete(answer);
    }
  }

  write<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#line.then(async () => {
      let finish = (): void => undefined;
      this.#writing = new Promise<void>((resolve) => (finish = resolve));
      try {
        await Promise.allSettled(this.#reading);
        return await work();
      } finally {
        this.#writing = undefined;
        finish();
      }
    });
    this.#line = result.catch(() => undefined);
    return result;
  }
}
