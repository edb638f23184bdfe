import { describe, expect, it } from 'vitest';
import { Rng } from '../tensor/index.ts';
import { armsOfModel, outputCap, retryAfterCap, shareBudgets, TokenRatio, type BudgetObservations } from './arms.ts';

const info = { id: 'thinker', price_in_per_mtok: 1, price_out_per_mtok: 4 };

/** Kinds that a budget helps alike; every prompt is asked under the given budgets. */
function observe(
  seed: number,
  n: number,
  asked: (j: number) => number[],
): { data: BudgetObservations; truth: Float64Array } {
  const rng = new Rng(seed);
  const [K, B] = [6, 4];
  const alpha = Array.from({ length: K }, () => 1.5 * rng.normal());
  const beta = [0.8, 0.3, -0.3, -0.8];
  const truth = new Float64Array(B * K);
  for (let b = 0; b < B; b++)
    for (let k = 0; k < K; k++) truth[b * K + k] = 1 / (1 + Math.exp(-(alpha[k]! + beta[b]!)));
  const phi = new Float64Array(n * K);
  const calls: { row: number; budget: number; error: number }[] = [];
  for (let j = 0; j < n; j++) {
    const k = rng.integer(K);
    phi[j * K + k] = 1;
    for (const b of asked(j)) calls.push({ row: j, budget: b, error: rng.bernoulli(truth[b * K + k]!) ? 1 : 0 });
  }
  return { data: { phi, k: K, budgets: B, calls }, truth };
}

describe('arms of a model', () => {
  it('are one per thinking budget, or the model itself', () => {
    expect(armsOfModel(info).map((a) => a.id)).toEqual(['thinker']);
    const arms = armsOfModel({
      ...info,
      arms: [{ thinking_budget: 'off' }, { thinking_budget: 1024, max_output_tokens: 4096 }],
    });
    expect(arms.map((a) => [a.id, a.budget, a.info.arm_of, a.maxOutputTokens])).toEqual([
      ['thinker@off', 'off', 'thinker', undefined],
      ['thinker@1024', 1024, 'thinker', 4096],
    ]);
  });

  it('have room for thought, answer and a margin', () => {
    expect(outputCap(1024, 300)).toBe(1580);
    expect(outputCap('dynamic', 300)).toBe(556);
    expect(() => outputCap(8000, 300, 4096)).toThrow('Expected room for 8556 output tokens, got a limit of 4096.');
    expect(retryAfterCap({ text: '', capped: true }, 1000, 4096)).toEqual({ cap: 2000, budget: 'same' });
    expect(retryAfterCap({ text: '', capped: true }, 3000, 4096)).toEqual({ cap: 3000, budget: 'off' });
    expect(retryAfterCap({ text: 'cut', capped: true }, 1000)).toBeUndefined();
    expect(retryAfterCap({ text: '', capped: false }, 1000)).toBeUndefined();
  });

  it('learn how many tokens a text really has', () => {
    const ratio = new TokenRatio(0.1);
    for (let i = 0; i < 100; i++) ratio.learnOne(100, 130);
    expect(ratio.ratio).toBeCloseTo(1.3, 3);
  });

  it('share what is hard: 40 prompts under all budgets and one budget on the rest are nearer the truth than raw means', () => {
    let [shared, alone] = [0, 0];
    for (let seed = 0; seed < 10; seed++) {
      const { data, truth } = observe(seed, 240, (j) => (j < 40 ? [0, 1, 2, 3] : [1]));
      const { psi } = shareBudgets(data);
      for (let b = 0; b < 4; b++) {
        for (let k = 0; k < 6; k++) {
          const own = data.calls.filter((c) => c.budget === b && data.phi[c.row * 6 + k] === 1);
          const all = data.calls.filter((c) => c.budget === b);
          const mean = all.reduce((s, c) => s + c.error, 0) / all.length;
          const raw = (own.reduce((s, c) => s + c.error, 0) + 5 * mean) / (own.length + 5);
          shared += (psi[b * 6 + k]! - truth[b * 6 + k]!) ** 2;
          alone += (raw - truth[b * 6 + k]!) ** 2;
        }
      }
    }
    expect(shared).toBeLessThan(0.6 * alone);
  });

  it('report where more thinking hurts, and are stationary at the fit', () => {
    const phi = new Float64Array(200).fill(1);
    const calls = Array.from({ length: 200 }, (_, j) => ({
      row: j,
      budget: j % 2,
      error: j % 2 === 1 ? Number(j % 4 === 1) : 0,
    }));
    const fit = shareBudgets({ phi, k: 1, budgets: 2, calls });
    expect(fit.reversals).toHaveLength(1);
    expect(fit.reversals[0]!.by).toBeGreaterThan(0.3);
    expect(() => shareBudgets({ phi, k: 1, budgets: 2, calls: [] })).toThrow('Expected at least one call');
  });
});
