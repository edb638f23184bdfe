// The output of a response as it grows: what a model thought, what it said, functions it wants called. Each piece of a chat answer
// becomes the events of the Responses protocol; a whole answer is the same items without the events.
import { type JsonObject, type JsonValue, listAt, isObject, textAt } from '../../../providers/index.ts';

interface Open {
  readonly kind: 'reasoning' | 'message' | 'call';
  readonly index: number;
  readonly id: string;
  /** Of a message: text or refusal. */
  readonly part?: 'output_text' | 'refusal';
  readonly callId?: string;
  /** Which of the tool calls of the answer it is. */
  readonly at?: number;
  name: string;
  text: string;
}

type Emit = (type: string, fields: JsonObject) => void;

export class ResponseItems {
  readonly #id: string;
  readonly #emit: Emit;
  readonly #done: JsonObject[] = [];
  #open: Open | undefined;

  /** @param emit hears the events; a whole answer needs none */
  constructor(id: string, emit: Emit = () => undefined) {
    this.#id = id;
    this.#emit = emit;
  }

  /** Items that are whole. */
  get output(): readonly JsonObject[] {
    return this.#done;
  }

  /** Takes in a message, or a piece of one. */
  add(piece: JsonObject): void {
    const said = (kind: 'reasoning' | 'message', key: string, part?: Open['part']): void => {
      const text = textAt(piece, key);
      if (text !== undefined && text !== '') this.#say(kind, text, part);
    };
    said('reasoning', 'reasoning_content');
    said('message', 'content', 'output_text');
    said('message', 'refusal', 'refusal');
    for (const [i, call] of listAt(piece, 'tool_calls').entries()) if (isObject(call)) this.#call(call, i);
  }

  #say(kind: 'reasoning' | 'message', text: string, part: Open['part']): void {
    const open = this.#open;
    const same = open?.kind === kind && open.part === part;
    const now = same ? open : this.#begin({ kind, ...(part === undefined ? {} : { part }), name: '', text: '' });
    now.text += text;
    const delta = { item_id: now.id, output_index: now.index, content_index: 0, delta: text };
    if (kind === 'reasoning') this.#emit('response.reasoning_text.delta', delta);
    else if (part === 'refusal') this.#emit('response.refusal.delta', delta);
    else this.#emit('response.output_text.delta', { ...delta, logprobs: [] });
  }

  #call(piece: JsonObject, i: number): void {
    const at = typeof piece['index'] === 'number' ? piece['index'] : i;
    const called = isObject(piece['function']) ? piece['function'] : {};
    let now = this.#open;
    if (now?.kind !== 'call' || now.at !== at) {
      const callId = textAt(piece, 'id') ?? `call_${this.#id}_${at}`;
      now = this.#begin({ kind: 'call', at, callId, name: textAt(called, 'name') ?? '', text: '' });
    }
    const delta = textAt(called, 'arguments') ?? '';
    if (delta === '') return;
    now.text += delta;
    this.#emit('response.function_call_arguments.delta', { item_id: now.id, output_index: now.index, delta });
  }

  #begin(what: Omit<Open, 'index' | 'id'>): Open {
    this.finish();
    const index = this.#done.length;
    const prefix = { reasoning: 'rs', message: 'msg', call: 'fc' }[what.kind];
    const now: Open = { ...what, index, id: `${prefix}_${this.#id}_${index}` };
    this.#open = now;
    const item = { ...itemOf(now, 'in_progress'), ...(what.kind === 'message' ? { content: [] } : {}) };
    this.#emit('response.output_item.added', { output_index: index, item });
    if (what.kind !== 'call') this.#emit('response.content_part.added', { ...placeOf(now), part: partOf(now) });
    return now;
  }

  /** Ends the item that is open; `cut`: it is not whole. */
  finish(cut = false): void {
    const now = this.#open;
    if (now === undefined) return;
    this.#open = undefined;
    const { text } = now;
    const place = placeOf(now);
    if (now.kind === 'call') {
      const { item_id, output_index } = place;
      this.#emit('response.function_call_arguments.done', { item_id, output_index, name: now.name, arguments: text });
    } else {
      if (now.kind === 'reasoning') this.#emit('response.reasoning_text.done', { ...place, text });
      else if (now.part === 'refusal') this.#emit('response.refusal.done', { ...place, refusal: text });
      else this.#emit('response.output_text.done', { ...place, text, logprobs: [] });
      this.#emit('response.content_part.done', { ...place, part: partOf(now) });
    }
    const item = itemOf(now, cut ? 'incomplete' : 'completed');
    this.#done.push(item);
    this.#emit('response.output_item.done', { output_index: now.index, item });
  }
}

function placeOf(open: Open): { item_id: string; output_index: number; content_index: number } {
  return { item_id: open.id, output_index: open.index, content_index: 0 };
}

function partOf({ kind, part, text }: Open): JsonObject {
  if (kind === 'reasoning') return { type: 'reasoning_text', text };
  return part === 'refusal'
    ? { type: 'refusal', refusal: text }
    : { type: 'output_text', text, annotations: [], logprobs: [] };
}

function itemOf(open: Open, status: string): JsonObject {
  const { id, kind, text } = open;
  if (kind === 'call')
    return { type: 'function_call', id, call_id: open.callId ?? id, name: open.name, arguments: text, status };
  const content: JsonValue = [partOf(open)];
  if (kind === 'reasoning') return { type: 'reasoning', id, summary: [], content, status };
  return { type: 'message', id, role: 'assistant', status, content };
}
