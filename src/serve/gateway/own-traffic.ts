// What other prices of error would have cost on one's own traffic: every kept decision holds the expected error and cost of all
// models that could have answered, so each lambda can be played again without a call. An estimate by the router's own numbers
// (the direct method), with bands from resampling the decisions; below fifty decisions there is only the reason why not.
import { Rng } from '../../tensor/index.ts';
import type { DecisionRecord } from './explain.ts';

/** Fewer decisions than this say nothing. */
export const LEAST_DECISIONS = 50;
const RESAMPLES = 200;

export interface OwnPoint {
  readonly lambda: number;
  /** Mean US dollars a request, and the mean expected error, each with a 90 % band. */
  readonly cost: number;
  readonly costBand: readonly [number, number];
  readonly error: number;
  readonly errorBand: readonly [number, number];
}

export type OwnCurve =
  | { readonly ready: false; readonly reason: string; readonly decisions: number }
  | {
      readonly ready: true;
      readonly decisions: number;
      readonly points: readonly OwnPoint[];
      /** What was really chosen, by the same numbers. */
      readonly actual: { readonly cost: number; readonly error: number };
      /** Each model for everything it could have answered. */
      readonly single: readonly { readonly model: string; readonly cost: number; readonly error: number }[];
    };

export function ownCurve(records: readonly DecisionRecord[]): OwnCurve {
  const usable = records.filter(
    (r) => r.by === 'uniroute' && r.status === 200 && r.arms.every((a) => a.expectedError !== undefined),
  );
  if (usable.length < LEAST_DECISIONS) {
    return {
      ready: false,
      decisions: usable.length,
      reason: `Expected at least ${LEAST_DECISIONS} routed requests to say anything, got ${usable.length}.`,
    };
  }
  const scale = Math.max(...usable.map((r) => Math.max(...r.arms.map((a) => a.expectedCost)))) || 1;
  const lambdas = [0, ...Array.from({ length: 41 }, (_, i) => 10 ** (-3 + i / 10))];
  const rng = new Rng('own-traffic');
  const samples = Array.from({ length: RESAMPLES }, () =>
    Uint32Array.from(usable, () => Math.floor(rng.uniform() * usable.length)),
  );
  const points = lambdas.map((lambda) => {
    const chosen = usable.map((r) =>
      r.arms.reduce((a, b) => (scoreOf(b, lambda, scale) < scoreOf(a, lambda, scale) ? b : a)),
    );
    const cost = chosen.map((a) => a.expectedCost);
    const error = chosen.map((a) => a.expectedError!);
    return {
      lambda,
      cost: mean(cost),
      costBand: band(cost, samples),
      error: mean(error),
      errorBand: band(error, samples),
    };
  });
  const actual = usable.map((r) => r.arms.find((a) => a.id === r.model) ?? r.arms[0]!);
  const models = [...new Set(usable.flatMap((r) => r.arms.map((a) => a.id)))];
  return {
    ready: true,
    decisions: usable.length,
    points,
    actual: { cost: mean(actual.map((a) => a.expectedCost)), error: mean(actual.map((a) => a.expectedError!)) },
    single: models.map((model) => {
      const own = usable.flatMap((r) => r.arms.filter((a) => a.id === model));
      return { model, cost: mean(own.map((a) => a.expectedCost)), error: mean(own.map((a) => a.expectedError!)) };
    }),
  };
}

function scoreOf(
  arm: { readonly expectedError?: number; readonly expectedCost: number },
  lambda: number,
  scale: number,
): number {
  return arm.expectedError! + (lambda * arm.expectedCost) / scale;
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, v) => sum + v, 0) / Math.max(1, values.length);
}

function band(values: readonly number[], samples: readonly Uint32Array[]): [number, number] {
  const means = samples.map((rows) => rows.reduce((sum, i) => sum + values[i]!, 0) / rows.length).sort((a, b) => a - b);
  return [means[Math.floor(0.05 * means.length)]!, means[Math.floor(0.95 * means.length)]!];
}
