import { afterAll, beforeAll, describe, it } from 'vitest';
import { conformanceCases } from './conformance.ts';
import { createOrtExecutor } from './ort-node.ts';
import type { OrtExecutor } from './ort.ts';
import { Rng } from './rng.ts';

describe('ONNX Runtime agrees with the reference', () => {
  let executor: OrtExecutor;
  beforeAll(async () => {
    executor = await createOrtExecutor({ threads: 1 });
  });
  afterAll(() => executor.dispose());

  it.each(conformanceCases({ rng: new Rng(31) }).map((c) => [c.name, c] as const))('%s', async (_name, c) => {
    await c.run(executor);
  });
});
