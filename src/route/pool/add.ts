// Adding a model whose answers are scored already: its column of a table, matched to a router's labelled prompts by id.
import { CairnError } from '../../errors.ts';
import { selectModels, selectPrompts, toEvaluation, type PromptTable } from '../tables/prompt-table.ts';
import { armsOf } from './fit.ts';
import type { PromptRouter } from './prompt-router.ts';

/** Fewer labelled prompts than this say too little about a model. */
export const LEAST_SCORES = 10;

/**
 * A router with the model `id` of a table added, or profiled anew. Nothing else changes.
 * @throws CairnError `unknown_model`; `too_few_scores` when the table has scores for fewer than ten of the labelled prompts
 */
export function addFromTable(
  router: PromptRouter,
  table: PromptTable,
  id: string,
): { router: PromptRouter; known: number } {
  const m = table.models.findIndex((model) => model.id === id);
  if (m < 0) {
    throw new CairnError('unknown_model', `Expected a model of the table, got "${id}".`, {
      hint: `The table has ${table.models.map((x) => x.id).join(', ')}.`,
    });
  }
  const { ids } = router.parts.validation;
  const rowOf = new Map(table.prompts.map((p, j) => [p.id, j]));
  const column = selectModels(table, [m]);
  const at: number[] = [];
  const rows: number[] = [];
  for (const [i, prompt] of ids.entries()) {
    const j = rowOf.get(prompt);
    if (j === undefined || Number.isNaN(column.score[j]!)) continue;
    at.push(i);
    rows.push(j);
  }
  if (rows.length < Math.min(LEAST_SCORES, ids.length)) {
    throw new CairnError(
      'too_few_scores',
      `Expected scores of ${id} on at least ${LEAST_SCORES} of the ${ids.length} labelled prompts, got ${rows.length}.`,
      { hint: 'Use the table the router was fitted from, with a column for the new model.' },
    );
  }
  const asked = selectPrompts(column, rows);
  const everyRow = rows.map((_, i) => i);
  const record = armsOf(asked, everyRow, toEvaluation(asked).table.cost)[0]!;
  const spread = (data: Float64Array): Float64Array => {
    const out = new Float64Array(ids.length).fill(NaN);
    at.forEach((i, k) => (out[i] = data[k]!));
    return out;
  };
  const arm = {
    ...record,
    error: spread(record.error),
    ...(record.outTokens ? { outTokens: spread(record.outTokens) } : {}),
    ...(record.thoughtTokens ? { thoughtTokens: spread(record.thoughtTokens) } : {}),
  };
  return { router: router.withArm(arm), known: rows.length };
}
