// Text of a running generation: tokens become characters, and characters are released once they can no longer become part
// of a text that ends it.
import { StreamDecoder, type Tokenizer } from '../data/index.ts';

/** Releases text only once it can no longer become part of a stop text. */
export class StopWriter {
  text = '';
  stopped = false;
  #held = '';
  readonly #stops: readonly string[];
  readonly #decoder: StreamDecoder;

  constructor(tokenizer: Tokenizer, stops: readonly string[]) {
    this.#stops = stops.filter((s) => s.length > 0);
    this.#decoder = new StreamDecoder(tokenizer);
  }

  push(token: number): string {
    this.#held += this.#decoder.push(token);
    const hits = this.#stops.map((s) => this.#held.indexOf(s)).filter((i) => i >= 0);
    if (hits.length > 0) {
      this.stopped = true;
      return this.#release(Math.min(...hits), true);
    }
    let keep = 0;
    for (const s of this.#stops) {
      for (let n = Math.min(s.length - 1, this.#held.length); n > keep; n--) {
        if (this.#held.endsWith(s.slice(0, n))) keep = n;
      }
    }
    return this.#release(this.#held.length - keep, false);
  }

  /** Text that was held back and did not become a stop text. */
  end(): string {
    return this.stopped ? '' : this.#held + this.#decoder.end();
  }

  #release(count: number, drop: boolean): string {
    const out = this.#held.slice(0, count);
    this.#held = drop ? '' : this.#held.slice(count);
    this.text += out;
    return out;
  }
}
