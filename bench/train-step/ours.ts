// The engine under test: the training step compiled for ONNX Runtime. Usage: ours.ts <workload folder> <threads>.
import { adamFeeds, createOrtExecutor, ModelState, Rng } from 'cairn/tensor';
import { serveEngine } from '../rounds.ts';
import { trainStep } from './gpt.ts';
import { readWorkload } from './workload.ts';

const [dir, threads] = process.argv.slice(2) as [string, string];
const { case: c, adam, weights, batch, warmup } = readWorkload(dir);
const executor = await createOrtExecutor({ threads: Number(threads) });
const began = performance.now();
const def = trainStep(c);
const built = performance.now();
const state = ModelState.init(def, new Rng(0));
for (const [name, data] of weights) state.set(name, { data, shape: state.get(name).shape, dtype: 'f32' });
const initialised = performance.now();
const program = await executor.compile(def, { state });
const compiled = performance.now();

let step = 0;
const unit = async (): Promise<number> => {
  const feeds = { ...batch(step), ...adamFeeds(step + 1, adam.lr, adam) };
  step++;
  const { loss } = await program.run(feeds);
  return loss!.data[0]!;
};
const check: number[] = [];
for (let i = 0; i < warmup; i++) check.push(await unit());
await serveEngine({
  version: `onnxruntime-node 1.30.0, ${threads} threads`,
  check,
  startup: { build: built - began, compile: compiled - initialised },
  unit: async () => {
    await unit();
  },
});
process.exit(0);
