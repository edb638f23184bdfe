// The engine under test: the training step compiled for ONNX Runtime. Usage: ours.ts <workload folder> <threads>.
import { ModelState, Rng } from 'cairn/tensor';
import { serveTrainStep } from '../train-step-engine.ts';
import { trainStep } from './gpt.ts';
import { readWorkload } from './workload.ts';

await serveTrainStep((dir) => {
  const { case: c, adam, weights, batch, warmup } = readWorkload(dir);
  const startup: Record<string, number> = {};
  return {
    warmup,
    optimizer: adam,
    feeds: batch,
    async compile(executor) {
      const began = performance.now();
      const def = trainStep(c);
      startup['build'] = performance.now() - began;
      const state = ModelState.init(def, new Rng(0));
      for (const [name, data] of weights) state.set(name, { data, shape: state.get(name).shape, dtype: 'f32' });
      const initialised = performance.now();
      const program = await executor.compile(def, { state });
      startup['compile'] = performance.now() - initialised;
      return program;
    },
    startup: () => startup,
  };
});
