// Reads an evaluation table from a folder: prompts.jsonl, scores.csv, models.json and, where present, out_tokens.csv,
// in_tokens.csv and thought_tokens.csv. Everything is checked; the first ten faults are named with file and line.
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CairnError } from '../../errors.ts';
import { Faults, shown } from './_faults.ts';
import { parseModels } from './_models.ts';
import { parsePrompts } from './_prompts.ts';
import { parseCsv } from './csv.ts';
import type { ModelInfo, PromptTable } from './prompt-table.ts';

/** The texts of a table's files, by name. */
export type TableFiles = Readonly<Record<string, string>>;

const REQUIRED = ['prompts.jsonl', 'scores.csv', 'models.json'] as const;
const OPTIONAL = ['out_tokens.csv', 'in_tokens.csv', 'thought_tokens.csv'] as const;

/**
 * Reads and checks the table in a folder.
 * @throws CairnError `no_table` when a needed file is missing; `bad_table` with the first ten faults in `details.faults`
 * @example
 * const table = await readTable('tables/mine');
 * table.models.map((m) => m.id);
 */
export async function readTable(folder: string): Promise<PromptTable> {
  const files: Record<string, string> = {};
  const faults = new Faults();
  for (const name of [...REQUIRED, ...OPTIONAL]) {
    let bytes: Buffer;
    try {
      bytes = await readFile(join(folder, name));
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code === 'ENOENT' && OPTIONAL.some((o) => o === name)) continue;
      throw new CairnError('no_table', `Expected ${name} in ${folder}, got none that can be read.`, {
        hint: 'A table is a folder with prompts.jsonl, scores.csv and models.json; see docs/routing.md.',
        cause,
      });
    }
    try {
      files[name] = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    } catch {
      faults.add(name, lineOfBadByte(bytes), 'Expected UTF-8, got other bytes. Save the file as UTF-8.');
    }
  }
  faults.throwIfAny();
  return parseTable(files);
}

/**
 * The table in the texts of its files.
 * @throws CairnError `no_table`, `bad_table`
 */
export function parseTable(files: TableFiles): PromptTable {
  for (const name of REQUIRED) {
    if (files[name] === undefined) throw new CairnError('no_table', `Expected a file ${name}, got none.`);
  }
  const faults = new Faults();
  const { rows: prompts, ids } = parsePrompts(files['prompts.jsonl']!, faults);
  const byId = parseModels(files['models.json']!, faults);
  const scores = readMatrix('scores.csv', files['scores.csv']!, ids, undefined, faults, 1);
  const models: ModelInfo[] = scores.columns.flatMap((id) => {
    const info = byId.get(id);
    if (!info)
      faults.add('scores.csv', 1, `Expected a model of models.json as column, got ${shown(id)}. Add it there.`);
    return info ? [info] : [];
  });
  const optional = (name: string): Float64Array | undefined =>
    files[name] === undefined ? undefined : readMatrix(name, files[name], ids, scores.columns, faults, Infinity).data;
  const outTokens = optional('out_tokens.csv');
  const inTokens = optional('in_tokens.csv');
  const thoughtTokens = optional('thought_tokens.csv');
  faults.throwIfAny();
  return {
    prompts,
    models,
    score: scores.data,
    ...(outTokens ? { outTokens } : {}),
    ...(inTokens ? { inTokens } : {}),
    ...(thoughtTokens ? { thoughtTokens } : {}),
    sha256: Object.fromEntries(Object.entries(files).map(([name, text]) => [name, sha256(text)])),
  };
}

/** A file of one number per prompt and model; empty cells become NaN. */
function readMatrix(
  file: string,
  text: string,
  ids: readonly (string | undefined)[],
  columns: readonly string[] | undefined,
  faults: Faults,
  high: number,
): { columns: string[]; data: Float64Array } {
  const [header, ...rows] = parseCsv(text, (line, message) => faults.add(file, line, message));
  const found = header?.fields.slice(1) ?? [];
  if (header?.fields[0] !== 'id' || found.length === 0) {
    faults.add(file, 1, `Expected the header "id,<model>,...", got ${shown(header?.fields.join(',') ?? '')}.`);
  }
  if (new Set(found).size !== found.length)
    faults.add(file, 1, 'Expected different model ids in the header, got one twice.');
  if (columns && columns.join('\n') !== found.join('\n')) {
    faults.add(file, 1, 'Expected the columns of scores.csv in the same order, got others.');
  }
  if (rows.length !== ids.length) {
    faults.add(file, 0, `Expected ${ids.length} rows as in prompts.jsonl, got ${rows.length}.`);
  }
  const data = new Float64Array(ids.length * found.length).fill(NaN);
  const range = high === 1 ? 'a score between 0 and 1' : 'a number of tokens';
  for (let j = 0; j < Math.min(rows.length, ids.length); j++) {
    const { fields, line } = rows[j]!;
    if (ids[j] !== undefined && fields[0] !== ids[j]) {
      faults.add(
        file,
        line,
        `Expected row ${j + 1} to hold id ${ids[j]}, got ${shown(fields[0])}. Keep the order of prompts.jsonl.`,
      );
      continue;
    }
    if (fields.length !== found.length + 1) {
      faults.add(file, line, `Expected ${found.length + 1} cells, got ${fields.length}.`);
      continue;
    }
    for (let m = 0; m < found.length; m++) {
      const cell = fields[m + 1]!.trim();
      if (cell === '') continue;
      const value = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(cell) ? Number(cell) : NaN;
      if (!(value >= 0 && value <= high) || value === Infinity) {
        faults.add(
          file,
          line,
          `Expected ${range} for ${shown(found[m])}, got ${shown(cell)}. Leave the cell empty if unknown.`,
        );
      } else data[j * found.length + m] = value;
    }
  }
  return { columns: found, data };
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/** Line of the first byte that is not UTF-8. */
function lineOfBadByte(bytes: Uint8Array): number {
  let line = 1;
  let from = 0;
  for (let i = 0; i <= bytes.length; i++) {
    if (i < bytes.length && bytes[i] !== 10) continue;
    try {
      new TextDecoder('utf-8', { fatal: true }).decode(bytes.subarray(from, i));
    } catch {
      return line;
    }
    line++;
    from = i + 1;
  }
  return 0;
}
