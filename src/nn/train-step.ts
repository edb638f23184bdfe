// The program of one training step: a loss, its gradients and the optimiser in one graph. The model is handed in.
import {
  adamW,
  type Builder,
  defineProgram,
  type ProgramDef,
  type ProgramOptions,
  type Tensor,
} from '../tensor/index.ts';

/** Settings of AdamW (Loshchilov and Hutter 2019). */
export interface OptimizerSettings {
  readonly beta1: number;
  readonly beta2: number;
  readonly eps: number;
  readonly weightDecay: number;
  /** Largest global gradient norm. */
  readonly clipNorm: number;
  /** Factor of the learning rate for parameters that carry a tag. */
  readonly lrScale?: Readonly<Record<string, number>>;
}

/**
 * A step program for `train`: outputs `loss`, `gradNorm`, `skipped`; inputs `lr`, `c1`, `c2` and those of the loss.
 * @param loss builds the model and returns a scalar
 */
export function defineTrainStep(
  loss: (b: Builder) => Tensor,
  settings: OptimizerSettings,
  options: ProgramOptions = {},
): ProgramDef {
  return defineProgram((b) => {
    const value = loss(b);
    b.output('loss', value);
    addOptimizer(b, value, settings);
  }, options);
}

/** Adds gradients and AdamW for a scalar objective. */
export function addOptimizer(b: Builder, objective: Tensor, settings: OptimizerSettings): void {
  adamW(b, objective, settings);
}
