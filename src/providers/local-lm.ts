// Language models that were trained here (`cairn train lm`) as chat models: a model's name is the path of its directory. What a
// person said last is what the model continues. Loaded at the first call and kept; one answer at a time for each model.
import { existsSync } from 'node:fs';
import { isAbsolute, join, relative, resolve } from 'node:path';
import { CairnError } from '../errors.ts';
import {
  createDecoder,
  type Decoder,
  generate,
  type Generation,
  type GenerationEnd,
  type LanguageModel,
  loadLm,
  type ThinkingOptions,
  thinkingLimit,
  thinkingMarks,
} from '../nn/index.ts';
import { createOrtExecutor, type OrtExecutor } from '../tensor/index.ts';
import { type AnswerHead, askedFor, chunk, completion, contextExceeded, lastWords, usageChunk } from './_completion.ts';
import { isObject, type JsonObject, listAt, textAt } from './json.ts';
import { ProviderError } from './provider-error.ts';
import { toAbortSignal } from './request-signal.ts';
import type { ChatCall, ChatChunk, ChatUsage, Provider } from './types.ts';

/** Tokens of an answer where the request names no limit. */
const MAX_TOKENS = 256;

export interface LmProviderOptions {
  readonly id: string;
  /** Folder that the directories of models are in. */
  readonly directory: string;
  readonly now?: () => number;
}

interface Loaded {
  readonly model: LanguageModel;
  readonly decoder: Decoder;
  /** Settled when the answers before are done. */
  turn: Promise<void>;
}

/**
 * The directory of a model inside a folder.
 * @throws CairnError `no_model` for a path that leaves the folder, or where no model is
 */
export function lmDirectory(folder: string, name: string): string {
  const dir = resolve(folder, name);
  const inside = relative(resolve(folder), dir);
  if (inside === '' || inside.startsWith('..') || isAbsolute(inside)) {
    throw new CairnError('no_model', `Expected a model inside ${resolve(folder)}, got "${name}".`, {
      hint: "Set `directory` of the provider to the folder that holds the models' directories.",
    });
  }
  if (!existsSync(join(dir, 'config.json'))) {
    throw new CairnError('no_model', `Expected the directory of a model at ${dir}, got none with a config.json.`, {
      hint: 'Train one with `cairn train lm`; it says where it is.',
    });
  }
  return dir;
}

/**
 * A provider of the language models in a folder. Reads `max_tokens`, `temperature`, `top_p`, `seed`, `stop` and, for models with
 * `<think>` and `</think>`, `thinking_budget` (tokens; 0 none, -1 as the model likes).
 * @example
 * const provider = createLmProvider({ id: 'here', directory: 'runs' });
 * await provider.chat({ body: { model: 'tiny', messages: [{ role: 'user', content: 'ROMEO:' }] }, signal });
 */
export function createLmProvider(options: LmProviderOptions): Provider {
  const now = options.now ?? Date.now;
  const models = new Map<string, Promise<Loaded>>();
  let executor: Promise<OrtExecutor> | undefined;
  let calls = 0;

  const load = (name: string): Promise<Loaded> => {
    let found = models.get(name);
    if (found === undefined) {
      executor ??= createOrtExecutor();
      found = executor.then(async (ready) => {
        const model = await loadLm(lmDirectory(options.directory, name), ready);
        return { model, decoder: createDecoder(model, { frozen: true }), turn: Promise.resolve() };
      });
      models.set(name, found);
      // A model that could not be loaded is tried again: it may be written later.
      found.catch(() => models.delete(name));
    }
    return found;
  };

  /** Checks the request and prepares its answer, which runs when it is iterated. */
  const prepare = async ({ body, signal }: ChatCall): Promise<Running> => {
    const name = textAt(body, 'model') ?? '';
    const loaded = await load(name).catch((error: unknown) => {
      throw new ProviderError('local_model', `Expected the local model "${name}" to load, got: ${textOf(error)}`, {
        remedy: 'next',
        unhealthy: true,
        cause: error,
      });
    });
    const { model, decoder } = loaded;
    const maxTokens = numberIn(body, 'max_completion_tokens') ?? numberIn(body, 'max_tokens') ?? MAX_TOKENS;
    const thinking = thinkingOf(model, numberIn(body, 'thinking_budget'), maxTokens);
    const stop = [body['stop']].flat().filter((text) => typeof text === 'string' && text !== '') as string[];
    try {
      const generation = generate(model, lastWords(body) || '\n', {
        decoder,
        maxTokens,
        longPrompt: 'refuse',
        signal: toAbortSignal(signal),
        seed: numberIn(body, 'seed') ?? Math.floor(Math.random() * 2 ** 32),
        stop,
        ...(thinking === undefined ? {} : { thinking }),
        ...setting('temperature', numberIn(body, 'temperature')),
        ...setting('topP', numberIn(body, 'top_p')),
      });
      const head = { id: `local-${(++calls).toString(36)}`, created: Math.floor(now() / 1000), model: name };
      return { head, generation, signal, loaded };
    } catch (error) {
      if (!CairnError.isInstance(error)) throw error;
      if (error.code === 'context_exceeded') throw contextExceeded(error);
      // A text that this model has no tokens for may be one for the next.
      const remedy = error.code === 'bad_sampling' || error.code === 'bad_thinking' ? 'client' : 'next';
      throw new ProviderError('bad_request', error.message, { status: 400, remedy, unhealthy: false });
    }
  };

  return {
    id: options.id,
    kind: 'local',
    async chat(call) {
      const running = await prepare(call);
      const steps = answer(running);
      let step = await steps.next();
      while (!step.done) step = await steps.next();
      const { end, usage, finish } = step.value;
      return { usage, body: completion(running.head, end.text, finish, usage) };
    },
    async stream(call) {
      return events(await prepare(call));
    },
    unsupported: (body) => [
      ...askedFor(body, ['tools', 'functions', 'response_format', 'logprobs']),
      ...(typeof body['n'] === 'number' && body['n'] > 1 ? ['n'] : []),
      ...(hasParts(body) ? ['messages'] : []),
    ],
    async close() {
      const loaded = await Promise.allSettled(models.values());
      models.clear();
      for (const one of loaded) {
        if (one.status === 'rejected') continue;
        await one.value.turn;
        await one.value.decoder.dispose();
      }
      await (await executor)?.dispose();
      executor = undefined;
    },
  };
}

interface Running {
  readonly head: AnswerHead;
  readonly generation: Generation;
  readonly signal: AbortSignal;
  readonly loaded: Loaded;
}

interface Answered {
  readonly end: GenerationEnd;
  readonly usage: ChatUsage;
  readonly finish: 'stop' | 'length';
}

/** The pieces of an answer, then how it ended. Waits for the answers before it. */
async function* answer({ generation, signal, loaded }: Running): AsyncGenerator<string, Answered> {
  const before = loaded.turn;
  let done = (): void => undefined;
  loaded.turn = new Promise((resolve) => (done = resolve));
  try {
    await before;
    signal.throwIfAborted();
    let written = 0;
    for await (const { text, thought } of generation) {
      if (thought || text === '') continue;
      written += text.length;
      yield text;
    }
    const end = await generation.end();
    if (end.reason === 'aborted') signal.throwIfAborted();
    // What was held back as the possible beginning of a stop text.
    if (end.text.length > written) yield end.text.slice(written);
    const { input, thinking, output } = end.usage;
    const usage = {
      promptTokens: input,
      completionTokens: thinking + output,
      cachedTokens: 0,
      thoughtTokens: thinking,
    };
    return { end, usage, finish: end.reason === 'length' ? 'length' : 'stop' };
  } finally {
    done();
  }
}

async function* events(running: Running): AsyncGenerator<ChatChunk> {
  const { head } = running;
  const steps = answer(running);
  try {
    yield { data: chunk(head, { role: 'assistant', content: '' }, null), content: false };
    let step = await steps.next();
    for (; !step.done; step = await steps.next()) {
      yield { data: chunk(head, { content: step.value }, null), content: true };
    }
    const { finish, usage } = step.value;
    yield { data: chunk(head, {}, finish), content: true, finish };
    yield { data: usageChunk(head, usage), content: false, usage };
  } finally {
    // Left early, the next answer may begin.
    await steps.return(undefined as never);
  }
}

/** @throws ProviderError `no_thinking` where the model has no tokens to think with */
function thinkingOf(
  { tokenizer }: LanguageModel,
  asked: number | undefined,
  maxTokens: number,
): ThinkingOptions | undefined {
  if (asked === undefined) return undefined;
  const marks = thinkingMarks(tokenizer);
  if (marks === undefined) {
    if (asked === 0) return undefined;
    throw new ProviderError('no_thinking', 'Expected a model with the tokens <think> and </think>, got one without.', {
      remedy: 'next',
      unhealthy: false,
    });
  }
  // The marks and one token of the answer fit too.
  const room = Math.max(0, maxTokens - 3);
  const budget = asked < 0 ? 'dynamic' : Math.min(Math.floor(asked), room);
  return { budget, ...marks, ...(asked < 0 ? { cap: Math.min(room, thinkingLimit({ budget: 'dynamic' })) } : {}) };
}

function hasParts(body: JsonObject): boolean {
  return listAt(body, 'messages')
    .filter(isObject)
    .some((message) => listAt(message, 'content').some((part) => isObject(part) && part['type'] !== 'text'));
}

function numberIn(body: JsonObject, key: string): number | undefined {
  const value = body[key];
  return typeof value === 'number' ? value : undefined;
}

function setting<K extends string>(key: K, value: number | undefined): Partial<Record<K, number>> {
  return value === undefined ? {} : ({ [key]: value } as Partial<Record<K, number>>);
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
