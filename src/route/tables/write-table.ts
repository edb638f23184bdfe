// Writes an evaluation table as the folder of files that `readTable` reads.
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFileAtomic } from '../../tensor/index.ts';
import { csvCell } from './csv.ts';
import type { PromptTable } from './prompt-table.ts';
import type { TableFiles } from './read-table.ts';

/** The files of a table as texts. Reading them gives the same table. */
export function tableFiles(table: PromptTable): TableFiles {
  const ids = table.prompts.map((p) => p.id);
  const models = table.models.map((m) => m.id);
  const matrix = (data: Float64Array): string => {
    const lines = [['id', ...models].map(csvCell).join(',')];
    for (const [j, id] of ids.entries()) {
      const cells = models.map((_, m) => {
        const value = data[j * models.length + m]!;
        return Number.isNaN(value) ? '' : String(value);
      });
      lines.push([csvCell(id), ...cells].join(','));
    }
    return `${lines.join('\n')}\n`;
  };
  return {
    'prompts.jsonl': `${table.prompts.map(({ text, ...rest }) => JSON.stringify({ ...rest, prompt: text })).join('\n')}\n`,
    'scores.csv': matrix(table.score),
    'models.json': `${JSON.stringify(table.models, null, 1)}\n`,
    ...(table.outTokens ? { 'out_tokens.csv': matrix(table.outTokens) } : {}),
    ...(table.inTokens ? { 'in_tokens.csv': matrix(table.inTokens) } : {}),
    ...(table.thoughtTokens ? { 'thought_tokens.csv': matrix(table.thoughtTokens) } : {}),
  };
}

/** Writes a table into a folder, which is made when it is not there. */
export async function writeTable(table: PromptTable, folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (const [name, text] of Object.entries(tableFiles(table))) await writeFileAtomic(join(folder, name), text);
}
