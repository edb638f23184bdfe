// The program of one training step: a loss, its gradients and the optimiser in one graph. The model is handed in.
import {
  adamW,
  type Builder,
  createRowOptimizer,
  defineProgram,
  type ModelState,
  type ProgramDef,
  type ProgramOptions,
  ROWS,
  type RowOptimizer,
  type RowRule,
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
  /** Tables with the tag `rows` are left to the row optimiser that `rowUpdates` makes. */
  readonly sparseRows?: boolean;
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

/**
 * What `train` is to do after each step for tables that are updated row by row; `{}` when the step has none. Their rate is
 * multiplied by `lrScale.rows`.
 */
export function rowUpdates(
  step: ProgramDef,
  state: ModelState,
  settings: OptimizerSettings & Pick<RowRule, 'rule'>,
): { readonly onStep?: RowOptimizer } {
  const { beta1, beta2, eps, rule = 'adam', lrScale } = settings;
  const update = createRowOptimizer(step, state, { beta1, beta2, eps, rule, rateScale: lrScale?.[ROWS] ?? 1 });
  return update ? { onStep: update } : {};
}
