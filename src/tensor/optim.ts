// Optimisers as graphs: they take gradients and register updates of parameters and moments. Global-norm clipping and the
// guard against non-finite gradients are shared by all of them.
import { CairnError } from '../errors.ts';
import { type Builder, defineProgram } from './builder.ts';
import { grad } from './grad.ts';
import type { ParamSpec, ProgramDef } from './graph.ts';
import { zeros } from './init.ts';
import type { Tensor } from './tensor.ts';

/** A parameter, its tensor in this program and its gradient. */
export interface Gradient {
  readonly spec: ParamSpec;
  readonly param: Tensor;
  readonly gradient: Tensor;
}

export interface OptimizerOptions {
  /** Decoupled decay of parameters whose spec says `decay`. Default 0. */
  readonly weightDecay?: number;
  /** Scales gradients so that their global norm is at most this. Default: no clipping. */
  readonly clipNorm?: number;
  /** Drops the updates of a run whose gradient norm is not below 1e30 (NaN, infinity). Default true. */
  readonly guard?: boolean;
  /** Factor of the learning rate for parameters that carry a tag; the factors of several tags multiply. */
  readonly lrScale?: Readonly<Record<string, number>>;
  /** Parameters to train. Default: all trainable ones. */
  readonly only?: (spec: ParamSpec) => boolean;
}

export interface AdamWOptions extends OptimizerOptions {
  /** Default 0.9. */
  readonly beta1?: number;
  /** Default 0.95. */
  readonly beta2?: number;
  /** Default 1e-8. */
  readonly eps?: number;
  /** Default 0.1. */
  readonly weightDecay?: number;
}

export interface SgdOptions extends OptimizerOptions {
  /** Default 0: no moment. */
  readonly momentum?: number;
}

/** What an optimiser does with gradients that are clipped and guarded. */
export type Rule = (b: Builder, gradients: readonly Gradient[]) => void;

/** Gradients of `loss` with respect to the trainable parameters of the program. */
export function gradientsOf(b: Builder, loss: Tensor, options: Pick<OptimizerOptions, 'only'> = {}): Gradient[] {
  const trained = b.trainable().filter(({ spec }) => options.only?.(spec) ?? true);
  if (trained.length === 0) {
    throw new CairnError('nothing_to_train', 'Expected trainable parameters, got none.', {
      hint: 'Declare them with b.param before the optimiser.',
    });
  }
  const gradients = grad(
    loss,
    trained.map((t) => t.tensor),
  );
  return trained.map(({ spec, tensor }, i) => ({ spec, param: tensor, gradient: gradients[i]! }));
}

/**
 * Adds a step of AdamW (Loshchilov and Hutter 2019) for `loss`. Feeds: rank-0 `lr`, `c1 = 1 - beta1^t`,
 * `c2 = 1 - beta2^t` (see `adamFeeds`). Outputs: `gradNorm` before clipping, and `skipped` (bool) with the guard.
 *
 * The moments are kept divided by `1 - beta` (state `m:<name>`, `v:<name>`), which saves two passes over them and
 * changes nothing else: `m = b1 m + g`, `v = b2 v + g^2`, `w = w (1 - lr wd) - a m / (sqrt v + e)` with
 * `a = lr (1 - b1)/c1 sqrt(c2/(1 - b2))` and `e = eps sqrt(c2/(1 - b2))`.
 *
 * @example
 * const step = defineProgram((b) => {
 *   const loss = crossEntropy(model(b, b.input('x', [8, 16], 'i32')), b.input('y', [8], 'i32'));
 *   b.output('loss', loss);
 *   adamW(b, loss, { weightDecay: 0.1, clipNorm: 1 });
 * });
 */
export function adamW(b: Builder, loss: Tensor, options: AdamWOptions = {}): void {
  applyRule(b, gradientsOf(b, loss, options), adamWRule(options), options);
}

/** The update rule of AdamW alone, for gradients that come from elsewhere. */
export function adamWRule(options: AdamWOptions = {}): Rule {
  const { beta1 = 0.9, beta2 = 0.95, eps = 1e-8, weightDecay = 0.1 } = options;
  return (b, gradients) => {
    const lr = b.input('lr', []);
    const spread = b
      .input('c2', [])
      .mul(1 / (1 - beta2))
      .sqrt();
    const rate = lr
      .mul(1 - beta1)
      .div(b.input('c1', []))
      .mul(spread);
    const floor = spread.mul(eps);
    for (const { spec, param, gradient: g } of gradients) {
      const scale = lrScaleOf(spec, options);
      const m = moment(b, 'm', spec).mul(beta1).add(g);
      const v = moment(b, 'v', spec).mul(beta2).add(g.mul(g));
      const step = m.div(v.sqrt().add(floor)).mul(scaled(rate, scale));
      b.update(spec.name, decayed(spec, param, lr, scale * weightDecay).sub(step));
      b.update(`m:${spec.name}`, m);
      b.update(`v:${spec.name}`, v);
    }
  };
}

/**
 * Adds a step of gradient descent with decoupled decay and, with `momentum > 0`, a velocity `m:<name> = momentum m + g`.
 * Feeds: rank-0 `lr`. Outputs as `adamW`.
 */
export function sgd(b: Builder, loss: Tensor, options: SgdOptions = {}): void {
  applyRule(b, gradientsOf(b, loss, options), sgdRule(options), options);
}

/** The update rule of `sgd` alone. */
export function sgdRule(options: SgdOptions = {}): Rule {
  const { momentum = 0, weightDecay = 0 } = options;
  return (b, gradients) => {
    const lr = b.input('lr', []);
    for (const { spec, param, gradient } of gradients) {
      const scale = lrScaleOf(spec, options);
      let direction = gradient;
      if (momentum > 0) {
        direction = moment(b, 'm', spec).mul(momentum).add(gradient);
        b.update(`m:${spec.name}`, direction);
      }
      b.update(spec.name, decayed(spec, param, lr, scale * weightDecay).sub(direction.mul(scaled(lr, scale))));
    }
  };
}

/** Measures, clips and guards gradients, then applies a rule to them. */
export function applyRule(
  b: Builder,
  gradients: readonly Gradient[],
  rule: Rule,
  options: OptimizerOptions = {},
): void {
  const { clipNorm, guard = true } = options;
  if (clipNorm !== undefined && !(clipNorm > 0)) {
    throw new CairnError('bad_clip', `Expected a positive clipNorm, got ${clipNorm}.`);
  }
  b.scope('optimizer', () => {
    let used = gradients;
    if (clipNorm !== undefined || guard) {
      const norm = globalNorm(gradients.map((x) => x.gradient));
      b.output('gradNorm', norm);
      if (guard) {
        const finite = norm.lt(1e30);
        b.output('skipped', finite.not());
        b.commitIf(finite);
      }
      if (clipNorm !== undefined) {
        const shrink = b.constant(clipNorm, [], norm.dtype).div(norm.add(1e-6)).min(1);
        used = gradients.map((x) => ({ ...x, gradient: x.gradient.mul(shrink) }));
      }
    }
    rule(b, used);
  });
}

/** Square root of the sum of all squares. */
export function globalNorm(tensors: readonly Tensor[]): Tensor {
  return tensors
    .map((t) => t.mul(t).sum())
    .reduce((total, x) => total.add(x))
    .sqrt();
}

function moment(b: Builder, prefix: string, spec: ParamSpec): Tensor {
  return b.param(`${prefix}:${spec.name}`, spec.shape, zeros, { dtype: spec.dtype, trainable: false, decay: false });
}

function lrScaleOf(spec: ParamSpec, options: OptimizerOptions): number {
  let scale = 1;
  for (const tag of spec.tags) scale *= options.lrScale?.[tag] ?? 1;
  return scale;
}

function scaled(rate: Tensor, scale: number): Tensor {
  return scale === 1 ? rate : rate.mul(scale);
}

/** `w (1 - lr decay)`, or `w` when the parameter does not decay. */
function decayed(spec: ParamSpec, param: Tensor, lr: Tensor, decay: number): Tensor {
  if (!spec.decay || decay === 0) return param;
  return param.mul(one(lr).sub(lr.mul(decay)));
}

function one(like: Tensor): Tensor {
  return like.builder.constant(1, [], like.dtype);
}

/**
 * Gradient accumulation, first half: adds the gradients of `loss` to the state `g:<name>`. Run it once per micro-batch,
 * then run the program of `applyAccumulated`.
 */
export function accumulateGradients(b: Builder, loss: Tensor, options: Pick<OptimizerOptions, 'only'> = {}): void {
  for (const { spec, gradient } of gradientsOf(b, loss, options)) {
    b.update(`g:${spec.name}`, moment(b, 'g', spec).add(gradient));
  }
}

/**
 * Gradient accumulation, second half: a program that applies `rule` to the accumulated gradients divided by the fed
 * rank-0 `count` (micro-batches of equal size with mean losses) and clears them.
 *
 * @param accumulate the program that holds `accumulateGradients`
 * @example
 * const apply = applyAccumulated(accumulate, adamWRule(), { clipNorm: 1 });
 */
export function applyAccumulated(accumulate: ProgramDef, rule: Rule, options: OptimizerOptions = {}): ProgramDef {
  const { params, dtype } = accumulate.graph;
  const sums = new Set(params.map((p) => p.name).filter((name) => name.startsWith('g:')));
  return defineProgram(
    (b) => {
      const count = b.input('count', []);
      const share = one(count).div(count);
      const gradients = params
        .filter((spec) => sums.has(`g:${spec.name}`))
        .map((spec) => {
          const { decay, trainable, tags } = spec;
          const param = b.param(spec.name, spec.shape, spec.init, { dtype: spec.dtype, decay, trainable, tags });
          return { spec, param, gradient: moment(b, 'g', spec).mul(share) };
        });
      applyRule(b, gradients, rule, options);
      for (const { spec } of gradients) {
        b.update(`g:${spec.name}`, b.constant(0, [], spec.dtype).expand(spec.shape));
      }
    },
    { dtype },
  );
}
