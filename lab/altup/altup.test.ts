import { createReferenceExecutor } from 'cairn/tensor';
import { expect, test } from 'vitest';
import { identities } from './identities.ts';
import { corpusOf, heldOutLoss, model } from './models.ts';

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
