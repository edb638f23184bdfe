// The engine under test: the training step of a cascaded conformer transducer on ONNX Runtime. Usage: ours-asr.ts <workload folder> <threads>.
import { asrTrainStep } from 'cairn/nn';
import { Rng } from 'cairn/tensor';
import { serveTrainStep } from '../train-step-engine.ts';
import { readAsrWorkload } from './asr-workload.ts';

await serveTrainStep((dir) => {
  const { config, shape, optimizer, warmup, state, at } = readAsrWorkload(dir);
  const def = asrTrainStep(config, shape);
  state.ensure(def, new Rng(0));
  return {
    warmup,
    optimizer,
    feeds: (step) => ({ ...at(step) }),
    compile: (executor) => executor.compile(def, { state }),
  };
});
