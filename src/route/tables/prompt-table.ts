// An evaluation table as people have it: prompts in words, models with prices, a quality per cell. Plain data; `toEvaluation`
// turns it into the matrices of errors and costs that routers are fitted on.
import { CairnError } from '../../errors.ts';
import type { EvaluationTable } from '../table.ts';

/** How a new model's answer to a prompt is marked (see `scoreAnswer`). */
export interface ScorerSpec {
  readonly kind: 'exact' | 'choice' | 'number' | 'contains' | 'regex' | 'json-schema' | 'f1' | 'certificate' | 'judge';
  /** `number`: relative tolerance. */
  readonly tolerance?: number;
  /** `regex`: the pattern; `json-schema`: the schema as JSON text. */
  readonly pattern?: string;
}

/** One prompt of a table. */
export interface PromptRow {
  readonly id: string;
  /** What is embedded: the prompt, or the human ask of a conversation. */
  readonly text: string;
  readonly task?: string;
  readonly category?: string;
  readonly split?: string;
  /** The right answer, where the table has it. */
  readonly reference?: string;
  readonly scorer?: ScorerSpec;
}

/** Prices above a prompt size. */
export interface PriceTier {
  readonly above_prompt_tokens: number;
  readonly price_in_per_mtok: number;
  readonly price_out_per_mtok: number;
}

/** A thinking budget of a model: tokens, left to the model, or none. */
export type ThinkingBudget = number | 'dynamic' | 'off';

/** One setting a model may be called with. */
export interface ArmSpec {
  readonly thinking_budget: ThinkingBudget;
  readonly max_output_tokens?: number;
}

/** A model of a table, in the words of `models.json`. Prices in US dollars per million tokens. */
export interface ModelInfo {
  readonly id: string;
  readonly price_in_per_mtok: number;
  readonly price_out_per_mtok: number;
  readonly price_cached_in_per_mtok?: number;
  readonly price_thought_per_mtok?: number;
  readonly tiers?: readonly PriceTier[];
  readonly params_b?: number | null;
  readonly mean_score?: number;
  readonly mean_cost_usd?: number;
  readonly mean_out_tokens?: number;
  readonly n_scored?: number;
  readonly context_tokens?: number;
  readonly max_output_tokens?: number;
  readonly modalities?: readonly string[];
  readonly arm_of?: string;
  readonly thinking_budget?: ThinkingBudget;
  readonly arms?: readonly ArmSpec[];
}

/** Prompts, models and what each model scored on each prompt. Matrices are row-major [n, M]; NaN where unknown. */
export interface PromptTable {
  readonly prompts: readonly PromptRow[];
  /** In the order of the columns of `scores.csv`. */
  readonly models: readonly ModelInfo[];
  /** Quality in [0,1]. */
  readonly score: Float64Array;
  /** Output tokens, thought tokens included. */
  readonly outTokens?: Float64Array;
  readonly inTokens?: Float64Array;
  readonly thoughtTokens?: Float64Array;
  /** SHA-256 of each file that was read, by name. */
  readonly sha256: Readonly<Record<string, string>>;
}

/** Where the costs of a table come from: counted tokens, the models' stated mean cost, or prices at assumed lengths. */
export type CostSource = 'tokens' | 'mean' | 'assumed';

/** Output tokens taken for granted where a table has none. */
export const ASSUMED_OUT_TOKENS = 256;

/** Tokens of a text by the rule of thumb of four characters each. */
export function roughTokens(text: string): number {
  return Math.ceil(text.length / 4);
}

/** Price of one call in US dollars, the tier by prompt size included. */
export function callCost(model: ModelInfo, inTokens: number, outTokens: number, thoughtTokens = 0): number {
  let tier: Pick<PriceTier, 'price_in_per_mtok' | 'price_out_per_mtok'> = model;
  for (const t of model.tiers ?? []) if (inTokens > t.above_prompt_tokens) tier = t;
  const thought = model.price_thought_per_mtok ?? tier.price_out_per_mtok;
  return (
    (inTokens * tier.price_in_per_mtok +
      (outTokens - thoughtTokens) * tier.price_out_per_mtok +
      thoughtTokens * thought) /
    1e6
  );
}

/**
 * Errors and costs of a table as matrices, without features. Costs are those of counted tokens where the table has
 * `out_tokens.csv`, else every model's `mean_cost_usd`, else its price at assumed lengths.
 * @throws CairnError `incomplete_table` when a cell was not scored
 */
export function toEvaluation(table: PromptTable): { table: EvaluationTable; costSource: CostSource } {
  const models = table.models.length;
  const n = table.prompts.length;
  for (let i = 0; i < table.score.length; i++) {
    if (Number.isNaN(table.score[i]!)) {
      const id = table.prompts[Math.floor(i / models)]!.id;
      throw new CairnError(
        'incomplete_table',
        `Expected a score in every cell, got none for prompt "${id}" and model "${table.models[i % models]!.id}".`,
        { hint: 'Score the missing cells, or leave incomplete models out (--drop-incomplete).' },
      );
    }
  }
  const means = table.models.every((m) => m.mean_cost_usd !== undefined);
  const costSource: CostSource = table.outTokens ? 'tokens' : means ? 'mean' : 'assumed';
  const cost = new Float64Array(n * models);
  for (let j = 0; j < n; j++) {
    const rough = roughTokens(table.prompts[j]!.text);
    for (let m = 0; m < models; m++) {
      const i = j * models + m;
      const info = table.models[m]!;
      if (costSource === 'mean') cost[i] = info.mean_cost_usd!;
      else {
        const inTokens = known(table.inTokens?.[i]) ?? rough;
        const out = known(table.outTokens?.[i]) ?? info.mean_out_tokens ?? ASSUMED_OUT_TOKENS;
        cost[i] = callCost(info, inTokens, out, Math.min(out, known(table.thoughtTokens?.[i]) ?? 0));
      }
    }
  }
  const evaluation: EvaluationTable = {
    models: table.models.map((m) => m.id),
    count: n,
    error: table.score.map((s) => 1 - s),
    cost,
  };
  return { table: evaluation, costSource };
}

function known(value: number | undefined): number | undefined {
  return value === undefined || Number.isNaN(value) ? undefined : value;
}

/** The table without models that have a cell not scored (or, where tokens are counted, not counted), and their ids. */
export function dropIncomplete(table: PromptTable): { table: PromptTable; dropped: string[] } {
  const M = table.models.length;
  const complete = table.models.map((_, m) =>
    [table.score, table.outTokens].every(
      (data) => !data || table.prompts.every((_p, j) => !Number.isNaN(data[j * M + m]!)),
    ),
  );
  const dropped = table.models.filter((_, m) => !complete[m]).map((m) => m.id);
  return { table: dropped.length === 0 ? table : selectModels(table, indices(complete)), dropped };
}

/** The table with only the models `keep` (column indices), in that order. */
export function selectModels(table: PromptTable, keep: readonly number[]): PromptTable {
  const M = table.models.length;
  const pick = (data: Float64Array): Float64Array =>
    Float64Array.from(
      { length: table.prompts.length * keep.length },
      (_, i) => data[Math.floor(i / keep.length) * M + keep[i % keep.length]!]!,
    );
  return {
    ...table,
    models: keep.map((m) => table.models[m]!),
    score: pick(table.score),
    ...(table.outTokens ? { outTokens: pick(table.outTokens) } : {}),
    ...(table.inTokens ? { inTokens: pick(table.inTokens) } : {}),
    ...(table.thoughtTokens ? { thoughtTokens: pick(table.thoughtTokens) } : {}),
  };
}

/** The table with only the prompts `keep` (row indices), in that order. */
export function selectPrompts(table: PromptTable, keep: ArrayLike<number>): PromptTable {
  const M = table.models.length;
  const pick = (data: Float64Array): Float64Array => {
    const out = new Float64Array(keep.length * M);
    for (let i = 0; i < keep.length; i++) out.set(data.subarray(keep[i]! * M, (keep[i]! + 1) * M), i * M);
    return out;
  };
  return {
    ...table,
    prompts: Array.from(keep, (j) => table.prompts[j]!),
    score: pick(table.score),
    ...(table.outTokens ? { outTokens: pick(table.outTokens) } : {}),
    ...(table.inTokens ? { inTokens: pick(table.inTokens) } : {}),
    ...(table.thoughtTokens ? { thoughtTokens: pick(table.thoughtTokens) } : {}),
  };
}

function indices(flags: readonly boolean[]): number[] {
  return flags.flatMap((flag, i) => (flag ? [i] : []));
}
