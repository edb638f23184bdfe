// Reads prompts.jsonl: one object a line, each with a unique id and a prompt (a text or a list of messages).
import { humanAsk, type ChatMessage } from '../ask.ts';
import { type Faults, shown } from './_faults.ts';
import type { PromptRow, ScorerSpec } from './prompt-table.ts';

const FILE = 'prompts.jsonl';
const SCORERS: readonly ScorerSpec['kind'][] = [
  'exact', 'choice', 'number', 'contains', 'regex', 'json-schema', 'f1', 'certificate', 'judge',
]; // prettier-ignore
const TEXTS = ['task', 'category', 'split', 'reference'] as const;

/**
 * The prompts, and the ids as the other files must have them row by row: undefined for a line that cannot be read, so that one bad
 * line does not make all rows after it look wrong.
 */
export function parsePrompts(text: string, faults: Faults): { rows: PromptRow[]; ids: (string | undefined)[] } {
  const rows: PromptRow[] = [];
  const ids: (string | undefined)[] = [];
  const seen = new Map<string, number>();
  const lines = text.replace(/^\uFEFF/, '').split('\n');
  for (const [i, raw] of lines.entries()) {
    if (raw.trim() === '') continue;
    const line = i + 1;
    let value: unknown;
    try {
      value = JSON.parse(raw);
    } catch {
      faults.add(FILE, line, `Expected one JSON object a line, got ${shown(raw)}.`);
      ids.push(undefined);
      continue;
    }
    const row = toRow(value, line, faults);
    ids.push(row?.id);
    if (!row) continue;
    const before = seen.get(row.id);
    if (before !== undefined)
      faults.add(FILE, line, `Expected a new id, got ${shown(row.id)} again (first on line ${before}).`);
    seen.set(row.id, line);
    rows.push(row);
  }
  if (rows.length === 0 && faults.count === 0) faults.add(FILE, 0, 'Expected at least one prompt, got none.');
  return { rows, ids };
}

function toRow(value: unknown, line: number, faults: Faults): PromptRow | undefined {
  if (!isRecord(value)) {
    faults.add(FILE, line, `Expected a JSON object, got ${shown(value)}.`);
    return undefined;
  }
  const { id, prompt } = value;
  if ((typeof id !== 'string' || id === '') && !(typeof id === 'number' && Number.isFinite(id))) {
    faults.add(FILE, line, `Expected "id" as a text or a number, got ${shown(id)}.`);
    return undefined;
  }
  let text: string;
  if (typeof prompt === 'string') text = prompt;
  else if (Array.isArray(prompt) && prompt.every(isMessage)) text = humanAsk(prompt);
  else {
    faults.add(FILE, line, `Expected "prompt" as a text or a list of messages, got ${shown(prompt)}.`);
    return undefined;
  }
  const extra: { -readonly [K in keyof PromptRow]?: PromptRow[K] } = {};
  for (const key of TEXTS) {
    const found = value[key];
    if (found === undefined || found === null) continue;
    if (typeof found === 'string') extra[key] = found;
    else faults.add(FILE, line, `Expected "${key}" as a text, got ${shown(found)}.`);
  }
  const scorer = value['scorer'];
  if (scorer !== undefined && scorer !== null) {
    const spec = toScorer(scorer);
    if (spec) extra.scorer = spec;
    else faults.add(FILE, line, `Expected "scorer" with a kind of ${SCORERS.join(', ')}, got ${shown(scorer)}.`);
  }
  return { id: String(id), text, ...extra };
}

function toScorer(value: unknown): ScorerSpec | undefined {
  if (!isRecord(value)) return undefined;
  const { tolerance, pattern } = value;
  const kind = SCORERS.find((k) => k === value['kind']);
  if (!kind) return undefined;
  if (tolerance !== undefined && !(typeof tolerance === 'number' && tolerance >= 0)) return undefined;
  if (pattern !== undefined && typeof pattern !== 'string') return undefined;
  return {
    kind,
    ...(typeof tolerance === 'number' ? { tolerance } : {}),
    ...(typeof pattern === 'string' ? { pattern } : {}),
  };
}

function isMessage(value: unknown): value is ChatMessage {
  return isRecord(value) && typeof value['role'] === 'string';
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
