// Optimisers as graphs: they take gradients and register updates of parameters and moments. Global-norm clipping and the
// guard against non-finite gradients are shared by all of them.
import { CairnError } from '../errors.ts';
import { type Builder, defineProgram } from './builder.ts';
import { grad } from './grad.ts';
import type { ParamSpec, ProgramDef } from './graph.ts';
import { zeros } from './init.ts';
import { concat, split } from './ops/index.ts';
import { gradientsWithRows } from './row-optim.ts';
import { type Shape, sizeOf } from './shape.ts';
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
  /** Leaves tables with the tag `rows` to `createRowOptimizer`. Default false: they are trained as wholes. */
  readonly sparseRows?: boolean;
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

/**
 * What an optimiser works on: one large parameter, or many small ones that are treated alike, joined to one vector. The
 * state always has one entry per parameter and moment.
 */
export interface Slot {
  readonly specs: readonly ParamSpec[];
  readonly param: Tensor;
  readonly gradient: Tensor;
  /** Weight decay applies. */
  readonly decay: boolean;
  /** Factor of the learning rate. */
  readonly lrScale: number;
  /** State `<prefix>:<name>` of the parameters, zero at first. */
  moment(prefix: string): Tensor;
  /** New values of the parameters, or with a prefix of a moment. */
  update(next: Tensor, prefix?: string): void;
}

/** What an optimiser does with gradients that are clipped and guarded. */
export type Rule = (b: Builder, slots: readonly Slot[]) => void;

/** Gradients of `loss` with respect to the trainable parameters of the program. */
export function gradientsOf(
  b: Builder,
  loss: Tensor,
  options: Pick<OptimizerOptions, 'only' | 'sparseRows'> = {},
): Gradient[] {
  const trained = b.trainable().filter(({ spec }) => options.only?.(spec) ?? true);
  if (trained.length === 0) {
    throw new CairnError('nothing_to_train', 'Expected trainable parameters, got none.', {
      hint: 'Declare them with b.param before the optimiser.',
    });
  }
  if (options.sparseRows === true) return gradientsWithRows(b, loss, options.only);
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
  return (b, slots) => {
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
    for (const slot of slots) {
      const g = slot.gradient;
      const m = slot.moment('m').mul(beta1).add(g);
      const v = slot.moment('v').mul(beta2).add(g.mul(g));
      const step = m.div(v.sqrt().add(floor)).mul(scaled(rate, slot.lrScale));
      slot.update(decayed(slot, lr, weightDecay).sub(step));
      slot.update(m, 'm');
      slot.update(v, 'v');
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
  return (b, slots) => {
    const lr = b.input('lr', []);
    for (const slot of slots) {
      let direction = slot.gradient;
      if (momentum > 0) {
        direction = slot.moment('m').mul(momentum).add(direction);
        slot.update(direction, 'm');
      }
      slot.update(decayed(slot, lr, weightDecay).sub(direction.mul(scaled(lr, slot.lrScale))));
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
    let slots = toSlots(b, gradients, options);
    if (clipNorm !== undefined || guard) {
      const norm = globalNorm(slots.map((slot) => slot.gradient));
      b.output('gradNorm', norm);
      if (guard) {
        const finite = norm.lt(1e30);
        b.output('skipped', finite.not());
        b.commitIf(finite);
      }
      if (clipNorm !== undefined) {
        const shrink = b.constant(clipNorm, [], norm.dtype).div(norm.add(1e-6)).min(1);
        slots = slots.map((slot) => ({ ...slot, gradient: slot.gradient.mul(shrink) }));
      }
    }
    rule(b, slots);
  });
}

/** Square root of the sum of all squares. */
export function globalNorm(tensors: readonly Tensor[]): Tensor {
  return tensors
    .map((t) => t.mul(t).sum())
    .reduce((total, x) => total.add(x))
    .sqrt();
}

/** Parameters up to this size are joined: a dozen nodes on one vector instead of a dozen per parameter. */
const SMALL = 4096;

function toSlots(b: Builder, gradients: readonly Gradient[], options: OptimizerOptions): Slot[] {
  const groups = new Map<string, Gradient[]>();
  for (const x of gradients) {
    const small = sizeOf(x.spec.shape) <= SMALL;
    const key = small ? `${x.spec.decay} ${lrScaleOf(x.spec, options)} ${x.spec.dtype}` : `=${x.spec.name}`;
    groups.set(key, [...(groups.get(key) ?? []), x]);
  }
  return [...groups.values()].map((group) => slotOf(b, group, options));
}

function slotOf(b: Builder, group: readonly Gradient[], options: OptimizerOptions): Slot {
  const runs = alike(group);
  const specs = runs.flat().map((x) => x.spec);
  const { join, part } = joining(runs.map((run) => run.map((x) => x.spec.shape)));
  return {
    specs,
    param: join(runs.map((run) => run.map((x) => x.param))),
    gradient: join(runs.map((run) => run.map((x) => x.gradient))),
    decay: specs[0]!.decay,
    lrScale: lrScaleOf(specs[0]!, options),
    moment: (prefix) => join(runs.map((run) => run.map((x) => momentOf(b, prefix, x.spec)))),
    update: (next, prefix) => {
      for (const [i, t] of part(next).entries()) b.update(stateName(specs[i]!, prefix), t);
    },
  };
}

/** Parameters that differ in their first axis at most lie together. */
function alike(group: readonly Gradient[]): Gradient[][] {
  const runs = new Map<string, Gradient[]>();
  for (const x of group) {
    const key = x.spec.shape.slice(1).join();
    runs.set(key, [...(runs.get(key) ?? []), x]);
  }
  return [...runs.values()];
}

/** Joins tensors of given shapes to one, and parts it again. Runs are joined along their first axis: that reshapes least. */
function joining(runs: readonly (readonly Shape[])[]): {
  join: (tensors: readonly (readonly Tensor[])[]) => Tensor;
  part: (joined: Tensor) => Tensor[];
} {
  const single = runs.length === 1 && runs[0]!.length === 1;
  const length = (shape: Shape): number => shape[0] ?? 1;
  const stacked = runs.map((run) => [run.reduce((n, shape) => n + length(shape), 0), ...run[0]!.slice(1)]);
  const atLeastVector = (t: Tensor): Tensor => (t.rank === 0 ? t.reshape([1]) : t);
  return {
    join(tensors) {
      if (single) return tensors[0]![0]!;
      const whole = tensors.map((run) => concat(run.map(atLeastVector)));
      return whole.length === 1 ? whole[0]! : concat(whole.map((t) => t.reshape([-1])));
    },
    part(joined) {
      if (single) return [joined];
      const whole = runs.length === 1 ? [joined] : split(joined, stacked.map(sizeOf), 0);
      return whole.flatMap((t, i) =>
        split(t.reshape(stacked[i]!), runs[i]!.map(length), 0).map((x, k) => x.reshape(runs[i]![k]!)),
      );
    },
  };
}

function stateName(spec: ParamSpec, prefix: string | undefined): string {
  return prefix === undefined ? spec.name : `${prefix}:${spec.name}`;
}

function momentOf(b: Builder, prefix: string, spec: ParamSpec): Tensor {
  const options = { dtype: spec.dtype, trainable: false, decay: false };
  return b.param(stateName(spec, prefix), spec.shape, zeros, options);
}

function lrScaleOf(spec: ParamSpec, options: OptimizerOptions): number {
  let scale = 1;
  for (const tag of spec.tags) scale *= options.lrScale?.[tag] ?? 1;
  return scale;
}

function scaled(rate: Tensor, scale: number): Tensor {
  return scale === 1 ? rate : rate.mul(scale);
}

/** `w (1 - lr decay)`, or `w` when the slot does not decay. */
function decayed(slot: Slot, lr: Tensor, decay: number): Tensor {
  if (!slot.decay || decay === 0) return slot.param;
  return slot.param.mul(one(lr).sub(lr.mul(decay * slot.lrScale)));
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
    b.update(stateName(spec, 'g'), momentOf(b, 'g', spec).add(gradient));
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
          return { spec, param, gradient: momentOf(b, 'g', spec).mul(share) };
        });
      applyRule(b, gradients, rule, options);
      for (const { spec } of gradients) {
        b.update(stateName(spec, 'g'), b.constant(0, [], spec.dtype).expand(spec.shape));
      }
    },
    { dtype },
  );
}
