// A stream and a whole answer say the same: chunks put together to a completion, and a completion taken apart into chunks.
import {
  type ChatChunk,
  isObject,
  type JsonObject,
  type JsonValue,
  listAt,
  objectAt,
  textAt,
  usageOf,
} from '../../../providers/index.ts';

interface Choice {
  readonly texts: Map<string, string>;
  readonly tools: Map<number, { id: string; name: string; text: string }>;
  finish: string | undefined;
}

const TEXTS = ['content', 'reasoning_content', 'refusal'] as const;

/** Puts a stream together, up to a number of bytes. */
export class Collector {
  readonly #most: number;
  readonly #choices = new Map<number, Choice>();
  #head: JsonObject = {};
  #usage: JsonValue | undefined;
  #bytes = 0;
  #odd = false;

  constructor(most: number) {
    this.#most = most;
  }

  add(chunk: ChatChunk): void {
    if (this.#odd) return;
    this.#bytes += chunk.data.length;
    // A chunk is mostly its frame: ten times the size of an answer are its chunks.
    if (this.#bytes > this.#most * 10) {
      this.#odd = true;
      this.#choices.clear();
      return;
    }
    const value = JSON.parse(chunk.data) as JsonObject;
    const { choices: _choices, usage, object: _object, ...head } = value;
    this.#head = { ...head, ...this.#head };
    if (isObject(usage)) this.#usage = usage;
    for (const choice of listAt(value, 'choices')) if (isObject(choice)) this.#choice(choice);
  }

  #choice(choice: JsonObject): void {
    const index = typeof choice['index'] === 'number' ? choice['index'] : 0;
    let known = this.#choices.get(index);
    if (known === undefined)
      this.#choices.set(index, (known = { texts: new Map(), tools: new Map(), finish: undefined }));
    known.finish = textAt(choice, 'finish_reason') ?? known.finish;
    for (const [key, piece] of Object.entries(objectAt(choice, 'delta'))) {
      if (key === 'role' || piece === null || piece === undefined || piece === '') continue;
      if ((TEXTS as readonly string[]).includes(key) && typeof piece === 'string') {
        known.texts.set(key, (known.texts.get(key) ?? '') + piece);
      } else if (key === 'tool_calls' && Array.isArray(piece)) {
        for (const call of piece as readonly JsonValue[]) if (isObject(call)) addCall(known.tools, call);
      } else this.#odd = true;
    }
  }

  /** The completion, as a whole answer would have been; undefined when it was too long, or holds what is not known here. */
  completion(): JsonObject | undefined {
    if (this.#odd || this.#choices.size === 0) return undefined;
    const choices = [...this.#choices]
      .sort(([a], [b]) => a - b)
      .map(([index, { texts, tools, finish }]): JsonObject => {
        const calls = [...tools].sort(([a], [b]) => a - b).map(([, call]) => toCall(call));
        return {
          index,
          message: {
            role: 'assistant',
            ...Object.fromEntries(texts),
            content: texts.get('content') ?? null,
            ...(calls.length === 0 ? {} : { tool_calls: calls }),
          },
          finish_reason: finish ?? null,
          logprobs: null,
        };
      });
    return {
      ...this.#head,
      object: 'chat.completion',
      choices,
      ...(this.#usage === undefined ? {} : { usage: this.#usage }),
    };
  }
}

function addCall(tools: Choice['tools'], piece: JsonObject): void {
  const index = typeof piece['index'] === 'number' ? piece['index'] : 0;
  const call = tools.get(index) ?? { id: '', name: '', text: '' };
  const called = objectAt(piece, 'function');
  tools.set(index, {
    id: call.id || (textAt(piece, 'id') ?? ''),
    name: call.name + (textAt(called, 'name') ?? ''),
    text: call.text + (textAt(called, 'arguments') ?? ''),
  });
}

function toCall({ id, name, text }: { id: string; name: string; text: string }): JsonObject {
  return { id, type: 'function', function: { name, arguments: text } };
}

/** Pieces that a text is replayed in, at most. */
const PIECES = 64;

/** The chunks of a completion, as its stream would have been; usage comes last. */
export function* replay(completion: JsonObject): Generator<ChatChunk> {
  const { choices: _choices, usage, object: _object, ...head } = completion;
  const chunk = (choices: readonly JsonValue[], rest: JsonObject = {}): string =>
    JSON.stringify({ ...head, object: 'chat.completion.chunk', choices, ...rest });
  for (const choice of listAt(completion, 'choices').filter(isObject)) {
    const index = choice['index'] ?? 0;
    const message = objectAt(choice, 'message');
    const delta = (value: JsonObject): string => chunk([{ index, delta: value, finish_reason: null, logprobs: null }]);
    yield { data: delta({ role: 'assistant', content: '' }), content: false };
    for (const key of ['reasoning_content', 'content', 'refusal']) {
      for (const piece of piecesOf(textAt(message, key) ?? '')) yield { data: delta({ [key]: piece }), content: true };
    }
    for (const [at, call] of listAt(message, 'tool_calls').filter(isObject).entries()) {
      yield { data: delta({ tool_calls: [{ index: at, ...call }] }), content: true };
    }
    const finish = textAt(choice, 'finish_reason') ?? 'stop';
    yield {
      data: chunk([{ index, delta: {}, finish_reason: finish, logprobs: null }]),
      content: true,
      finish,
    };
  }
  const counted = usageOf(completion);
  if (counted !== undefined) yield { data: chunk([], { usage: usage! }), content: false, usage: counted };
}

function piecesOf(text: string): string[] {
  const words = text.match(/\S+\s*|\s+/gu) ?? (text === '' ? [] : [text]);
  const step = Math.max(1, Math.ceil(words.length / PIECES));
  return Array.from({ length: Math.ceil(words.length / step) }, (_, i) =>
    words.slice(i * step, (i + 1) * step).join(''),
  );
}
