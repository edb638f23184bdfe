// Text generation: one token at a time from a decoder, sampled on the host, streamed as text. The same seed gives the same
// text on one executor.
import { availableParallelism } from 'node:os';
import { CairnError } from '../errors.ts';
import { OrtExecutor, Rng } from '../tensor/index.ts';
import { createDecoder, type Decoder } from './decoder.ts';
import { type LmConfig, stackCount } from './lm-config.ts';
import type { LanguageModel } from './lm.ts';
import { markersOf } from './lm-soft-config.ts';
import { checkSampling, distribution, drawToken, type SamplingOptions, softmax } from './sampling.ts';
import type { MixedPrompt } from './soft/index.ts';
import { createStackDecoder, type StackDecoder, whyNotStacked } from './stagformer/index.ts';
import { StopWriter } from './stop-writer.ts';
import { checkThinking, type ThinkingOptions, Thought } from './thinking.ts';

export interface GenerateOptions extends SamplingOptions {
  /** Thought and answer together. Default 200. */
  readonly maxTokens?: number;
  /** Default 0. */
  readonly seed?: number | string;
  /** Generation ends before any of these texts in the answer. */
  readonly stop?: readonly string[];
  readonly eosTokenIds?: readonly number[];
  /** Change the logits in place, after the repetition penalty and before temperature and filters. */
  readonly logitsProcessors?: readonly ((logits: Float64Array, ids: readonly number[]) => void)[];
  /**
   * A prompt longer than the model's context: read its end and say how much was left out (`cut`, the default), or throw
   * `context_exceeded` (`refuse`).
   */
  readonly longPrompt?: 'cut' | 'refuse';
  /** Think first, within a budget. */
  readonly thinking?: ThinkingOptions;
  /**
   * Stacks of a StagFormer on a thread each. Default `auto`: where there are cores for them and a step is work enough.
   * The tokens are the same either way.
   */
  readonly parallel?: boolean | 'auto';
  /**
   * The weights go into the program of single tokens: a token is faster, the start slower, and a few tokens may differ in
   * their last bits. Default false.
   */
  readonly frozen?: boolean;
  /** A decoder of this model to use instead of a new one; it is reset first and not disposed of. */
  readonly decoder?: Decoder;
  readonly signal?: AbortSignal;
}

export interface GeneratedToken {
  readonly token: number;
  /** Text that became certain with this token; may be empty while a character or a stop text is incomplete. */
  readonly text: string;
  /** Log probability (nats) under the model's own distribution, before filters. */
  readonly logprob: number;
  readonly index: number;
  /** Part of the thought, its marks included. */
  readonly thought?: true;
}

export interface GenerationUsage {
  /** Tokens of the prompt that were read. */
  readonly input: number;
  /** Tokens at the beginning of the prompt that were not, since it is longer than the model's context. */
  readonly leftOut: number;
  /** Tokens of the thought, the opening and closing token included. */
  readonly thinking: number;
  /** Tokens of the answer. */
  readonly output: number;
}

export interface GenerationEnd {
  readonly reason: 'eos' | 'length' | 'stop' | 'aborted';
  /** The answer. */
  readonly text: string;
  /** What was thought, with its marks; absent without `thinking`. */
  readonly thought?: string;
  readonly usage: GenerationUsage;
  /** How a StagFormer's stacks were run; `fallback` says why not on threads although that was wanted. */
  readonly stacks?: { readonly mode: 'parallel' | 'serial' | 'recurrent'; readonly fallback?: string };
}

/** A running generation: iterate it once for tokens, or await `end()` or `text()`. */
export interface Generation extends AsyncIterable<GeneratedToken> {
  /** Tokens at the beginning of the prompt that are not read; known before the first token. */
  readonly leftOut: number;
  /** How it ended; runs it to the end when it was not iterated. */
  end(): Promise<GenerationEnd>;
  text(): Promise<string>;
}

/**
 * Continues a prompt. Of one that is longer than the model's context only the end is read: see `leftOut` and `longPrompt`. When the
 * context is full, the later half of it is read again and what is older forgotten.
 * @throws CairnError `bad_sampling`, `bad_thinking`, `empty_prompt`, `context_exceeded`
 * @example
 * const run = generate(model, 'ROMEO:', { maxTokens: 100, temperature: 0.8, seed: 7 });
 * for await (const { text } of run) process.stdout.write(text);
 * (await run.end()).reason; // 'length'
 */
export function generate(
  model: LanguageModel,
  prompt: string | readonly number[] | MixedPrompt,
  options: GenerateOptions = {},
): Generation {
  const settings = { ...model.generation, ...options };
  checkSampling(settings);
  if (settings.thinking) checkThinking(settings.thinking, model.config.vocab_size);
  const mixed = isMixed(prompt) ? prompt : undefined;
  const ids = promptIds(model, isMixed(prompt) ? prompt.ids : prompt);
  const leftOut = Math.max(0, ids.length - model.config.max_position_embeddings);
  if (leftOut > 0 && settings.longPrompt === 'refuse') throw tooLong(model.config, ids.length);
  let finished: GenerationEnd | undefined;
  const tokens = run(model, ids, mixed?.soft, settings, (end) => (finished = end));
  const self: Generation = {
    leftOut,
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

function isMixed(prompt: string | readonly number[] | MixedPrompt): prompt is MixedPrompt {
  return typeof prompt === 'object' && 'soft' in prompt;
}

/** @throws CairnError `empty_prompt` */
export function promptIds(model: LanguageModel, prompt: string | readonly number[]): number[] {
  const ids = typeof prompt === 'string' ? [...model.tokenizer.encode(prompt)] : [...prompt];
  if (ids.length > 0) return ids;
  throw new CairnError('empty_prompt', 'Expected a prompt of at least one token, got none.', {
    hint: 'Start with a newline.',
  });
}

/** @returns the CairnError `context_exceeded` for a prompt of `got` tokens */
export function tooLong(config: LmConfig, got: number): CairnError {
  const limit = config.max_position_embeddings;
  return new CairnError('context_exceeded', `Expected a prompt of at most ${limit} tokens, got ${got}.`, {
    hint: 'Shorten it, or use a model with a longer context.',
    details: { limit, got },
  });
}

/** Multiplications of one stack and token above which threads pay: about half a millisecond of work. */
const WORTH_THREADS = 1e6;

/** Whether a thread a stack is faster than one after another: enough cores, and steps that outweigh a barrier. */
export function worthThreads(c: LmConfig, maxTokens: number): boolean {
  const { hidden_size: d, intermediate_size: wide, num_hidden_layers: layers } = c;
  const matrices = c.mlp_gated ? 3 : 2;
  const work = layers * (4 * d * d + matrices * d * wide);
  return maxTokens >= 32 && work >= WORTH_THREADS && availableParallelism() >= stackCount(c);
}

async function openDecoder(model: LanguageModel, parallel: boolean, frozen: boolean): Promise<Decoder> {
  const stacked = model.executor instanceof OrtExecutor && whyNotStacked(model.config) === undefined;
  return stacked ? createStackDecoder(model, { parallel }) : createDecoder(model, { frozen });
}

async function* run(
  model: LanguageModel,
  prompt: readonly number[],
  soft: Float32Array | undefined,
  options: GenerateOptions,
  onEnd: (end: GenerationEnd) => void,
): AsyncGenerator<GeneratedToken, void, undefined> {
  const { maxTokens = 200, seed = 0, eosTokenIds = [], logitsProcessors = [], signal } = options;
  const { parallel = 'auto', frozen = false } = options;
  await using own = options.decoder
    ? undefined
    : await openDecoder(model, parallel === 'auto' ? worthThreads(model.config, maxTokens) : parallel, frozen);
  const decoder = own ?? options.decoder!;
  decoder.reset();
  const rng = new Rng(seed).fork('generate');
  const writer = new StopWriter(model.tokenizer, options.stop ?? []);
  const thoughts = new StopWriter(model.tokenizer, []);
  const thought = options.thinking && new Thought(options.thinking, prompt);
  const ids = [...prompt];
  let made = 0;
  let reason: GenerationEnd['reason'] = 'length';
  const markers = markersOf(model.config);
  let next: readonly number[] = prompt;
  while (made < maxTokens) {
    if (signal?.aborted) {
      reason = 'aborted';
      break;
    }
    const logits = await (made === 0 ? decoder.feed(next, soft) : decoder.feed(next));
    const token =
      thought?.forced() ??
      drawToken(
        distribution(logits, options, ids, (z) => {
          for (const process of logitsProcessors) process(z, ids);
          for (const id of markers) z[id] = -Infinity; // a model writes text only
          thought?.restrict(z);
        }),
        rng,
      );
    const chances = softmax(logits);
    const thinks = thought?.push(token, () => chances[options.thinking!.close]!) ?? false;
    if (!thinks && eosTokenIds.includes(token)) {
      reason = 'eos';
      break;
    }
    ids.push(token);
    next = [token];
    const text = (thinks ? thoughts : writer).push(token);
    yield { token, text, logprob: Math.log(chances[token]!), index: made++, ...(thinks ? { thought: true } : {}) };
    if (writer.stopped) {
      reason = 'stop';
      break;
    }
  }
  const rest = writer.end();
  const thinking = thought?.total ?? 0;
  onEnd({
    reason,
    text: writer.text + rest,
    ...(thought ? { thought: thoughts.text + thoughts.end() } : {}),
    usage: {
      input: Math.min(prompt.length, model.config.max_position_embeddings),
      leftOut: Math.max(0, prompt.length - model.config.max_position_embeddings),
      thinking,
      output: ids.length - prompt.length - thinking,
    },
    ...(own && isStacked(own) ? { stacks: stacksOf(own) } : {}),
  });
}

function isStacked(decoder: Decoder): decoder is StackDecoder {
  return 'carriedBytes' in decoder;
}

function stacksOf({ mode, fallback }: StackDecoder): NonNullable<GenerationEnd['stacks']> {
  return { mode, ...(fallback === undefined ? {} : { fallback: fallback.message }) };
}
