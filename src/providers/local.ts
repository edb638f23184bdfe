// A module of the mind as a chat model: the last thing a person said is its input, what it answers is the text. Abstaining is
// an error that sends the gateway to the next model. So is a text longer than the context of a module that is a language model
// (`generate` with `longPrompt: 'refuse'`); when nobody takes it, the client gets `context_length_exceeded`.
import type { Mind } from '../mind/index.ts';
import { type AnswerHead, askedFor, chunk, completion, contextExceeded, lastWords, usageChunk } from './_completion.ts';
import { textAt } from './json.ts';
import { ProviderError } from './provider-error.ts';
import { toAbortSignal } from './request-signal.ts';
import type { ChatCall, ChatReply, Provider } from './types.ts';

/** A module counts no tokens. */
const NO_TOKENS = { promptTokens: 0, completionTokens: 0, cachedTokens: 0, thoughtTokens: 0 };

export interface LocalOptions {
  readonly id: string;
  readonly mind: Pick<Mind, 'ask'>;
  /** Task that a model name stands for, and how its input and output become text. */
  readonly models: Readonly<Record<string, LocalModel>>;
  readonly now?: () => number;
}

export interface LocalModel {
  readonly task: string;
  /** Undefined: this text is nothing for this model. */
  readonly toInput: (text: string) => unknown;
  readonly toText: (output: unknown) => string;
}

/**
 * @example
 * createLocalProvider({ id: 'local', mind, models: { sudoku: { task: 'solve-board', toInput: parseGrid, toText: formatGrid } } });
 */
export function createLocalProvider(options: LocalOptions): Provider {
  const now = options.now ?? Date.now;
  let calls = 0;
  const answer = async ({ body, signal }: ChatCall): Promise<{ head: AnswerHead; content: string }> => {
    const name = textAt(body, 'model') ?? '';
    const model = options.models[name];
    if (model === undefined) {
      throw new ProviderError('unknown_model', `Expected a local model, got "${name}".`, {
        remedy: 'next',
        unhealthy: false,
      });
    }
    const input = model.toInput(lastWords(body));
    if (input === undefined) throw abstained(name);
    const reply = await options.mind.ask(model.task, input, { signal: toAbortSignal(signal), remember: false });
    if (reply.failure?.code === 'context_exceeded') throw contextExceeded(reply.failure);
    if (reply.output === undefined) throw abstained(name);
    const head = { id: `local-${(++calls).toString(36)}`, created: Math.floor(now() / 1000), model: name };
    return { head, content: model.toText(reply.output) };
  };
  return {
    id: options.id,
    kind: 'local',
    async chat(call): Promise<ChatReply> {
      const { head, content } = await answer(call);
      return { usage: NO_TOKENS, body: completion(head, content, 'stop', NO_TOKENS) };
    },
    async stream(call) {
      const { head, content } = await answer(call);
      return (async function* () {
        yield { data: chunk(head, { role: 'assistant', content }, null), content: true };
        yield { data: chunk(head, {}, 'stop'), content: true, finish: 'stop' };
        yield { data: usageChunk(head, NO_TOKENS), content: false, usage: NO_TOKENS };
      })();
    },
    unsupported: (body) => askedFor(body, ['tools', 'response_format', 'logprobs']),
    close: async () => undefined,
  };
}

function abstained(name: string): ProviderError {
  return new ProviderError('abstained', `Expected an answer from the local model "${name}", which abstains.`, {
    remedy: 'next',
    unhealthy: false,
  });
}
