import { createReferenceExecutor } from 'cairn/tensor';
import { expect, test } from 'vitest';
import { identities } from './identities.ts';
import { corpusOf, heldOutLoss, model } from './models.ts';
import { priceOf } from './price.ts';

const options = {
  scale: 'ci' as const,
  plot: () => undefined,
  log: () => undefined,
  signal: new AbortController().signal,
};

test.each([3, 20_26])('what holds exactly holds for seed %i', async (seed) => {
  const { claims } = await identities({ seed, ...options });
  expect(claims.filter((c) => !c.holds)).toEqual([]);
});

test('a model learns a small text, the same way every time', async () => {
  const corpus = corpusOf('the cat sat on the mat; the dog sat on the log. '.repeat(30));
  const config = { ...model(corpus.vocabulary, { altup_num_inputs: 2 }), hidden_size: 16, num_hidden_layers: 1 };
  const executor = createReferenceExecutor({ dtype: 'f32' });
  const lossAfter = (steps: number): Promise<number> =>
    heldOutLoss(
      { ...config, intermediate_size: 16 },
      corpus,
      { steps, windows: 2 },
      { seed: 5, executor, signal: options.signal },
    );
  const early = await lossAfter(1);
  const late = await lossAfter(6);
  expect(late).toBeLessThan(early);
  expect(await lossAfter(6)).toBe(late);
}, 60_000);

test('a price is read from the line through the dense model', () => {
  const slope = 0.16; // nats for e times the cost
  const bought = [1.1, 1.5].map((cost) => ({ cost, less: [0.9, 1.1].map((x) => x * slope * Math.log(cost)) }));
  const { value, interval } = priceOf([0.02, 0.04], bought);
  expect(value).toBeCloseTo(Math.exp(0.03 / slope), 12);
  expect(interval[0]).toBeCloseTo(Math.exp(0.02 / (0.9 * slope)), 12);
  expect(interval[1]).toBeCloseTo(Math.exp(0.04 / (1.1 * slope)), 12);
});

test('what gains nothing costs one step; what larger models do not reach has no price', () => {
  const bought = [{ cost: 1.5, less: [0.05, 0.03] }];
  expect(priceOf([-0.01, 0.01], bought).value).toBe(1);
  const useless = [{ cost: 1.5, less: [-0.01, 0] }];
  expect(priceOf([0.01, 0.02], useless)).toEqual({ value: Infinity, interval: [Infinity, Infinity] });
});
