// Learning-rate schedules and the scalar feeds of optimisers: host functions of the step, counted from 1.
import { CairnError } from '../errors.ts';

/** Learning rate at a step; the first step is 1. */
export type Schedule = (step: number) => number;

export interface ScheduleOptions {
  /** Highest learning rate. */
  readonly peak: number;
  /** Steps of linear growth from 0 to `peak`; `peak` is reached at this step. Default 0. */
  readonly warmup?: number;
  /** Learning rate at and after the last step. Default 0. */
  readonly floor?: number;
  /** Step at which `floor` is reached. */
  readonly total: number;
}

/** The same rate at every step, after an optional linear warm-up. */
export function constantSchedule(rate: number, warmup = 0): Schedule {
  return (step) => (step < warmup ? (rate * step) / warmup : rate);
}

function decayed({ peak, warmup = 0, floor = 0, total }: ScheduleOptions, shape: (done: number) => number): Schedule {
  if (!(total > warmup) || warmup < 0) {
    throw new CairnError('bad_schedule', `Expected 0 <= warmup < total, got ${warmup} and ${total}.`, {
      hint: 'Raise total or lower warmup.',
    });
  }
  return (step) => {
    if (step < warmup) return (peak * step) / warmup;
    const done = Math.min(1, (step - warmup) / (total - warmup));
    return floor + (peak - floor) * shape(done);
  };
}

/** Warm-up, then a straight line down to `floor`. */
export function linearSchedule(options: ScheduleOptions): Schedule {
  return decayed(options, (done) => 1 - done);
}

/** Warm-up, then half a cosine down to `floor` (Loshchilov and Hutter 2017). */
export function cosineSchedule(options: ScheduleOptions): Schedule {
  return decayed(options, (done) => 0.5 * (1 + Math.cos(Math.PI * done)));
}

/**
 * The feeds that an AdamW program reads at `step` (counted from 1).
 *
 * @example
 * await trainer.run({ x, y, ...adamFeeds(step, 3e-4) });
 */
export function adamFeeds(
  step: number,
  lr: number,
  betas: { readonly beta1?: number; readonly beta2?: number } = {},
): { lr: number; c1: number; c2: number } {
  if (!Number.isInteger(step) || step < 1) {
    throw new CairnError('bad_step', `Expected a step counted from 1, got ${step}.`);
  }
  return { lr, c1: 1 - (betas.beta1 ?? 0.9) ** step, c2: 1 - (betas.beta2 ?? 0.95) ** step };
}
