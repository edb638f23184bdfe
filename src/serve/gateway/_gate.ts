// So many calls at once and so many waiting; the next is refused. First come, first served.

export class Gate {
  readonly #most: number;
  readonly #waiting: number;
  #inside = 0;
  readonly #queue: (() => void)[] = [];

  constructor(most: number, waiting: number) {
    this.#most = most;
    this.#waiting = waiting;
  }

  get inside(): number {
    return this.#inside;
  }

  get queued(): number {
    return this.#queue.length;
  }

  /** True when the next call would be refused. */
  get full(): boolean {
    return this.#inside >= this.#most && this.#queue.length >= this.#waiting;
  }

  /** Resolves when there is room; rejects with the signal's reason when the caller leaves the queue. The caller checks `full` first. */
  async enter(signal: AbortSignal): Promise<void> {
    if (this.#inside < this.#most) {
      this.#inside++;
      return;
    }
    await new Promise<void>((resolve, reject) => {
      const turn = (): void => {
        signal.removeEventListener('abort', leave);
        resolve();
      };
      const leave = (): void => {
        const at = this.#queue.indexOf(turn);
        if (at >= 0) this.#queue.splice(at, 1);
        reject(signal.reason as Error);
      };
      if (signal.aborted) return leave();
      this.#queue.push(turn);
      signal.addEventListener('abort', leave, { once: true });
    });
  }

  leave(): void {
    const next = this.#queue.shift();
    if (next === undefined) this.#inside--;
    else next();
  }
}
