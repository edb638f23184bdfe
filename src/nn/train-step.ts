// The program of one training step: a loss, its gradients and the optimiser in one graph. The model is handed in.
import { CairnError } from '../errors.ts';
import {
  adamW,
  type Builder,
  createRowOptimizer,
  defineProgram,
  type Executor,
  type ModelState,
  type Program,
  type ProgramDef,
  type ProgramOptions,
  rowGradientArrays,
  ROWS,
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
  /** Tables with the tag `rows` are left to the host: compile with `compileTrainStep`. */
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
 * Compiles a step; tables with the tag `rows` are updated by the same `run`, at the rate times `lrScale.rows`. The outputs
 * that these updates are made of hold until the next run.
 * @example
 * await using program = await compileTrainStep(executor, step, state, settings);
 */
export async function compileTrainStep(
  executor: Executor,
  step: ProgramDef,
  state: ModelState,
  settings: OptimizerSettings & Pick<RowRule, 'rule'>,
): Promise<Program> {
  const { beta1, beta2, eps, rule = 'adam', lrScale } = settings;
  const update = createRowOptimizer(step, state, { beta1, beta2, eps, rule, rateScale: lrScale?.[ROWS] ?? 1 });
  const program = await executor.compile(step, { state });
  if (!update) return program;
  const gradients = rowGradientArrays(step);
  return {
    async run(feeds, into) {
      const outputs = await program.run(feeds, { ...gradients, ...into });
      const rate = (name: string): number => {
        const fed = feeds[name];
        if (typeof fed === 'number') return fed;
        throw new CairnError(
          'missing_feed',
          `Expected a number for input \`${name}\` of a step with tables, got none.`,
        );
      };
      const counts = outputs['skipped']?.data[0] !== 1;
      if (counts) update(outputs, { lr: rate('lr'), c1: rate('c1'), c2: rate('c2') });
      return outputs;
    },
    stats: () => program.stats(),
    dispose: () => program.dispose(),
    [Symbol.asyncDispose]: () => program.dispose(),
  };
}
