import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { generatePool } from '../generated-pool.ts';
import { callCost, roughTokens, selectModels } from '../tables/prompt-table.ts';
import { fromFiles, loadRouter, saveRouter, toFiles } from './card.ts';
import { fitRouter } from './fit.ts';
import { PromptRouter } from './prompt-router.ts';

const pool = generatePool({ seed: 7, prompts: 400, models: 5 });
const options = { seed: 7, k: 8, bags: 2, features: { bits: 12, dim: 16 } } as const;
const router = fitRouter(pool.table, options);
const texts = pool.table.prompts.map((p) => p.text);

/** All that a router says about a text, without its version. */
function said(r: PromptRouter, text: string): object {
  const { version: _, ...rest } = r.route(text);
  return rest;
}

describe('prompt router', () => {
  it('adding a model to a fitted router equals fitting with it, bit for bit', () => {
    const training = ['model-a', 'model-b', 'model-c'];
    const all = fitRouter(pool.table, { ...options, trainingModels: training });
    for (const map of ['learned', 'kmeans'] as const) {
      const full = fitRouter(pool.table, { ...options, map, trainingModels: training });
      const four = fitRouter(selectModels(pool.table, [0, 1, 2, 3]), { ...options, map, trainingModels: training });
      const added = four.withArm(full.arms[4]!);
      expect(added.estimates).toEqual(full.estimates);
      for (const text of texts.slice(0, 40)) expect(said(added, text)).toEqual(said(full, text));
      expect(added.withoutArm('model-e').estimates).toEqual(four.estimates);
    }
    expect(all.version).toMatch(/^r0-[0-9a-f]{8}$/);
    expect(all.withArm(all.arms[0]!).version).toBe(all.version.replace('r0', 'r1'));
    expect(all.withoutArm('model-a').version.slice(3)).not.toBe(all.version.slice(3));
  });

  it('is immutable: a router that is held keeps answering the same while others are made from it', () => {
    const before = texts.slice(0, 30).map((text) => router.route(text));
    const next = router.withoutArm(before[0]!.arm);
    expect(texts.slice(0, 30).map((text) => router.route(text))).toEqual(before);
    expect(next.route(texts[0]!).arm).not.toBe(before[0]!.arm);
    expect(() => router.withoutArm('nobody')).toThrow('Expected an arm of the pool, got "nobody".');
  });

  it('lambda 0 takes the least expected error, a huge one the least cost', () => {
    const cheapest = router.arms.map((a) => a.fixedCost!).indexOf(Math.min(...router.arms.map((a) => a.fixedCost!)));
    for (const text of texts.slice(0, 20)) {
      const free = router.route(text, { lambda: 0 });
      expect(free.expectedError).toBe(Math.min(...free.ranking.map((c) => c.expectedError)));
      expect(router.route(text, { lambda: 1e9 }).index).toBe(cheapest);
    }
  });

  it('filters first, and names the filters when nothing is left', () => {
    const decision = router.route(texts[0]!, { deny: ['model-a'], allow: ['model-a', 'model-b', 'model-c'] });
    expect(decision.ranking.map((c) => c.id).sort()).toEqual(['model-b', 'model-c']);
    expect(decision.removed).toEqual({ 'deny list': ['model-a'], 'allow list': ['model-d', 'model-e'] });
    expect(() => router.route(texts[0]!, { maxCostUsd: 0 })).toThrow(
      'Expected a model within the limits, got none: maximum cost (5).',
    );
    expect(() => router.route(texts[0]!, { modalities: ['image'] })).toThrow('modality (5)');
  });

  it('the interval holds the expected error, and an empty prompt is routed on the kinds as they are', () => {
    for (const text of ['', ...texts.slice(0, 20)]) {
      const { expectedError, interval } = router.route(text);
      expect(interval[0]).toBeLessThanOrEqual(expectedError + 0.001);
      expect(interval[1]).toBeGreaterThanOrEqual(expectedError - 0.001);
    }
  });

  it('operating points keep their word on the labelled prompts', () => {
    const { curve } = router;
    const at = (kind: 'quality' | 'maxErrorIncrease' | 'budgetPerRequest', value: number) =>
      router.withOperating({ kind, value }).point;
    expect(at('quality', 1).error).toBe(Math.min(...curve.points.map((p) => p.error)));
    expect(at('quality', 0)).toEqual(curve.points.at(-1));
    const half = at('quality', 0.5);
    expect(half.cost).toBeLessThan(at('quality', 1).cost);
    expect(at('maxErrorIncrease', 0.05).error).toBeLessThanOrEqual(curve.best.error + 0.05 + 1e-9);
    const budget = (curve.points[0]!.cost + curve.points.at(-1)!.cost) / 2;
    expect(at('budgetPerRequest', budget).cost).toBeLessThanOrEqual(budget);
    expect(at('budgetPerRequest', 0).met).toBe(false);
    expect(router.point.error).toBeLessThanOrEqual(curve.best.error + 1e-9);
    expect(router.point.cost).toBeLessThan(curve.best.cost);
    expect(router.point.shares.reduce((a, b) => a + b)).toBeCloseTo(1, 12);
    expect(() => at('quality', 2)).toThrow('Expected a quality between 0 and 1, got 2.');
  });
});

describe('costs of arms', () => {
  const n = pool.table.prompts.length;
  const tokens = [50, 100, 200, 400, 800];
  const counted = { ...pool.table, outTokens: Float64Array.from({ length: n * 5 }, (_, i) => tokens[i % 5]!) };
  const priced = fitRouter(counted, options);

  it('the same length on every kind of prompt is the plain cost', () => {
    for (const text of texts.slice(0, 20)) {
      for (const c of priced.route(text).ranking) {
        const plain = callCost(priced.arms[c.index]!.info, roughTokens(text), tokens[c.index]!);
        expect(c.expectedCost / plain).toBeCloseTo(1, 9);
      }
    }
  });

  it('lengths that differ by topic are learned by kind', () => {
    const long = pool.table.prompts.map((_, j) => (pool.topic[j] === 0 ? 2000 : 20));
    const byTopic = {
      ...pool.table,
      outTokens: Float64Array.from({ length: n * 5 }, (_, i) => long[Math.floor(i / 5)]!),
    };
    const router = fitRouter(byTopic, options);
    const mean = (topic: boolean): number => {
      const own = pool.table.prompts.filter((_, j) => (pool.topic[j] === 0) === topic);
      return own.reduce((s, p) => s + router.route(p.text).expectedCost, 0) / own.length;
    };
    expect(mean(true)).toBeGreaterThan(3 * mean(false));
  });

  it('prices times ten, and models in another order, change no decision', () => {
    const models = counted.models.map((m) => ({
      ...m,
      price_in_per_mtok: 10 * m.price_in_per_mtok,
      price_out_per_mtok: 10 * m.price_out_per_mtok,
    }));
    const dear = fitRouter({ ...counted, models }, options);
    const turned = new PromptRouter({ ...priced.parts, arms: [4, 2, 0, 3, 1].map((a) => priced.arms[a]!) });
    for (const text of texts.slice(0, 40)) {
      const { arm } = priced.route(text, { lambda: 0.3 });
      expect(dear.route(text, { lambda: 0.3 }).arm).toBe(arm);
      expect(turned.route(text, { lambda: 0.3 }).arm).toBe(arm);
    }
    expect(dear.point.cost / priced.point.cost).toBeCloseTo(10, 6);
  });
});

describe('router on disk', () => {
  it('the same table, options and seed give the same bytes, and no prompt text', () => {
    const first = toFiles(router);
    const second = toFiles(fitRouter(pool.table, options));
    expect(second.json).toBe(first.json);
    expect(second.binary).toEqual(first.binary);
    for (const text of texts) expect(first.json.includes(text)).toBe(false);
  });

  it('a saved router routes as the one it was saved from', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'cairn-router-'));
    try {
      await saveRouter(router, join(folder, 'a'));
      const back = await loadRouter(join(folder, 'a'));
      for (const text of texts.slice(0, 50)) expect(back.route(text)).toEqual(router.route(text));
      expect(toFiles(back).json).toBe(toFiles(router).json);
      await expect(loadRouter(join(folder, 'b'))).rejects.toThrow('Expected router.json in');
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it('refuses another binary, another version and broken JSON', () => {
    const { json, binary } = toFiles(router);
    const other = Uint8Array.from(binary);
    other[other.length - 1]! ^= 1;
    expect(() => fromFiles(json, other)).toThrow('Expected router.safetensors with SHA-256');
    expect(() => fromFiles(json.replace('"version": 1', '"version": 9'), binary)).toThrow('got a fault at version');
    expect(() => fromFiles('{', binary)).toThrow('Expected JSON in router.json');
  });
});
