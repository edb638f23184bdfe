// JSONL chats: one message a line, in the shapes that programs export. A message has text (`content`, `text`, `body`,
// `message`; a string, or parts with text), often a speaker (`role`, `speaker`, `author`, `from`, `name`) and a time.
import { CairnError } from '../../errors.ts';
import { parseDate } from './dates.ts';
import { jsonStrings } from './_json-strings.ts';
import type { RawTurn } from './tree.ts';

type Fields = Readonly<Record<string, unknown>>;

const TEXT_FIELDS = ['content', 'text', 'body', 'message', 'parts', 'value'];
const SPEAKER_FIELDS = ['speaker', 'name', 'author', 'from', 'sender', 'user', 'role'];
const TIME_FIELDS = ['date', 'at', 'time', 'timestamp', 'created_at', 'create_time', 'created', 'ts', 'datetime'];
const SECTION_FIELDS = ['session', 'conversation', 'conversation_id', 'thread', 'thread_id', 'channel'];
const GAP_MS = 6 * 3_600_000;

/** @throws CairnError `bad_chat` with the line number */
export function* readChat(text: string): Generator<RawTurn> {
  let section = 0;
  let lastGroup: string | undefined;
  let lastAt: number | undefined;
  let line = 0;
  for (let start = 0; start < text.length;) {
    const next = text.indexOf('\n', start);
    const end = next < 0 ? text.length : next;
    const from = start;
    const raw = text.slice(from, end);
    start = end + 1;
    line++;
    if (raw.trim() === '') continue;
    const message = parseLine(raw, line);
    const parts = textParts(message);
    if (parts === undefined) {
      throw new CairnError('bad_chat', `Expected a message with text in line ${line}, got fields ${shown(message)}.`, {
        hint: 'Give every line a "content" or "text", and if known "role" or "speaker" and "date".',
        details: { line },
      });
    }
    const speaker = speakerOf(message);
    const at = timeOf(message);
    const group = firstText(message, SECTION_FIELDS);
    const gap = at !== undefined && lastAt !== undefined && Math.abs(at - lastAt) > GAP_MS;
    if (group !== lastGroup || (group === undefined && gap)) section++;
    lastGroup = group;
    lastAt = at ?? lastAt;
    const wanted = [...parts];
    // The literals of the line in order: each part is the first one that reads as it does.
    for (const literal of jsonStrings(raw)) {
      if (wanted.length === 0) break;
      if (literal.key || literal.value !== wanted[0]) continue;
      wanted.shift();
      yield {
        start: from + literal.start,
        end: from + literal.end,
        escaped: true,
        section,
        ...(speaker === undefined ? {} : { speaker }),
        ...(at === undefined ? {} : { at }),
      };
    }
  }
}

function parseLine(raw: string, line: number): Fields {
  let parsed: unknown;
  try {
    parsed = JSON.parse(raw);
  } catch (cause) {
    throw new CairnError('bad_chat', `Expected one JSON object a line, got other text in line ${line}.`, {
      hint: 'Write one message per line, as {"speaker": "Ann", "text": "…"}.',
      details: { line },
      cause,
    });
  }
  if (isFields(parsed)) {
    // Exports wrap the message once.
    const inner = parsed['message'];
    return isFields(inner) ? { ...parsed, ...inner } : parsed;
  }
  throw new CairnError('bad_chat', `Expected one JSON object a line, got ${typeof parsed} in line ${line}.`, {
    hint: 'Write one message per line, as {"speaker": "Ann", "text": "…"}.',
    details: { line },
  });
}

/** The strings that were said; undefined when the message has no text field at all. */
function textParts(message: Fields): string[] | undefined {
  for (const field of TEXT_FIELDS) {
    const value = message[field];
    if (value === undefined || (field === 'message' && isFields(value))) continue;
    return partsOf(value);
  }
  return undefined;
}

function partsOf(value: unknown): string[] {
  if (typeof value === 'string') return value.trim() === '' ? [] : [value];
  if (Array.isArray(value)) return value.flatMap(partsOf);
  if (isFields(value)) return partsOf(value['text'] ?? value['parts'] ?? value['content']);
  return [];
}

function speakerOf(message: Fields): string | undefined {
  for (const field of SPEAKER_FIELDS) {
    const value = message[field];
    if (typeof value === 'string' && value.trim() !== '') return value.trim().slice(0, 100);
    if (isFields(value)) {
      const name = firstText(value, ['name', 'role', 'username', 'id']);
      if (name !== undefined) return name.slice(0, 100);
    }
  }
  return undefined;
}

function timeOf(message: Fields): number | undefined {
  for (const field of TIME_FIELDS) {
    const value = message[field];
    if (typeof value === 'number' && Number.isFinite(value) && value > 0) {
      // Seconds until the year 5138, milliseconds beyond.
      return Math.round(value < 1e11 ? value * 1000 : value);
    }
    if (typeof value === 'string') {
      const at = parseDate(value);
      if (at !== undefined) return at;
    }
  }
  return undefined;
}

function firstText(fields: Fields, names: readonly string[]): string | undefined {
  for (const name of names) {
    const value = fields[name];
    if (typeof value === 'string' && value !== '') return value;
    if (typeof value === 'number') return String(value);
  }
  return undefined;
}

function shown(message: Fields): string {
  return JSON.stringify(Object.keys(message).slice(0, 6));
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
