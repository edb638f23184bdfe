// A module of the mind as a chat model: the last thing a person said is its input, what it answers is the text. Abstaining is
// an error that sends the gateway to the next model. So is a text longer than the context of a module that is a language model
// (`generate` with `longPrompt: 'refuse'`); when nobody takes it, the client gets `context_length_exceeded`.
import type { Mind } from '../mind/index.ts';
import { isObject, type JsonObject, listAt, textAt } from './json.ts';
import { ProviderError } from './provider-error.ts';
import { toAbortSignal } from './request-signal.ts';
import type { ChatCall, ChatReply, Provider } from './types.ts';

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
  const chat = async ({ body, signal }: ChatCall): Promise<ChatReply> => {
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
    if (reply.failure?.code === 'context_exceeded') {
      // Another model may have a longer context.
      const { message, hint } = reply.failure;
      throw new ProviderError('context_length_exceeded', message, {
        status: 400,
        remedy: 'next',
        unhealthy: false,
        ...(hint === undefined ? {} : { hint }),
      });
    }
    if (reply.output === undefined) throw abstained(name);
    const content = model.toText(reply.output);
    const usage = { promptTokens: 0, completionTokens: 0, cachedTokens: 0, thoughtTokens: 0 };
    return {
      usage,
      body: {
        id: `local-${(++calls).toString(36)}`,
        object: 'chat.completion',
        created: Math.floor(now() / 1000),
        model: name,
        choices: [{ index: 0, message: { role: 'assistant', content }, finish_reason: 'stop', logprobs: null }],
        usage: { prompt_tokens: 0, completion_tokens: 0, total_tokens: 0 },
      },
    };
  };
  return {
    id: options.id,
    kind: 'local',
    chat,
    async stream(call) {
      const { body, usage } = await chat(call);
      const { choices, usage: counted, ...head } = body;
      const message = (choices as readonly JsonObject[])[0]!['message'] as JsonObject;
      const piece = (delta: JsonObject, finish: string | null): string =>
        JSON.stringify({
          ...head,
          object: 'chat.completion.chunk',
          choices: [{ index: 0, delta, finish_reason: finish }],
        });
      return (async function* () {
        yield { data: piece(message, null), content: true };
        yield { data: piece({}, 'stop'), content: true, finish: 'stop' };
        const last = JSON.stringify({ ...head, object: 'chat.completion.chunk', choices: [], usage: counted });
        yield { data: last, content: false, ...(usage === undefined ? {} : { usage }) };
      })();
    },
    unsupported: (body) =>
      ['tools', 'response_format', 'logprobs'].filter(
        (key) => body[key] !== undefined && body[key] !== null && body[key] !== false,
      ),
    close: async () => undefined,
  };
}

function lastWords(body: JsonObject): string {
  const last = listAt(body, 'messages')
    .filter(isObject)
    .findLast((message) => message['role'] === 'user');
  if (last === undefined) return '';
  const content = last['content'];
  if (typeof content === 'string') return content;
  return listAt(last, 'content')
    .filter(isObject)
    .map((part) => textAt(part, 'text') ?? '')
    .join('\n');
}

function abstained(name: string): ProviderError {
  return new ProviderError('abstained', `Expected an answer from the local model "${name}", which abstains.`, {
    remedy: 'next',
    unhealthy: false,
  });
}
