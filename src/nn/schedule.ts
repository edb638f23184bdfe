// Learning-rate schedules: pure host functions of progress, so that a run can be measured in steps or in seconds.
import { CairnError } from '../errors.ts';

export interface Schedule {
  readonly kind: 'constant' | 'linear' | 'cosine';
  /** Largest rate. */
  readonly peak: number;
  /** Share of the run spent rising linearly from 0 to the peak. */
  readonly warmup: number;
  /** Rate at the end as a share of the peak. */
  readonly final: number;
}

/**
 * The rate at a progress from 0 (start) to 1 (end).
 * @example
 * rateAt({ kind: 'cosine', peak: 0.002, warmup: 0.1, final: 0.05 }, 0.1); // 0.002
 */
export function rateAt(schedule: Schedule, progress: number): number {
  const { kind, peak, warmup, final } = schedule;
  const p = Math.min(1, Math.max(0, progress));
  if (p < warmup) return (peak * p) / warmup;
  const q = warmup < 1 ? (p - warmup) / (1 - warmup) : 1;
  switch (kind) {
    case 'constant':
      return peak;
    case 'linear':
      return peak * (1 - q * (1 - final));
    case 'cosine':
      return peak * (final + (1 - final) * 0.5 * (1 + Math.cos(Math.PI * q)));
    default:
      return kind satisfies never;
  }
}

/** @throws CairnError `bad_schedule` */
export function checkSchedule(schedule: Schedule): void {
  const { peak, warmup, final } = schedule;
  if (!(peak >= 0) || !Number.isFinite(peak))
    throw new CairnError('bad_schedule', `Expected a rate >= 0, got ${peak}.`);
  if (!(warmup >= 0 && warmup <= 1)) throw new CairnError('bad_schedule', `Expected warmup in [0, 1], got ${warmup}.`);
  if (!(final >= 0 && final <= 1)) throw new CairnError('bad_schedule', `Expected final in [0, 1], got ${final}.`);
}
