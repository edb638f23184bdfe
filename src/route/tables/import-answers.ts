// Makes an evaluation table of logs of single answers: CSV with a header or JSON lines, one answer of one model to one prompt each.
// Not a scorer: every line brings its score. What it makes is checked by the reader of tables like any other.
import { Faults, shown } from './_faults.ts';
import { parseModels } from './_models.ts';
import { parseCsv } from './csv.ts';
import type { PromptRow, PromptTable } from './prompt-table.ts';
import { parseTable } from './read-table.ts';
import { tableFiles } from './write-table.ts';

/** One file of answers; the name says how it is read (`.csv`, else JSON lines) and stands in error messages. */
export interface AnswerFile {
  readonly name: string;
  readonly text: string;
}

/** Columns (or keys) of a line. `model`, `score` and one of `prompt` and `id` are needed. */
export const ANSWER_KEYS = [
  'id', 'prompt', 'model', 'score', 'out_tokens', 'in_tokens', 'thought_tokens', 'task', 'category', 'reference',
] as const; // prettier-ignore

const MATRICES = ['score', 'out_tokens', 'in_tokens', 'thought_tokens'] as const;
const TEXTS = ['task', 'category', 'reference'] as const;

type Line = Readonly<Partial<Record<(typeof ANSWER_KEYS)[number], unknown>>>;

/**
 * A table of answers. Prompts come in the order in which they first occur, told apart by `id`, without one by their text; models in
 * the order of models.json, those without an answer left out. A pair without a line is not scored.
 * @param models the text of a models.json with prices
 * @throws CairnError `bad_table` with the first ten faults by file and line
 * @example
 * importAnswers([{ name: 'log.csv', text: 'prompt,model,score\nHow many?,small,1\n' }], modelsJson).prompts.length; // 1
 */
export function importAnswers(files: readonly AnswerFile[], models: string): PromptTable {
  const faults = new Faults();
  const known = parseModels(models, faults);
  const prompts = new Map<string, { -readonly [K in keyof PromptRow]?: PromptRow[K] }>();
  const first = new Map<string, string>(); // where a prompt, and a pair of prompt and model, stood first
  const values = new Map<string, Line>();
  const strangers = new Set<string>();
  for (const { name, text } of files) {
    for (const { line, value } of linesOf(name, text, faults)) {
      const at = `${name}:${line}`;
      const key = keyOf(name, line, value, faults);
      const model = value.model;
      if (typeof model !== 'string' || model === '') {
        faults.add(name, line, `Expected a model, got ${shown(model)}.`);
        continue;
      }
      if (key === undefined) continue;
      if (!known.has(model) && !strangers.has(model)) {
        strangers.add(model);
        faults.add(name, line, `Expected a model of models.json, got ${shown(model)}. Add it there with its prices.`);
      }
      const row = prompts.get(key) ?? {};
      prompts.set(key, row);
      if (!first.has(key)) first.set(key, at);
      const told: [keyof PromptRow & ('text' | (typeof TEXTS)[number]), unknown][] = [
        ['text', value.prompt],
        ...TEXTS.map((t) => [t, value[t]] as [(typeof TEXTS)[number], unknown]),
      ];
      for (const [field, found] of told) {
        if (found === undefined || found === null || (found === '' && field !== 'text')) continue;
        const label = field === 'text' ? 'prompt' : field;
        if (typeof found !== 'string') faults.add(name, line, `Expected "${label}" as a text, got ${shown(found)}.`);
        else if (row[field] !== undefined && row[field] !== found) {
          faults.add(name, line, `Expected the ${label} of ${shown(value.id)} as on ${first.get(key)}, got another.`);
        } else row[field] = found;
      }
      if (value.id !== undefined) row.id = String(value.id);
      const pair = `${key}\n${model}`;
      const before = first.get(pair);
      if (before !== undefined) {
        faults.add(name, line, `Expected one answer of ${model} to each prompt, got a second (first on ${before}).`);
        continue;
      }
      first.set(pair, at);
      values.set(pair, checked(name, line, value, faults));
    }
  }
  if (prompts.size === 0 && faults.count === 0)
    faults.add(files[0]?.name ?? 'answers', 0, 'Expected answers, got none.');
  for (const [key, row] of prompts) {
    if (row.text !== undefined) continue;
    const at = first.get(key)!;
    const colon = at.lastIndexOf(':');
    faults.add(
      at.slice(0, colon),
      Number(at.slice(colon + 1)),
      `Expected the prompt of ${shown(row.id)} on one of its lines, got none.`,
    );
  }
  faults.throwIfAny();
  const used = [...known].filter(([id]) => [...prompts.keys()].some((key) => values.has(`${key}\n${id}`)));
  const matrix = (column: (typeof MATRICES)[number]): Float64Array =>
    Float64Array.from(
      [...prompts.keys()].flatMap((key) =>
        used.map(([id]) => (values.get(`${key}\n${id}`)?.[column] as number) ?? NaN),
      ),
    );
  const optional = (column: (typeof MATRICES)[number]): Float64Array | undefined => {
    const data = matrix(column);
    return data.every((v) => Number.isNaN(v)) ? undefined : data;
  };
  const [outTokens, inTokens, thoughtTokens] = MATRICES.slice(1).map(optional);
  const rows = [...prompts.values()].map((row, j): PromptRow => ({
    ...row,
    id: row.id ?? `p${j + 1}`,
    text: row.text!,
  }));
  const table: PromptTable = {
    prompts: rows,
    models: used.map(([, info]) => info),
    score: matrix('score'),
    ...(outTokens ? { outTokens } : {}),
    ...(inTokens ? { inTokens } : {}),
    ...(thoughtTokens ? { thoughtTokens } : {}),
    sha256: {},
  };
  return parseTable(tableFiles(table));
}

/** The lines of a file as objects; what cannot be read is a fault and left out. */
function linesOf(name: string, text: string, faults: Faults): { line: number; value: Line }[] {
  if (/\.csv$/i.test(name)) {
    const [header, ...records] = parseCsv(text, (line, message) => faults.add(name, line, message));
    const columns = header?.fields.map((f) => f.trim()) ?? [];
    const missing = ['model', 'score'].filter((c) => !columns.includes(c));
    if (missing.length > 0 || !(columns.includes('prompt') || columns.includes('id'))) {
      faults.add(name, 1, `Expected the columns model, score and prompt or id, got ${shown(columns.join(','))}.`);
      return [];
    }
    return records.flatMap(({ fields, line }) => {
      if (fields.length !== columns.length) {
        faults.add(name, line, `Expected ${columns.length} cells, got ${fields.length}.`);
        return [];
      }
      const cells = fields.map((f, i) => [columns[i]!, f] as const).filter(([, f]) => f !== '');
      return [{ line, value: Object.fromEntries(cells) as Line }];
    });
  }
  return text
    .replace(/^\uFEFF/, '')
    .split('\n')
    .flatMap((raw, i) => {
      if (raw.trim() === '') return [];
      try {
        const value: unknown = JSON.parse(raw);
        if (typeof value === 'object' && value !== null && !Array.isArray(value)) return [{ line: i + 1, value }];
      } catch {
        // said below
      }
      faults.add(name, i + 1, `Expected one JSON object a line, got ${shown(raw)}.`);
      return [];
    });
}

/** What tells a prompt from others: its id, else its text. */
function keyOf(file: string, line: number, { id, prompt }: Line, faults: Faults): string | undefined {
  if (id !== undefined && id !== null) {
    if ((typeof id === 'string' && id !== '') || (typeof id === 'number' && Number.isFinite(id))) return `id ${id}`;
    faults.add(file, line, `Expected "id" as a text or a number, got ${shown(id)}.`);
    return undefined;
  }
  if (typeof prompt === 'string') return `text ${prompt}`;
  faults.add(file, line, `Expected "prompt" as a text, or an "id", got ${shown(prompt)}.`);
  return undefined;
}

/** The numbers of a line; `true` and `false` count as scores 1 and 0. */
function checked(file: string, line: number, value: Line, faults: Faults): Line {
  const out: Partial<Record<(typeof MATRICES)[number], number>> = {};
  for (const column of MATRICES) {
    const raw = value[column];
    if (raw === undefined || raw === null || raw === '') continue;
    const text = String(raw).trim().toLowerCase();
    const truth = column === 'score' ? ['false', 'true'].indexOf(text) : -1;
    const number = truth >= 0 ? truth : /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/.test(text) ? Number(text) : NaN;
    const most = column === 'score' ? 1 : Number.MAX_VALUE;
    if (number >= 0 && number <= most) out[column] = number;
    else {
      const wanted = column === 'score' ? 'a score between 0 and 1, true or false' : 'a number of tokens';
      faults.add(file, line, `Expected ${wanted}, got ${shown(raw)}.`);
    }
  }
  return out;
}
