// What turns prompts into vectors, possibly by asking somebody else: one interface for the local features and for an embeddings
// endpoint. The remote one keeps what it has seen, has a deadline, and stops asking for a while when it keeps failing.
import { CairnError } from '../../errors.ts';
import type { Encoder } from '../encoder.ts';

/** Vectors of unit length (or zero for an empty text), the same for the same text. */
export interface PromptEncoder {
  /** Names the encoder and its model; a router fitted with another is refused. */
  readonly id: string;
  readonly dim: number;
  /** @throws CairnError `encoder_failed` when vectors cannot be had in time */
  embed(texts: readonly string[], signal?: AbortSignal): Promise<Float32Array[]>;
}

/** A local encoder behind the same interface. */
export function toPromptEncoder(encoder: Encoder<string>): PromptEncoder {
  return {
    id: encoder.id,
    dim: encoder.dim,
    embed(texts) {
      const out = texts.map((text) => {
        const z = new Float32Array(encoder.dim);
        encoder.embed(text, z, 0);
        return z;
      });
      return Promise.resolve(out);
    },
  };
}

/** Asks an embeddings endpoint; how is the caller's business. One vector per text, in order. */
export type FetchEmbeddings = (texts: readonly string[], signal: AbortSignal) => Promise<readonly ArrayLike<number>[]>;

export interface RemoteEncoderOptions {
  /** Name of the endpoint and its model, for example `openai/text-embedding-3-small`. */
  readonly id: string;
  /** Numbers per vector. Another length is an error: the fit would be meaningless. */
  readonly dim: number;
  readonly fetch: FetchEmbeddings;
  /** Default 80. */
  readonly timeoutMs?: number;
  /** Texts whose vectors are kept. Default 10,000. */
  readonly cache?: number;
  /** Failures in a row after which nothing is asked for a while. Default 5. */
  readonly failures?: number;
  /** How long. Default 15 seconds. */
  readonly openMs?: number;
  /** Milliseconds on any steady clock. Default `performance.now`. */
  readonly now?: () => number;
}

/** An embeddings endpoint with memory, deadline and circuit breaker. */
export class RemoteEncoder implements PromptEncoder {
  readonly id: string;
  readonly dim: number;
  readonly #options: Required<RemoteEncoderOptions>;
  readonly #kept = new Map<string, Float32Array>();
  #failed = 0;
  #openUntil = -Infinity;

  constructor(options: RemoteEncoderOptions) {
    this.id = `remote/${options.id}/${options.dim}`;
    this.dim = options.dim;
    this.#options = {
      timeoutMs: 80,
      cache: 10_000,
      failures: 5,
      openMs: 15_000,
      now: () => performance.now(),
      ...options,
    };
  }

  /** True while the endpoint is left alone after repeated failures. */
  get open(): boolean {
    return this.#options.now() < this.#openUntil;
  }

  async embed(texts: readonly string[], signal?: AbortSignal): Promise<Float32Array[]> {
    const missing = [...new Set(texts.filter((text) => text.trim() !== '' && !this.#kept.has(text)))];
    const fresh = new Map<string, Float32Array>();
    if (missing.length > 0) {
      if (this.open) throw failed(this.id, 'it failed repeatedly and is left alone for a while');
      const vectors = await this.#ask(missing, signal);
      missing.forEach((text, i) => fresh.set(text, vectors[i]!));
    }
    const out = texts.map((text) => {
      const z = fresh.get(text) ?? this.#kept.get(text) ?? new Float32Array(this.dim);
      this.#kept.delete(text); // last used, last forgotten
      if (text.trim() !== '') this.#kept.set(text, z);
      return Float32Array.from(z);
    });
    while (this.#kept.size > this.#options.cache) this.#kept.delete(this.#kept.keys().next().value!);
    return out;
  }

  async #ask(texts: readonly string[], signal?: AbortSignal): Promise<Float32Array[]> {
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(), this.#options.timeoutMs);
    const both = signal ? AbortSignal.any([signal, late.signal]) : late.signal;
    const ended = new Promise<never>((_, reject) => {
      both.addEventListener('abort', () => reject(failed(this.id, `no answer within ${this.#options.timeoutMs} ms`)), {
        once: true,
      });
    });
    try {
      const raw = await Promise.race([this.#options.fetch(texts, both), ended]);
      if (raw.length !== texts.length) throw failed(this.id, `${raw.length} vectors for ${texts.length} texts`);
      const vectors = raw.map((v) => unit(v, this.dim, this.id));
      this.#failed = 0;
      return vectors;
    } catch (error) {
      signal?.throwIfAborted();
      this.#failed++;
      if (this.#failed >= this.#options.failures) {
        this.#openUntil = this.#options.now() + this.#options.openMs;
        this.#failed = 0;
      }
      if (CairnError.isInstance(error)) throw error;
      throw failed(this.id, 'the endpoint failed', error);
    } finally {
      clearTimeout(timer);
    }
  }
}

function unit(raw: ArrayLike<number>, dim: number, id: string): Float32Array {
  if (raw.length !== dim) {
    throw new CairnError('encoder_changed', `Expected vectors of ${dim} numbers from ${id}, got ${raw.length}.`, {
      hint: 'Fit the router again with this model, or name the model it was fitted with.',
    });
  }
  const z = Float32Array.from(raw);
  let norm = 0;
  for (const v of z) norm += v * v;
  if (!Number.isFinite(norm)) throw failed(id, 'numbers that are not finite');
  return norm > 0 ? z.map((v) => v / Math.sqrt(norm)) : z;
}

function failed(id: string, why: string, cause?: unknown): CairnError {
  return new CairnError('encoder_failed', `Expected vectors from ${id}, got none: ${why}.`, {
    hint: 'The local features decide meanwhile.',
    ...(cause === undefined ? {} : { cause }),
  });
}

/** One case of the suite that every prompt encoder passes. */
export interface EncoderCase {
  readonly name: string;
  readonly check: (encoder: PromptEncoder) => Promise<void>;
}

/** What every prompt encoder must do; `expectThat(condition, text)` reports. */
export function encoderCases(expectThat: (condition: boolean, text: string) => void): EncoderCase[] {
  const same = (a: Float32Array, b: Float32Array): boolean => a.length === b.length && a.every((v, i) => v === b[i]);
  return [
    {
      name: 'the same text gives the same vector, alone or among others',
      async check(encoder) {
        const [a] = await encoder.embed(['one sentence']);
        const batch = await encoder.embed(['another', 'one sentence', 'a third']);
        expectThat(same(a!, batch[1]!), 'a text alone and in a batch differ');
      },
    },
    {
      name: 'vectors have the stated length and are finite, whatever the text',
      async check(encoder) {
        const texts = ['', ' ', '\u0000', '\ud800', '🎉', 'x'.repeat(100_000), 'two words'];
        const vectors = await encoder.embed(texts);
        expectThat(vectors.length === texts.length, 'not one vector per text');
        expectThat(
          vectors.every((z) => z.length === encoder.dim && z.every(Number.isFinite)),
          'a vector is not of its kind',
        );
      },
    },
    {
      name: 'an empty text is zero, and what comes back may be changed by the caller',
      async check(encoder) {
        const [empty, word] = await encoder.embed(['', 'word']);
        expectThat(
          empty!.every((v) => v === 0),
          'an empty text is not zero',
        );
        const before = Float32Array.from(word!);
        word!.fill(9);
        expectThat(same((await encoder.embed(['word']))[0]!, before), 'a caller changed what the encoder keeps');
      },
    },
    {
      name: 'no text, no vector',
      async check(encoder) {
        expectThat((await encoder.embed([])).length === 0, 'vectors without texts');
      },
    },
  ];
}
