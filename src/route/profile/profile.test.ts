import { describe, expect, it } from 'vitest';
import { generatePool } from '../generated-pool.ts';
import { fitRouter } from '../pool/fit.ts';
import { selectModels, type PromptRow } from '../tables/prompt-table.ts';
import { estimateProfile, profileModel, type ProfileResult } from './profile.ts';
import { choiceOf, scoreAnswer, tokenF1 } from './scorers.ts';

const pool = generatePool({ seed: 21, prompts: 600, models: 5 });
const old = selectModels(pool.table, [0, 1, 2, 3]);
const router = fitRouter(old, { seed: 5, k: 8, bags: 1, features: { bits: 12, dim: 16 } });
const info = { ...pool.table.models[4]!, id: 'new' };
const scoreOf = new Map(pool.table.prompts.map((p, j) => [p.id, pool.table.score[j * 5 + 4]!]));
const prompts: PromptRow[] = pool.table.prompts.map((p) => ({ ...p, reference: 'right', scorer: { kind: 'exact' } }));
const answer = (p: PromptRow) => Promise.resolve({ text: scoreOf.get(p.id) === 1 ? 'Right.' : 'wrong', outTokens: 20 });

describe('profiling', () => {
  it('estimates the cost before it asks, and asks nothing when it is too dear', async () => {
    const estimate = estimateProfile(router, info, 100);
    expect(estimate.calls).toBe(100);
    expect(estimate.usd).toBeGreaterThan(0);
    let calls = 0;
    const asked = profileModel(router, info, {
      prompts,
      maxCostUsd: estimate.usd / 10,
      ask: (p) => {
        calls++;
        return answer(p);
      },
    });
    await expect(asked).rejects.toThrow('Expected a profile within');
    expect(calls).toBe(0);
  });

  it('asked all prompts it equals the arm of the table', async () => {
    const { arm, calls } = await profileModel(router, info, {
      prompts,
      ask: answer,
      maxCalls: 10_000,
      adaptive: false,
    });
    expect(calls).toBe(router.labelled.count);
    const { ids } = router.parts.validation;
    ids.forEach((id, j) => expect(arm.error[j]).toBe(1 - scoreOf.get(id)!));
    expect(arm.profiled).toBe('scored');
    expect(router.withArm(arm).arms).toHaveLength(5);
  });

  it('interrupted and resumed, it gives the same arm as uninterrupted', async () => {
    const kept: ProfileResult[] = [];
    const run = (done: ProfileResult[], stopAfter: number) => {
      const control = new AbortController();
      return profileModel(router, info, {
        prompts,
        concurrency: 1,
        adaptive: false,
        maxCalls: router.labelled.count,
        done,
        signal: control.signal,
        ask: answer,
        keep: (result) => {
          kept.push(result);
          if (kept.length === stopAfter) control.abort(new Error('stop'));
        },
      });
    };
    await expect(run([], 50)).rejects.toThrow('stop');
    expect(kept).toHaveLength(50);
    const resumed = await run([...kept], -1);
    const whole = await profileModel(router, info, { prompts, ask: answer, maxCalls: 10_000, adaptive: false });
    expect(resumed.arm).toEqual(whole.arm);
  });

  it('a failure of the infrastructure is missing, not wrong, and too many stop it', async () => {
    let n = 0;
    const { arm, failed } = await profileModel(router, info, {
      prompts,
      concurrency: 1,
      maxCalls: 40,
      adaptive: false,
      ask: (p) => (++n % 5 === 0 ? Promise.reject(new Error('503')) : answer(p)),
    });
    expect(failed).toBeGreaterThan(5);
    expect(arm.error.filter((e) => !Number.isNaN(e))).toHaveLength(40);
    await expect(profileModel(router, info, { prompts, ask: () => Promise.reject(new Error('no')) })).rejects.toThrow(
      'Expected answers from new, got',
    );
  });

  it('adaptive choice reaches most of what 200 prompts would give with fewer calls', async () => {
    const lambda = 0.1;
    let [full, few, used] = [0, 0, 0];
    const seeds = 10;
    for (let seed = 0; seed < seeds; seed++) {
      const made = generatePool({ seed: 300 + seed, prompts: 600, models: 5 });
      const base = fitRouter(selectModels(made.table, [0, 1, 2, 3]), {
        seed,
        k: 8,
        bags: 1,
        features: { bits: 11, dim: 16 },
        operating: { kind: 'lambda', value: lambda },
      });
      const score = new Map(made.table.prompts.map((p, j) => [p.id, made.table.score[j * 5 + 4]!]));
      const rows: PromptRow[] = made.table.prompts.map((p) => ({
        ...p,
        reference: 'right',
        scorer: { kind: 'exact' },
      }));
      const ask = (p: PromptRow) => Promise.resolve({ text: score.get(p.id) === 1 ? 'right' : 'wrong' });
      const options = { prompts: rows, ask, concurrency: 1, seed };
      const model = { ...made.table.models[4]!, id: 'new' };
      const adaptive = await profileModel(base, model, { ...options, maxCalls: 100 });
      const plain = await profileModel(base, model, { ...options, maxCalls: 200, adaptive: false });
      used += adaptive.calls / seeds;
      // The truth: skill of the chosen arm less the price of its cost.
      const value = (r: typeof base): number => {
        let sum = 0;
        made.table.prompts.forEach((p, j) => {
          const d = r.route(p.text, { lambda: (lambda * r.scale) / base.scale });
          sum += made.skill[made.topic[j]! * 5 + d.index]! - (lambda * d.expectedCost) / base.scale;
        });
        return sum / made.table.prompts.length;
      };
      const before = value(base);
      full += value(base.withArm(plain.arm)) - before;
      few += value(base.withArm(adaptive.arm)) - before;
    }
    expect(used).toBeLessThanOrEqual(100);
    expect(full).toBeGreaterThan(0);
    expect(few).toBeGreaterThan(0.7 * full);
  });
});

describe('scorers', () => {
  const score = (kind: Parameters<typeof scoreAnswer>[0], answerText: string, reference?: string) =>
    scoreAnswer(kind, { prompt: 'p', answer: answerText, reference });

  it.each([
    ['exact', ' Paris. ', 'paris', 1],
    ['exact', 'Lyon', 'Paris', 0],
    ['contains', 'It is Paris, of course', 'paris', 1],
    ['choice', 'The answer is (B).', 'B', 1],
    ['choice', 'A', 'B', 0],
    ['choice', 'B) because A is false', 'B', 1],
    ['number', 'so 1,234.50 in all', '1234.5', 1],
    ['number', 'I get \\boxed{7} from 3 and 4', '7', 1],
    ['number', '7.1', '7', 0],
    ['exact', '', '', 0],
  ] as const)('%s: %j against %j', async (kind, text, reference, wanted) => {
    expect(await score({ kind }, text, reference)).toBe(wanted);
  });

  it('patterns, schemas, overlap and help', async () => {
    const schema = '{"type":"object","properties":{"a":{"type":"number"}},"required":["a"]}';
    expect(await score({ kind: 'regex', pattern: '^\\d+$' }, '42')).toBe(1);
    expect(await score({ kind: 'json-schema', pattern: schema }, '```json\n{"a":1}\n```')).toBe(1);
    expect(await score({ kind: 'json-schema', pattern: schema }, '{"b":1}')).toBe(0);
    expect(await score({ kind: 'number', tolerance: 0.1 }, '105', '100')).toBe(1);
    expect(tokenF1('the cat sat', 'the cat')).toBeCloseTo(0.8, 12);
    expect(choiceOf('I think C')).toBe('C');
    await expect(score({ kind: 'judge' }, 'x', 'y')).rejects.toThrow('Expected a judge');
    await expect(score({ kind: 'exact' }, 'x')).rejects.toThrow('Expected a reference');
    expect(await scoreAnswer({ kind: 'judge' }, { prompt: '', answer: 'x' }, { judge: () => Promise.resolve(3) })).toBe(
      1,
    );
  });
});
