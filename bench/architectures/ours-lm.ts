// The engine under test: the training step of a language model on ONNX Runtime. Usage: ours-lm.ts <workload folder> <threads>.
import { compileTrainStep, lmStepFeeds } from 'cairn/nn';
import { adamFeeds, createOrtExecutor, Rng } from 'cairn/tensor';
import { serveEngine } from '../rounds.ts';
import { readLmWorkload, stepOf } from './lm-workload.ts';

const [dir, threads] = process.argv.slice(2) as [string, string];
const { config, batch, length, optimizer, warmup, state, at } = readLmWorkload(dir);
const executor = await createOrtExecutor({ threads: Number(threads) });
const def = stepOf(config, batch, length);
state.ensure(def, new Rng(0));
const program = await compileTrainStep(executor, def, state, optimizer);
let step = 0;
const unit = async (): Promise<number> => {
  const feeds = { ...lmStepFeeds(config, batch, at(step)), ...adamFeeds(step + 1, optimizer.lr, optimizer) };
  step++;
  const { loss } = await program.run(feeds);
  return loss!.data[0]!;
};
const check: number[] = [];
for (let i = 0; i < warmup; i++) check.push(await unit());
await serveEngine({
  version: `onnxruntime-node 1.30.0, ${threads} threads`,
  check,
  unit: async () => {
    await unit();
  },
});
process.exit(0);
