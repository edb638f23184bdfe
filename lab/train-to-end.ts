// One run of training as experiments need it: a fixed number of steps along a cosine, nothing written, to the end or an error.
import { compileTrainStep, type OptimizerSettings, train, type TrainOptions, type TrainProgress } from 'cairn/nn';
import type { Executor, ProgramDef } from 'cairn/tensor';

export interface Training extends Pick<TrainOptions, 'feeds' | 'state'> {
  readonly step: ProgramDef;
  readonly executor: Executor;
  readonly settings: OptimizerSettings;
  readonly steps: number;
  /** Highest learning rate; the shares of the run in which it rises, and of it that is left at the end. */
  readonly peak: number;
  readonly warmup: number;
  readonly final: number;
  readonly signal: AbortSignal;
  readonly onProgress?: (p: TrainProgress) => void;
  /** Asked after every step; true: it has learned enough, and the run ends here. */
  readonly enough?: (p: TrainProgress) => boolean;
}

/** Trains `state` in place. @throws the reason of `signal`, and what `train` throws */
export async function trainToEnd(options: Training): Promise<void> {
  const { step, executor, state, feeds, settings, steps, peak, warmup, final, signal, onProgress, enough } = options;
  await using program = await compileTrainStep(executor, step, state, settings);
  const learned = new AbortController();
  await train({
    program,
    state,
    feeds,
    schedule: { kind: 'cosine', peak, warmup, final },
    beta1: settings.beta1,
    beta2: settings.beta2,
    length: { steps },
    clock: () => performance.now() / 1000,
    onProgress: (p) => {
      onProgress?.(p);
      if (enough?.(p) === true) learned.abort();
    },
    signal: AbortSignal.any([signal, learned.signal]),
  });
  signal.throwIfAborted();
}
