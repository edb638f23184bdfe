// The engine under test: the training step of a language model on ONNX Runtime. Usage: ours-lm.ts <workload folder> <threads>.
import { compileTrainStep, lmStepFeeds } from 'cairn/nn';
import { Rng } from 'cairn/tensor';
import { serveTrainStep } from '../train-step-engine.ts';
import { readLmWorkload, stepOf } from './lm-workload.ts';

await serveTrainStep((dir) => {
  const { config, batch, length, optimizer, warmup, state, at } = readLmWorkload(dir);
  const def = stepOf(config, batch, length);
  state.ensure(def, new Rng(0));
  return {
    warmup,
    optimizer,
    feeds: (step) => lmStepFeeds(config, batch, at(step)),
    compile: (executor) => compileTrainStep(executor, def, state, optimizer),
  };
});
