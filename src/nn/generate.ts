// Text generation: one token at a time from a decoder, sampled on the host, streamed as text. The same seed gives the same
// text on one executor.
import { CairnError } from '../errors.ts';
import { StreamDecoder } from '../data/index.ts';
import { Rng } from '../tensor/index.ts';
import { createDecoder } from './decoder.ts';
import type { LanguageModel } from './lm.ts';
import { checkSampling, distribution, drawToken, type SamplingOptions, softmax } from './sampling.ts';

export interface GenerateOptions extends SamplingOptions {
  /** Default 200. */
  readonly maxTokens?: number;
  /** Default 0. */
  readonly seed?: number | string;
  /** Generation ends before any of these texts. */
  readonly stop?: readonly string[];
  readonly eosTokenIds?: readonly number[];
  /** Change the logits in place, after the repetition penalty and before temperature and filters. */
  readonly logitsProcessors?: readonly ((logits: Float64Array, ids: readonly number[]) => void)[];
  readonly signal?: AbortSignal;
}

export interface GeneratedToken {
  readonly token: number;
  /** Text that became certain with this token; may be empty while a character or a stop text is incomplete. */
  readonly text: string;
  /** Log probability (nats) under the model's own distribution, before filters. */
  readonly logprob: number;
  readonly index: number;
}

export interface GenerationEnd {
  readonly reason: 'eos' | 'length' | 'stop' | 'aborted';
  readonly text: string;
  readonly usage: { readonly promptTokens: number; readonly completionTokens: number };
}

/** A running generation: iterate it once for tokens, or await `end()` or `text()`. */
export interface Generation extends AsyncIterable<GeneratedToken> {
  /** How it ended; runs it to the end when it was not iterated. */
  end(): Promise<GenerationEnd>;
  text(): Promise<string>;
}

/**
 * Continues a prompt.
 * @throws CairnError `bad_sampling`, `empty_prompt`
 * @example
 * const run = generate(model, 'ROMEO:', { maxTokens: 100, temperature: 0.8, seed: 7 });
 * for await (const { text } of run) process.stdout.write(text);
 * (await run.end()).reason; // 'length'
 */
export function generate(
  model: LanguageModel,
  prompt: string | readonly number[],
  options: GenerateOptions = {},
): Generation {
  const settings = { ...model.generation, ...options };
  checkSampling(settings);
  const ids = typeof prompt === 'string' ? [...model.tokenizer.encode(prompt)] : [...prompt];
  if (ids.length === 0) {
    throw new CairnError('empty_prompt', 'Expected a prompt of at least one token, got none.', {
      hint: 'Start with a newline.',
    });
  }
  let finished: GenerationEnd | undefined;
  const tokens = run(model, ids, settings, (end) => (finished = end));
  const self: Generation = {
    [Symbol.asyncIterator]: () => tokens,
    async end() {
      for (let step = await tokens.next(); !step.done; step = await tokens.next());
      if (!finished) {
        throw new CairnError(
          'generation_cut',
          'Expected a generation that ran to its end, got one that was left early.',
        );
      }
      return finished;
    },
    text: async () => (await self.end()).text,
  };
  return self;
}

async function* run(
  model: LanguageModel,
  prompt: readonly number[],
  options: GenerateOptions,
  onEnd: (end: GenerationEnd) => void,
): AsyncGenerator<GeneratedToken, void, undefined> {
  const { maxTokens = 200, seed = 0, eosTokenIds = [], logitsProcessors = [], signal } = options;
  await using decoder = createDecoder(model);
  const rng = new Rng(seed).fork('generate');
  const writer = new StopWriter(model.tokenizer, options.stop ?? []);
  const ids = [...prompt];
  let made = 0;
  let reason: GenerationEnd['reason'] = 'length';
  let next: readonly number[] = prompt;
  while (made < maxTokens) {
    if (signal?.aborted) {
      reason = 'aborted';
      break;
    }
    const logits = await decoder.feed(next);
    const p = distribution(logits, options, ids, (z) => {
      for (const process of logitsProcessors) process(z, ids);
    });
    const token = drawToken(p, rng);
    if (eosTokenIds.includes(token)) {
      reason = 'eos';
      break;
    }
    ids.push(token);
    next = [token];
    const text = writer.push(token);
    yield { token, text, logprob: Math.log(softmax(logits)[token]!), index: made++ };
    if (writer.stopped) {
      reason = 'stop';
      break;
    }
  }
  const rest = writer.end();
  onEnd({
    reason,
    text: writer.text + rest,
    usage: { promptTokens: prompt.length, completionTokens: ids.length - prompt.length },
  });
}

/** Releases text only once it can no longer become part of a stop text. */
class StopWriter {
  text = '';
  stopped = false;
  #held = '';
  readonly #stops: readonly string[];
  readonly #decoder: StreamDecoder;

  constructor(tokenizer: LanguageModel['tokenizer'], stops: readonly string[]) {
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
