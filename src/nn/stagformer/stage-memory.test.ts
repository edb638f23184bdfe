// What a stage carries from token to token lies in memory that is used in turn.
import * as ort from 'onnxruntime-node';
import { expect, test } from 'vitest';
import { ModelState, Rng } from '../../tensor/index.ts';
import { lmProgram } from '../lm.ts';
import { lmConfig } from '../lm-config.ts';
import { createStage } from '../parallel/index.ts';
import { createStackMemory, writeRows } from './stack-memory.ts';
import { outWidth, stackStage, STEP } from './stack-programs.ts';

test('the memory of a growing cache is allocated a few times, not with every token', async () => {
  const config = lmConfig({
    vocab_size: 11,
    hidden_size: 16,
    num_hidden_layers: 1,
    num_attention_heads: 4,
    max_position_embeddings: 64,
  });
  const state = ModelState.init(lmProgram(config, { batch: 1, length: 1 }), new Rng(7));
  const memory = createStackMemory(config, 1, outWidth(config));
  const seen = new Set<ArrayBufferLike>();
  const watching = {
    ...ort,
    Tensor: new Proxy(ort.Tensor, {
      construct(made, given: [string, Float32Array, readonly number[]]) {
        const [, data, dims] = given;
        if (dims.length === 4 && data.length > 0) seen.add(data.buffer); // keys and values
        return Reflect.construct(made, given) as object;
      },
    }),
  };
  const stage = await createStage(watching, stackStage(config, state, memory, 0), memory.block);
  for (let at = 0; at < 64; at++) {
    writeRows(memory, memory.ids, at, [at % 11]);
    await stage.run(STEP, at, 1);
  }
  await stage.dispose();
  expect(seen.size).toBeGreaterThan(2);
  expect(seen.size).toBeLessThanOrEqual(2 * 2 * 7); // keys and values, two each, 64 positions by doubling
});
