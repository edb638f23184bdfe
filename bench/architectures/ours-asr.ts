// The engine under test: the training step of a cascaded conformer transducer on ONNX Runtime. Usage: ours-asr.ts <workload folder> <threads>.
import { asrTrainStep } from 'cairn/nn';
import { adamFeeds, createOrtExecutor, Rng } from 'cairn/tensor';
import { serveEngine } from '../rounds.ts';
import { readAsrWorkload } from './asr-workload.ts';

const [dir, threads] = process.argv.slice(2) as [string, string];
const { config, shape, optimizer, warmup, state, at } = readAsrWorkload(dir);
const executor = await createOrtExecutor({ threads: Number(threads) });
const def = asrTrainStep(config, shape);
state.ensure(def, new Rng(0));
const program = await executor.compile(def, { state });
let step = 0;
const unit = async (): Promise<number> => {
  const feeds = { ...at(step), ...adamFeeds(step + 1, optimizer.lr, optimizer) };
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
