// Reads models.json: an array of models with ids and prices. Checks with a schema; faults name the line the model starts on.
import { z } from 'zod';
import { type Faults, shown } from './_faults.ts';
import type { ModelInfo } from './prompt-table.ts';

const FILE = 'models.json';
const price = z.number().nonnegative();
const count = z.number().nonnegative();
const budget = z.union([z.number().int().nonnegative(), z.literal('dynamic'), z.literal('off')]);

/** One entry of `models.json`; unknown keys are passed over. */
export const modelSchema = z.object({
  id: z.string().min(1),
  price_in_per_mtok: price,
  price_out_per_mtok: price,
  price_cached_in_per_mtok: price.optional(),
  price_thought_per_mtok: price.optional(),
  tiers: z
    .array(z.object({ above_prompt_tokens: count, price_in_per_mtok: price, price_out_per_mtok: price }))
    .optional(),
  params_b: z.number().nullable().optional(),
  mean_score: z.number().optional(),
  mean_cost_usd: price.optional(),
  mean_out_tokens: count.optional(),
  n_scored: count.optional(),
  context_tokens: count.optional(),
  max_output_tokens: count.optional(),
  modalities: z.array(z.string()).optional(),
  arm_of: z.string().optional(),
  thinking_budget: budget.optional(),
  arms: z.array(z.object({ thinking_budget: budget, max_output_tokens: count.optional() })).optional(),
});

export function parseModels(text: string, faults: Faults): Map<string, ModelInfo> {
  const models = new Map<string, ModelInfo>();
  let list: unknown;
  try {
    list = JSON.parse(text.replace(/^\uFEFF/, ''));
  } catch (error) {
    faults.add(FILE, 0, `Expected JSON, got ${error instanceof Error ? error.message : String(error)}.`);
    return models;
  }
  if (!Array.isArray(list) || list.length === 0) {
    faults.add(FILE, 0, `Expected a list of at least one model, got ${shown(list)}.`);
    return models;
  }
  for (const [i, entry] of list.entries()) {
    const parsed = modelSchema.safeParse(entry);
    if (!parsed.success) {
      const issue = parsed.error.issues[0]!;
      const where = issue.path.join('.') || 'the model';
      faults.add(FILE, lineOf(text, entry), `Expected a valid ${where} in model ${i + 1}: ${issue.message}.`);
    } else if (models.has(parsed.data.id)) {
      faults.add(FILE, lineOf(text, entry), `Expected different ids, got ${shown(parsed.data.id)} twice.`);
    } else models.set(parsed.data.id, withoutUndefined(parsed.data) as ModelInfo);
  }
  return models;
}

/** Line on which the id of an entry stands last in the text; 0 when it has none. */
function lineOf(text: string, entry: unknown): number {
  const id = typeof entry === 'object' && entry !== null ? (entry as Record<string, unknown>)['id'] : undefined;
  const at = id === undefined ? -1 : text.lastIndexOf(JSON.stringify(id));
  return at < 0 ? 0 : text.slice(0, at).split('\n').length;
}

function withoutUndefined(value: object): object {
  return Object.fromEntries(Object.entries(value).filter(([, v]) => v !== undefined));
}
