// What a played model says, in OpenAI's and in Gemini's form: made-up sentences or a given answer, tool calls when a tool is
// demanded, honest token counts (a word is a token). The same request always gets the same answer.
import { createHash } from 'node:crypto';
import { isObject, type JsonObject, listAt, objectAt, textAt } from '../json.ts';

export interface MockModel {
  /** Milliseconds to the first byte. Default 0. */
  readonly delayMs?: number;
  /** Milliseconds between pieces of a stream. Default 0. */
  readonly pieceMs?: number;
  /** Words of an answer. Default 12. */
  readonly words?: number;
  /** Tokens that it says it thought. Default 0. */
  readonly thoughtTokens?: number;
  /** What it answers; by default a made-up sentence that names the model. */
  readonly answer?: (ask: string, body: JsonObject) => string;
  /** The vector it has for a text; by default one that depends on its bytes. */
  readonly embed?: (text: string) => readonly number[];
  /** Requests a second before it answers 429. Default unlimited. */
  readonly perSecond?: number;
}

export interface Played {
  readonly whole: JsonObject;
  readonly pieces: readonly JsonObject[];
  /** Whether a stream ends with [DONE]. */
  readonly done: boolean;
  readonly tokens: { readonly promptTokens: number; readonly completionTokens: number };
}

interface Request {
  readonly model: string;
  readonly body: JsonObject;
  readonly played: MockModel;
  readonly seed: string;
}

const WORDS =
  'stone path marks the way where people went and stacked small things that stay after rain wind snow light grows as they pass again'.split(
    ' ',
  );

export function answerAs(form: 'openai' | 'gemini', request: Request): Played {
  const { body, model, played } = request;
  const ask = askOf(body);
  const text = played.answer?.(ask, body) ?? madeUp(request, ask);
  const prompt = Math.max(1, Math.ceil(JSON.stringify(body['messages'] ?? body['contents'] ?? '').length / 4));
  const words = text.split(/(?<= )/);
  const thought = played.thoughtTokens ?? 0;
  const tool = form === 'openai' ? demandedTool(body) : undefined;
  return form === 'openai'
    ? asOpenAi({
        model,
        words,
        tool,
        prompt,
        thought,
        usage: objectAt(body, 'stream_options')['include_usage'] === true,
        n: body['n'],
      })
    : asGemini({ words, prompt, thought });
}

function madeUp({ model, played, seed }: Request, ask: string): string {
  const bytes = createHash('sha256').update(`${seed}\n${model}\n${ask}`).digest();
  const count = Math.max(1, (played.words ?? 12) - 2);
  const words = Array.from({ length: count }, (_, i) => WORDS[(bytes[i % 32]! + 7 * i) % WORDS.length]!);
  return `(${model} plays) ${words.join(' ')}`;
}

function demandedTool(body: JsonObject): string | undefined {
  const choice = body['tool_choice'];
  if (isObject(choice)) return textAt(objectAt(choice, 'function'), 'name');
  const first = listAt(body, 'tools').find(isObject);
  const name = first === undefined ? undefined : textAt(objectAt(first, 'function'), 'name');
  return choice === 'required' ? name : undefined;
}

interface OpenAiParts {
  readonly model: string;
  readonly words: readonly string[];
  readonly tool: string | undefined;
  readonly prompt: number;
  readonly thought: number;
  readonly usage: boolean;
  readonly n: unknown;
}

function asOpenAi({ model, words, tool, prompt, thought, usage, n }: OpenAiParts): Played {
  const count = typeof n === 'number' && n > 1 ? Math.min(8, Math.floor(n)) : 1;
  const tokens = words.length * count + thought;
  const spent = {
    prompt_tokens: prompt,
    completion_tokens: tokens,
    total_tokens: prompt + tokens,
    completion_tokens_details: { reasoning_tokens: thought },
  };
  const head = { id: 'chatcmpl-mock', created: 1_700_000_000, model };
  const call = { id: 'call-mock', type: 'function', function: { name: tool ?? '', arguments: '{}' } };
  const message =
    tool === undefined
      ? { role: 'assistant', content: words.join('') }
      : { role: 'assistant', content: null, tool_calls: [call] };
  const finish = tool === undefined ? 'stop' : 'tool_calls';
  const indices = Array.from({ length: count }, (_, index) => index);
  const piece = (index: number, delta: JsonObject, reason: string | null = null): JsonObject => ({
    ...head,
    object: 'chat.completion.chunk',
    choices: [{ index, delta, finish_reason: reason, logprobs: null }],
  });
  return {
    done: true,
    tokens: { promptTokens: prompt, completionTokens: tokens },
    whole: {
      ...head,
      object: 'chat.completion',
      choices: indices.map((index) => ({ index, message, finish_reason: finish, logprobs: null })),
      usage: spent,
    },
    pieces: [
      ...indices.flatMap((index) => [
        piece(index, { role: 'assistant', content: '' }),
        ...(tool === undefined
          ? words.map((word) => piece(index, { content: word }))
          : [piece(index, { tool_calls: [{ index: 0, ...call }] })]),
        piece(index, {}, finish),
      ]),
      ...(usage ? [{ ...head, object: 'chat.completion.chunk', choices: [], usage: spent }] : []),
    ],
  };
}

function asGemini({ words, prompt, thought }: { words: readonly string[]; prompt: number; thought: number }): Played {
  const usageMetadata = {
    promptTokenCount: prompt,
    candidatesTokenCount: words.length,
    thoughtsTokenCount: thought,
    totalTokenCount: prompt + words.length + thought,
  };
  const candidate = (text: string, finishReason?: string): JsonObject => ({
    candidates: [
      {
        index: 0,
        content: { role: 'model', parts: [{ text }] },
        ...(finishReason === undefined ? {} : { finishReason }),
      },
    ],
  });
  return {
    done: false,
    tokens: { promptTokens: prompt, completionTokens: words.length + thought },
    whole: { ...candidate(words.join(''), 'STOP'), usageMetadata },
    pieces: words.map((word, i) =>
      i === words.length - 1 ? { ...candidate(word, 'STOP'), usageMetadata } : candidate(word),
    ),
  };
}

/** What the last person said in a chat request of either form. */
export function askOf(body: JsonObject): string {
  const messages = listAt(body, 'messages').filter(isObject);
  const last = messages.findLast((m) => m['role'] === 'user');
  if (last !== undefined) {
    const content = last['content'];
    if (typeof content === 'string') return content;
    return listAt(last, 'content')
      .filter(isObject)
      .map((part) => textAt(part, 'text') ?? '')
      .join(' ');
  }
  const contents = listAt(body, 'contents').filter(isObject);
  const turn = contents.findLast((c) => c['role'] === 'user') ?? objectAt(body, 'none');
  return listAt(turn, 'parts')
    .filter(isObject)
    .map((part) => textAt(part, 'text') ?? '')
    .join(' ');
}
