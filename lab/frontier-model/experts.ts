// Sparse mixtures of experts in a small character model beside the dense model with as many active operations: of four
// networks each character uses one or two.
import { countFlops, expertLoads, type LmConfig, lmFeeds, lmProgram } from 'cairn/nn';
import { createOrtExecutor, type Executor, type ModelState } from 'cairn/tensor';
import { BATCH, configOf, CONTEXT, fit, mean, type Split, splitText, tokenLosses } from '../char-models.ts';
import type { LabOptions, Part } from '../report.ts';
import { loadText } from '../text.ts';

const EXPERTS = 4;
const LAYERS = 2;

/** All have as many active operations as the dense model, but for their routers. */
const ARMS = [
  { name: 'dense', settings: {}, onlyFull: false },
  {
    name: 'one of four of half the width, beside a shared one',
    settings: { moe_num_experts: EXPERTS, moe_shared_expert: true, intermediate_size: 128 },
    onlyFull: false,
  },
  {
    name: 'two of four of half the width',
    settings: { moe_num_experts: EXPERTS, moe_top_k: 2, intermediate_size: 128 },
    onlyFull: true,
  },
  { name: 'one of four', settings: { moe_num_experts: EXPERTS }, onlyFull: true },
] as const;

export async function mixture({ seed, scale, data, log, signal }: LabOptions): Promise<Part> {
  const { name: corpus, text } = await loadText(data);
  const split = splitText(text);
  const full = scale === 'full';
  const [steps, seeds, windows] = full ? [400, 3, 640] : [200, 3, 320];
  await using executor = await createOrtExecutor();
  const arms = ARMS.filter((arm) => full || !arm.onlyFull).map((arm) => ({
    name: arm.name,
    config: configOf(split, LAYERS, arm.settings),
    losses: [] as number[],
    smallest: 1,
  }));
  for (const arm of arms) {
    for (let s = 0; s < seeds; s++) {
      const { state } = await fit(arm.config, split, { steps, seed: seed * 1000 + s, executor, signal });
      arm.losses.push(mean((await tokenLosses(arm.config, state, split, windows, executor)).loss));
      if (arm.config.moe_num_experts === undefined) continue;
      arm.smallest = Math.min(arm.smallest, await smallestLoad(arm.config, state, split, executor));
    }
    log(`${arm.name}: ${mean(arm.losses).toFixed(3)} nats`);
  }
  const [dense, sparse] = arms as [(typeof arms)[0], (typeof arms)[0]];
  const flopsOf = (config: LmConfig): number => countFlops(lmProgram(config, { batch: 1, length: 1 }));
  return {
    claims: [
      {
        id: 'experts-no-worse',
        says: `With ${EXPERTS} experts of half the width, one a character, beside a shared one, the held-out loss is no higher than that of the dense model with as many active operations (${corpus}).`,
        kind: 'measured',
        value: mean(sparse.losses),
        baseline: mean(dense.losses),
        target: `mean of ${seeds} paired seeds <= dense`,
        holds: mean(sparse.losses) <= mean(dense.losses),
      },
      {
        id: 'experts-balanced',
        says: 'No expert is left idle.',
        kind: 'measured',
        value: sparse.smallest * EXPERTS,
        target: 'smallest load of any layer and seed >= 0.25 of an even share on held-out text',
        holds: sparse.smallest * EXPERTS >= 0.25,
      },
    ],
    tables: [
      {
        title: `${corpus}, ${steps} steps, ${LAYERS} layers of width 64, ${seeds} seeds, nats a character`,
        columns: [
          'experts',
          'held out',
          'lowest',
          'highest',
          'smallest load, of an even share',
          'operations of a character',
        ],
        rows: arms.map((arm) => [
          arm.name,
          mean(arm.losses),
          Math.min(...arm.losses),
          Math.max(...arm.losses),
          arm.config.moe_num_experts === undefined ? null : arm.smallest * EXPERTS,
          flopsOf(arm.config),
        ]),
      },
    ],
  };
}

/** Smallest share of the characters that any expert of any layer gets, on held-out text. */
async function smallestLoad(config: LmConfig, state: ModelState, split: Split, executor: Executor): Promise<number> {
  const def = lmProgram(config, { batch: BATCH, length: CONTEXT }, { capture: /moe\.hook_router$/ });
  await using program = await executor.compile(def, { state });
  const ids = split.tail.slice(0, BATCH * CONTEXT);
  const out = await program.run({ ids, ...lmFeeds(config, ids, BATCH) });
  const loads = Object.entries(out).flatMap(([hook, t]) =>
    hook === 'logits' ? [] : [...expertLoads(t.data, EXPERTS, config.moe_top_k ?? 1)],
  );
  return Math.min(...loads);
}
