// Losses that run on the host (transducer lattices, assignment, sorting): a forward program computes the kernel's
// inputs, the host computes the loss and its gradient, and a backward program minimises the surrogate sum(v * dv), whose
// gradient is exact. Costs one more forward pass.
import { CairnError } from '../errors.ts';
import type { Builder, ProgramOptions } from './builder.ts';
import { defineProgram } from './builder.ts';
import type { CompileOptions, Executor, Feed, HostTensor } from './executor.ts';
import type { ProgramDef } from './graph.ts';
import type { Tensor } from './tensor.ts';

/** A loss outside the graph. Gradients have the shapes of the values and may be left out where they are zero. */
export type HostKernel = (values: Readonly<Record<string, HostTensor>>) => {
  readonly loss: number;
  readonly gradients: Readonly<Record<string, HostTensor>>;
};

export interface SplitStep {
  /** Outputs the values. */
  readonly forward: ProgramDef;
  /** Takes `d:<name>` for each value besides the inputs. */
  readonly backward: ProgramDef;
}

/**
 * Builds both programs.
 * @param values the kernel's inputs; built twice, so it must be a pure function of the builder
 * @param finish gets the surrogate loss of the backward program: differentiate it, append the optimiser
 * @example
 * const step = defineSplitStep((b) => ({ scores: model(b, b.input('x', [8, 4])) }), (b, loss) => adamW(b, loss, settings));
 */
export function defineSplitStep(
  values: (b: Builder) => Readonly<Record<string, Tensor>>,
  finish: (b: Builder, surrogate: Tensor) => void,
  options: ProgramOptions = {},
): SplitStep {
  const forward = defineProgram((b) => {
    for (const [name, t] of Object.entries(values(b))) b.output(name, t);
  }, options);
  const backward = defineProgram((b) => {
    const terms = Object.entries(values(b)).map(([name, t]) => t.mul(b.input(`d:${name}`, t.shape, t.dtype)).sum());
    if (!terms[0]) throw new CairnError('no_tensor', 'Expected at least one value for the host kernel, got none.');
    finish(
      b,
      terms.reduce((total, t) => total.add(t)),
    );
  }, options);
  return { forward, backward };
}

export interface SplitProgram extends AsyncDisposable {
  /** Runs forward, kernel and backward; `feeds` go to both programs, `more` (learning rate) to the second only. */
  run(
    feeds: Readonly<Record<string, Feed>>,
    more?: Readonly<Record<string, Feed>>,
  ): Promise<{ loss: number; outputs: Record<string, HostTensor> }>;
}

/** Compiles both programs over one state. */
export async function compileSplitStep(
  executor: Executor,
  step: SplitStep,
  kernel: HostKernel,
  options: CompileOptions = {},
): Promise<SplitProgram> {
  const forward = await executor.compile(step.forward, options);
  const backward = await executor.compile(step.backward, options);
  return {
    async run(feeds, more = {}) {
      const values = await forward.run(feeds);
      const { loss, gradients } = kernel(values);
      const cotangents = Object.entries(values).map(([name, v]): [string, HostTensor] => [
        `d:${name}`,
        gradients[name] ?? { ...v, data: v.data.slice().fill(0) },
      ]);
      return { loss, outputs: await backward.run({ ...feeds, ...more, ...Object.fromEntries(cotangents) }) };
    },
    async [Symbol.asyncDispose]() {
      await forward.dispose();
      await backward.dispose();
    },
  };
}
