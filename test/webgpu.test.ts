// WebGPU in Node, on whatever adapter there is: the software one that comes with Chromium will do. Says so when there is none.
import { existsSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { compileTrainStep, DEFAULT_RECIPE, defineLmStep, lmConfig, lmStepFeeds, train } from '../src/nn/index.ts';
import {
  conformanceCases,
  createOrtExecutor,
  defineProgram,
  ModelState,
  type OrtExecutor,
  Rng,
} from '../src/tensor/index.ts';

const SOFTWARE = ['/usr/lib/chromium', '/usr/lib/chromium-browser', '/opt/google/chrome']
  .map((dir) => `${dir}/vk_swiftshader_icd.json`)
  .find((file) => existsSync(file));

/** Vulkan reads its variables when it is loaded, with the first session of this process. */
async function webgpu(): Promise<OrtExecutor | undefined> {
  if (SOFTWARE !== undefined) process.env['VK_ICD_FILENAMES'] ??= SOFTWARE;
  process.env['XDG_RUNTIME_DIR'] ??= '/tmp';
  const executor = await createOrtExecutor({ provider: 'webgpu', threads: 1, cacheSize: 400 });
  try {
    await using program = await executor.compile(defineProgram((b) => b.output('y', b.input('x', [1]).add(1))));
    await program.run({ x: Float32Array.of(1) });
    return executor;
  } catch (error) {
    await executor.dispose();
    if (process.env['CAIRN_NEEDS_WEBGPU'] === '1') throw error;
    console.log('WebGPU: skipped, no adapter was found');
    return undefined;
  }
}

const executor = await webgpu();

describe.skipIf(executor === undefined)('WebGPU in Node', () => {
  let cpu: OrtExecutor;
  beforeAll(async () => {
    cpu = await createOrtExecutor({ threads: 1 });
  });
  afterAll(async () => {
    await cpu.dispose();
    await executor?.dispose();
  });

  // See docs/decisions/webgpu.md.
  const cases = conformanceCases({
    rng: new Rng(Date.now() % 1000),
    dtypes: ['f32'],
    samples: 6,
    tolerance: { sin: 1e-3, cos: 1e-3, layerNorm: 1e-4 },
  });
  test.each(cases.map((c) => [c.name, c] as const))('agrees with the reference: %s', async (_name, c) => {
    await c.run(executor!);
  });

  test.each([
    ['dense', {}],
    [
      'two streams, experts and a memory table',
      { altup_num_inputs: 2, moe_num_experts: 2, memory_lookup: 'ngram', memory_entries: 64 },
    ],
    ['two stacks', { stag_num_stacks: 2 }],
  ] as const)('trains as the CPU does: %s', async (_name, blocks) => {
    const config = lmConfig({
      vocab_size: 16,
      hidden_size: 16,
      num_hidden_layers: 2,
      num_attention_heads: 2,
      max_position_embeddings: 16,
      ...blocks,
    });
    const settings = { ...DEFAULT_RECIPE, batch: 4, rate: 2e-3, eps: 1e-8 };
    const losses = async (on: OrtExecutor): Promise<number[]> => {
      const step = defineLmStep(config, { batch: 4, length: 16 }, settings);
      const state = ModelState.init(step, new Rng(3));
      const rng = new Rng(5);
      const ids = (): Int32Array => Int32Array.from({ length: 64 }, () => rng.integer(16));
      const seen: number[] = [];
      await using program = await compileTrainStep(on, step, state, settings);
      await train({
        program,
        state,
        feeds: () => lmStepFeeds(config, 4, { x: ids(), y: ids() }),
        schedule: { kind: 'cosine', peak: settings.rate, warmup: settings.warmup, final: settings.final },
        beta1: settings.beta1,
        beta2: settings.beta2,
        length: { steps: 6 },
        onProgress: ({ loss }) => seen.push(loss),
        clock: () => 0,
      });
      return seen;
    };
    const [here, there] = [await losses(cpu), await losses(executor!)];
    expect(there).toHaveLength(6);
    there.forEach((loss, i) => expect(loss).toBeCloseTo(here[i]!, 3));
  });
});
