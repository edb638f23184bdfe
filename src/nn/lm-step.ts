// The training step of a language model: next-token loss, auxiliary losses of its blocks, gradients and optimiser in one
// program, and what it is fed.
import {
  type Builder,
  crossEntropy,
  defineProgram,
  gather,
  type Tensor,
  type HostTensor,
  type ProgramDef,
  type ProgramOptions,
} from '../tensor/index.ts';
import { distilled, type DistillSettings } from './distill/index.ts';
import type { AuxiliaryLoss } from './lm-call.ts';
import type { LmConfig } from './lm-config.ts';
import { lmFeeds } from './lm-inputs.ts';
import { addOptimizer, type OptimizerSettings } from './train-step.ts';
import { softTable, type SoftShape } from './soft/encoders.ts';
import { transformerForward } from './transformer.ts';

/**
 * A step program for `train`: inputs `x`, `y` i32 `[batch, length]`, those of `lmInputs`, `lr`, `c1`, `c2`; outputs `loss`
 * (next token only), `aux.<name>` per auxiliary loss (unweighted, mean over the layers that have it), `gradNorm`, `skipped`.
 * With `distill` a student learns from a teacher too: inputs `teacher.ids` i32 and `teacher.logp` `[batch, length, k]`, see
 * `teacherFeeds`, and an output `aux.teacher`, the divergence.
 * With `mixed` pictures and clips stand in the text: inputs `image.pixels`, `audio.rows`, `audio.valid` (see `softInputs`),
 * `soft.rows` i32 `[batch, length]`, the row of the vectors at each place, and `weight [batch, length]` of each target; see
 * `packMixed`.
 * Compile it with `compileTrainStep`, which updates tables with the tag `rows` on the host.
 * @example
 * const step = defineLmStep(config, { batch: 16, length: 64 }, settings);
 */
export function defineLmStep(
  config: LmConfig,
  shape: { readonly batch: number; readonly length: number },
  settings: OptimizerSettings,
  options: ProgramOptions & Pick<ObjectiveOptions, 'distill' | 'mixed'> = {},
): ProgramDef {
  const { distill, mixed } = options;
  return defineProgram(
    (b) =>
      addOptimizer(
        b,
        lmObjective(b, config, shape, { outputs: true, ...(distill ? { distill } : {}), ...(mixed ? { mixed } : {}) }),
        {
          sparseRows: true,
          ...settings,
        },
      ),
    options,
  );
}

export interface ObjectiveOptions {
  /** Adds the outputs of a step. */
  readonly outputs?: boolean;
  readonly distill?: DistillSettings;
  /** Pictures and clips of a batch; see `defineLmStep`. */
  readonly mixed?: SoftShape;
}

/** The loss of a step with the weighted auxiliary losses, rank 0; with `distill`, of text and teacher. */
export function lmObjective(
  b: Builder,
  config: LmConfig,
  shape: { readonly batch: number; readonly length: number },
  { outputs = false, distill, mixed }: ObjectiveOptions = {},
): Tensor {
  const dims = [shape.batch, shape.length];
  const losses: AuxiliaryLoss[] = [];
  const soft = mixed && { soft: gather(softTable(b, config, mixed), b.input('soft.rows', dims, 'i32')) };
  const logits = transformerForward(b, config, b.input('x', dims, 'i32'), { training: true, losses, ...soft });
  const weights = mixed && { weights: b.input('weight', dims) };
  const loss = crossEntropy(logits, b.input('y', dims, 'i32'), weights);
  if (outputs) b.output('loss', loss);
  let objective = loss;
  if (distill) {
    const wide = [...dims, distill.k];
    const target = { ids: b.input('teacher.ids', wide, 'i32'), logp: b.input('teacher.logp', wide) };
    const learned = distilled(loss, logits, target, distill);
    ({ objective } = learned);
    if (outputs) b.output('aux.teacher', learned.divergence);
  }
  for (const name of new Set(losses.map((l) => l.name))) {
    const same = losses.filter((l) => l.name === name);
    for (const { value, weight } of same) objective = objective.add(value.mul(weight));
    const sum = same.map((l) => l.value).reduce((total, v) => total.add(v));
    if (outputs) b.output(`aux.${name}`, sum.mul(1 / same.length));
  }
  return objective;
}

/** Feeds of a batch `x`, `y` i32 `[batch * length]` for `defineLmStep`. */
export function lmStepFeeds(
  config: LmConfig,
  batch: number,
  { x, y }: { readonly x: Int32Array; readonly y: Int32Array },
): Record<string, Int32Array | HostTensor> {
  return { x, y, ...lmFeeds(config, x, batch) };
}
