// Arms of one model: the same model with different thinking budgets (described for Gemini 2.5, 2507.06261). A budget is a hint to the
// provider, so costs are read back, never assumed. Budgets of a model share what kinds of prompt are hard for it: K + B numbers
// instead of K B, with a shrunk interaction. More thinking may hurt, so nothing is forced to be monotone.
import { CairnError } from '../errors.ts';
import { cholesky, choleskySolve, matrix } from '../tensor/index.ts';
import type { ModelInfo, ThinkingBudget } from './tables/prompt-table.ts';

/** One arm of a model: what to ask the provider for. */
export interface ModelArm {
  /** `model` alone, or `model@budget`. */
  readonly id: string;
  readonly info: ModelInfo;
  readonly budget?: ThinkingBudget;
  readonly maxOutputTokens?: number;
}

/** The arms of a model: one per entry of `arms`, or the model itself. */
export function armsOfModel(info: ModelInfo): ModelArm[] {
  if (!info.arms || info.arms.length === 0) {
    return [{ id: info.id, info, ...(info.thinking_budget === undefined ? {} : { budget: info.thinking_budget }) }];
  }
  return info.arms.map((arm) => ({
    id: `${info.id}@${arm.thinking_budget}`,
    info: { ...info, arm_of: info.id, thinking_budget: arm.thinking_budget },
    budget: arm.thinking_budget,
    ...(arm.max_output_tokens === undefined ? {} : { maxOutputTokens: arm.max_output_tokens }),
  }));
}

/** Tokens beside budget and answer that a cap must leave. */
export const CAP_MARGIN = 256;

/**
 * A cap on output tokens that a budget fits under: thought and answer share it, and a cap that the thought uses up returns an
 * empty answer.
 * @throws CairnError `budget_too_large` when the model's own limit cannot hold budget, answer and margin
 */
export function outputCap(budget: ThinkingBudget | undefined, expectedAnswer: number, limit = Infinity): number {
  const thought = typeof budget === 'number' ? budget : 0;
  const cap = Math.ceil(thought + expectedAnswer + CAP_MARGIN);
  if (cap > limit) {
    throw new CairnError('budget_too_large', `Expected room for ${cap} output tokens, got a limit of ${limit}.`, {
      hint: 'Choose a smaller thinking budget.',
    });
  }
  return cap;
}

/** What one call returned, as far as retrying is concerned. */
export interface CallEnd {
  readonly text: string;
  /** The provider stopped because the cap was reached. */
  readonly capped: boolean;
}

/** Whether an answer was eaten by thought: then one more try with a larger cap, or with the budget off at the model's limit. */
export function retryAfterCap(
  end: CallEnd,
  cap: number,
  limit = Infinity,
): { readonly cap: number; readonly budget: 'same' | 'off' } | undefined {
  if (!end.capped || end.text.trim() !== '') return undefined;
  return cap * 2 <= limit ? { cap: cap * 2, budget: 'same' } : { cap, budget: 'off' };
}

/** Exponential average of tokens read back over tokens estimated; corrects the rule of four characters a token. */
export class TokenRatio {
  readonly #rate: number;
  #ratio = 1;

  constructor(rate = 0.05) {
    this.#rate = rate;
  }

  get ratio(): number {
    return this.#ratio;
  }

  learnOne(estimated: number, real: number): void {
    if (estimated > 0 && real > 0) this.#ratio += this.#rate * (real / estimated - this.#ratio);
  }
}

/** Errors of one model under several budgets on labelled prompts. */
export interface BudgetObservations {
  /** [n, K] assignment of the prompts. */
  readonly phi: Float64Array;
  readonly k: number;
  readonly budgets: number;
  /** One entry per call: prompt row, budget index, error in [0,1]. */
  readonly calls: readonly { readonly row: number; readonly budget: number; readonly error: number }[];
}

export interface SharingOptions {
  /** Penalty of a kind's deviation. Default 1. */
  readonly kind?: number;
  /** Penalty of a budget's deviation. Default 0.1. */
  readonly budget?: number;
  /** Penalty of what a budget does to one kind beyond both. Default 4. */
  readonly interaction?: number;
}

/** Psi of every budget. */
export interface SharedBudgets {
  /** [B, K] expected errors. */
  readonly psi: Float64Array;
  /** [K] and [B] effects on the logit, and the intercept. */
  readonly kind: Float64Array;
  readonly budget: Float64Array;
  readonly intercept: number;
  /** Pairs of neighbouring budgets and kinds at which the larger budget errs more by at least 0.02. */
  readonly reversals: readonly { readonly budget: number; readonly kind: number; readonly by: number }[];
}

/**
 * logit Psi_{b,k} = mu + alpha_k + beta_b + delta_{b,k}, a ridge logistic fit by Newton steps. Profile all budgets on a few
 * prompts and one budget on the rest: the kinds are learned from all calls.
 * @throws CairnError `no_calls`
 */
export function shareBudgets(data: BudgetObservations, options: SharingOptions = {}): SharedBudgets {
  const { phi, k, budgets: B, calls } = data;
  if (calls.length === 0) throw new CairnError('no_calls', 'Expected at least one call to learn from, got none.');
  const size = 1 + k + B + k * B;
  const penalty = new Float64Array(size);
  penalty[0] = 1e-6;
  penalty.fill(options.kind ?? 1, 1, 1 + k);
  penalty.fill(options.budget ?? 0.1, 1 + k, 1 + k + B);
  penalty.fill(options.interaction ?? 4, 1 + k + B);
  const w = new Float64Array(size);
  const mean = calls.reduce((s, c) => s + c.error, 0) / calls.length;
  const start = Math.min(0.99, Math.max(0.01, mean));
  w[0] = Math.log(start / (1 - start));
  const index = new Int32Array(2 + 2 * k);
  const value = new Float64Array(2 + 2 * k);
  for (let step = 0; step < 30; step++) {
    const hessian = matrix(size, size);
    const gradient = matrix(size, 1);
    for (let i = 0; i < size; i++) {
      hessian.data[i * size + i] = penalty[i]!;
      gradient.data[i] = penalty[i]! * w[i]!;
    }
    for (const { row, budget, error } of calls) {
      let n = 0;
      const add = (at: number, v: number): void => {
        index[n] = at;
        value[n++] = v;
      };
      add(0, 1);
      add(1 + k + budget, 1);
      for (let c = 0; c < k; c++) {
        const p = phi[row * k + c]!;
        if (p === 0) continue;
        add(1 + c, p);
        add(1 + k + B + budget * k + c, p);
      }
      let logit = 0;
      for (let a = 0; a < n; a++) logit += w[index[a]!]! * value[a]!;
      const p = 1 / (1 + Math.exp(-logit));
      const curve = Math.max(p * (1 - p), 1e-4);
      for (let a = 0; a < n; a++) {
        const i = index[a]!;
        gradient.data[i] = gradient.data[i]! + (p - error) * value[a]!;
        for (let b = 0; b < n; b++) {
          const at = i * size + index[b]!;
          hessian.data[at] = hessian.data[at]! + curve * value[a]! * value[b]!;
        }
      }
    }
    const move = choleskySolve(cholesky(hessian), gradient).data;
    let largest = 0;
    for (let i = 0; i < size; i++) {
      const d = Math.max(-2, Math.min(2, move[i]!));
      w[i] = w[i]! - d;
      largest = Math.max(largest, Math.abs(d));
    }
    if (largest < 1e-9) break;
  }
  const psi = new Float64Array(B * k);
  for (let b = 0; b < B; b++) {
    for (let c = 0; c < k; c++) {
      psi[b * k + c] = 1 / (1 + Math.exp(-(w[0]! + w[1 + c]! + w[1 + k + b]! + w[1 + k + B + b * k + c]!)));
    }
  }
  const reversals: { budget: number; kind: number; by: number }[] = [];
  for (let b = 1; b < B; b++) {
    for (let c = 0; c < k; c++) {
      const by = psi[b * k + c]! - psi[(b - 1) * k + c]!;
      if (by >= 0.02) reversals.push({ budget: b, kind: c, by });
    }
  }
  return { psi, kind: w.slice(1, 1 + k), budget: w.slice(1 + k, 1 + k + B), intercept: w[0]!, reversals };
}
