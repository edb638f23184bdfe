// What makes two requests the same: their JSON with sorted keys, without the fields that do not change an answer, as a hash. For
// answers by likeness also what has to be the same around the ask: everything but the words of the last message.
import { createHash } from 'node:crypto';
import { isObject, type JsonObject, type JsonValue, listAt, textAt } from '../../../providers/index.ts';

/** Fields that change how an answer is sent or booked, not what it says. */
const NOT_KEYED = new Set(['stream', 'stream_options', 'metadata', 'store', 'prompt_cache_key', 'model']);
/** Longer asks are not compared by likeness: a word in a thousand may turn the answer. */
const MAX_ASK = 4_000;

/** Why an answer is not kept and not looked for, or undefined when it may be. */
export function notCacheable(body: JsonObject, anyTemperature: boolean): string | undefined {
  if (body['logprobs'] === true) return 'logprobs';
  if (listAt(body, 'modalities').includes('audio') || isObject(body['audio'])) return 'audio';
  const repeatable = body['temperature'] === 0 || typeof body['seed'] === 'number';
  return repeatable || anyTemperature ? undefined : 'temperature';
}

/** Hash of a request under a name for whoever will answer it (a model, or a policy with its settings). */
export function exactKey(body: JsonObject, answers: string): string {
  return sha256(`${answers}\n${canonical(keyed(body))}`);
}

/** The last message and a hash of everything around it; undefined where likeness has no meaning. */
export function likenessOf(body: JsonObject, answers: string): { ask: string; context: string } | undefined {
  if (listAt(body, 'tools').length > 0) return undefined;
  const messages = listAt(body, 'messages').filter(isObject);
  const last = messages.at(-1);
  if (last === undefined || last['role'] !== 'user') return undefined;
  const ask = onlyText(last['content']);
  if (ask === undefined || ask.trim() === '' || ask.length > MAX_ASK) return undefined;
  if (messages.slice(0, -1).some((message) => onlyText(message['content']) === undefined)) return undefined;
  const around = { ...keyed(body), messages: messages.slice(0, -1) };
  // Asks whose numbers differ are never alike.
  return { ask, context: sha256(`${answers}\n${canonical(around)}\n${numbersOf(ask).join(' ')}`) };
}

/** The numbers in a text, in order, as they are written. */
export function numbersOf(text: string): string[] {
  return text.match(/\p{N}+(?:[.,:/-]\p{N}+)*/gu) ?? [];
}

/** JSON with sorted keys; what is undefined, and null at the top of a request, counts as absent. */
export function canonical(value: JsonValue | undefined): string {
  if (Array.isArray(value)) return `[${(value as readonly JsonValue[]).map(canonical).join(',')}]`;
  if (!isObject(value)) return JSON.stringify(value ?? null);
  const fields = Object.keys(value)
    .filter((key) => value[key] !== undefined)
    .sort()
    .map((key) => `${JSON.stringify(key)}:${canonical(value[key])}`);
  return `{${fields.join(',')}}`;
}

function keyed(body: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(body).filter(([key, value]) => !NOT_KEYED.has(key) && value !== null));
}

function onlyText(content: JsonValue | undefined): string | undefined {
  if (typeof content === 'string') return content;
  if (content === null || content === undefined) return '';
  if (!Array.isArray(content)) return undefined;
  const parts = content as readonly JsonValue[];
  const texts = parts.map((part) => (isObject(part) && part['type'] === 'text' ? textAt(part, 'text') : undefined));
  return texts.includes(undefined) ? undefined : texts.join('\n');
}

export function sha256(text: string): string {
  return createHash('sha256').update(text).digest('base64url');
}
