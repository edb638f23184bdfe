// Fits a task's router on an evaluation table: seconds of arithmetic that nobody should wait for.
import { type EvaluationTable, PathRouter, type RouterState } from '../../route/index.ts';
import { Rng } from '../../tensor/index.ts';

export interface RouterTask {
  readonly table: EvaluationTable;
  readonly seed: string;
  readonly encoder: string;
  readonly maxLoss?: number | undefined;
  readonly k?: number | undefined;
  readonly note?: string | undefined;
}

export function run({ table, seed, encoder, maxLoss, k, note }: RouterTask): RouterState {
  return PathRouter.fit(table, {
    rng: new Rng(seed).fork('growth/router'),
    encoder,
    ...(maxLoss === undefined ? {} : { maxLoss }),
    ...(k === undefined ? {} : { k }),
    ...(note === undefined ? {} : { note }),
  }).toState();
}
