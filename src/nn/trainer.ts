// The training loop: feeds a compiled step program, follows a schedule in steps or seconds, logs, evaluates, checkpoints,
// stops. It knows no model; the program, the batches and the clock are handed in.
import { join } from 'node:path';
import { CairnError } from '../errors.ts';
import { type Feed, ModelState, type Program } from '../tensor/index.ts';
import {
  loadCheckpoint,
  logMetrics,
  removeCheckpoint,
  type RunPosition,
  saveCheckpoint,
  START,
  trimMetrics,
} from './checkpoint.ts';
import { ReplayGuard, type ReplayOptions } from './replay/index.ts';
import { checkSchedule, rateAt, type Schedule } from './schedule.ts';

/** What a run reports while it goes. */
export interface TrainProgress {
  readonly step: number;
  /** 0 to 1. */
  readonly progress: number;
  /** Loss of the last step, and its running mean. */
  readonly loss: number;
  readonly smoothedLoss: number;
  /** Learning rate. */
  readonly rate: number;
  readonly gradNorm: number;
  readonly seconds: number;
  /** Estimated seconds to the end. */
  readonly secondsLeft: number;
  readonly skipped: number;
  /** Validation value, when this step evaluated. */
  readonly valid?: number;
  /** Auxiliary losses of the step: its outputs `aux.<name>`. */
  readonly aux?: Readonly<Record<string, number>>;
}

export interface TrainOptions {
  /** Step program with outputs `loss`, `gradNorm`, `skipped`, inputs `lr`, `c1`, `c2` and those of `feeds`. */
  readonly program: Program;
  /** The state the program was compiled with. */
  readonly state: ModelState;
  /** What a step is fed: a pure function of the step. */
  readonly feeds: (step: number) => Readonly<Record<string, Feed>>;
  readonly schedule: Schedule;
  readonly beta1: number;
  readonly beta2: number;
  /** The run ends after this many steps, or after this many seconds of training. */
  readonly length: { readonly steps: number } | { readonly seconds: number };
  /** Seconds since any fixed moment. */
  readonly clock: () => number;
  /** Called after every `evaluateEvery` steps; smaller is better. */
  readonly evaluate?: () => Promise<number>;
  readonly evaluateEvery?: number;
  /** Stop after this many evaluations without a new best, and end with the best parameters. */
  readonly patience?: number;
  /** Folder for `checkpoint.safetensors` and `metrics.jsonl`. Absent: nothing is written. */
  readonly dir?: string;
  /** Names the run; a checkpoint of another one is refused. */
  readonly fingerprint?: string;
  /** Continue from the checkpoint in `dir`. */
  readonly resume?: boolean;
  readonly checkpointEvery?: number;
  readonly logEvery?: number;
  readonly onProgress?: (p: TrainProgress) => void;
  /** Names the tensor that is not finite for the feeds of a step, when training ends because of it. */
  readonly diagnose?: (feeds: Readonly<Record<string, Feed>>) => Promise<string | undefined>;
  readonly signal?: AbortSignal;
  /** Replays steps now and then to find silent corruption, and goes back to the last good state when there is some. */
  readonly replay?: ReplayOptions;
}

export interface TrainResult {
  readonly reason: 'done' | 'early-stop' | 'aborted';
  readonly position: RunPosition;
  readonly loss: number;
  readonly best: number | null;
}

const MAX_SKIPS = 10;
/** Steps between the states that training goes back to when it ends with numbers that are not finite. */
const GOOD_EVERY = 50;

/**
 * Runs training steps until the length is reached, validation stops improving or `signal` aborts; an aborted run with a
 * `dir` continues from its checkpoint with `resume`, and in steps that gives the bits of an uninterrupted run.
 * @throws CairnError `diverged` after 10 non-finite steps in a row; with a `dir` its checkpoint is of the last good state.
 */
export async function train(options: TrainOptions): Promise<TrainResult> {
  checkSchedule(options.schedule);
  const { state, clock, dir, fingerprint = '', signal } = options;
  const files =
    dir === undefined
      ? undefined
      : { checkpoint: join(dir, 'checkpoint.safetensors'), metrics: join(dir, 'metrics.jsonl') };
  const best = options.patience === undefined ? undefined : new ModelState();
  let at: RunPosition = START;
  if (files && options.resume) at = await loadCheckpoint(files.checkpoint, state, fingerprint, best);
  if (files) await trimMetrics(files.metrics, at.step - (at.step === 0 ? 1 : 0));
  const began = clock() - at.seconds;
  const progressOf = (step: number): number =>
    'steps' in options.length ? step / options.length.steps : (clock() - began) / options.length.seconds;
  const save = async (): Promise<void> => {
    if (files) await saveCheckpoint(files.checkpoint, state, at, fingerprint, best);
  };
  const guard = options.replay && new ReplayGuard<RunPosition>({ ...options.replay, program: options.program, state });
  let loss = Number.NaN;
  let good = { at, entries: [...state.entries()] };
  let reason: TrainResult['reason'] = 'done';
  while (progressOf(at.step) < 1) {
    if (signal?.aborted) {
      reason = 'aborted';
      break;
    }
    const rate = rateAt(options.schedule, progressOf(at.step + 0.5));
    const { step } = at;
    const feeds = (): Readonly<Record<string, Feed>> => ({
      ...options.feeds(step),
      lr: rate,
      c1: 1 - options.beta1 ** (step + 1),
      c2: 1 - options.beta2 ** (step + 1),
    });
    const guarded = guard ? await guard.step(step, at, feeds) : { outputs: await options.program.run(feeds()) };
    if ('rollback' in guarded) {
      at = guarded.rollback;
      if (files) await trimMetrics(files.metrics, at.step);
      continue;
    }
    const out = guarded.outputs;
    loss = scalar(out, 'loss');
    at = advance(at, loss, scalar(out, 'skipped') !== 0, clock() - began);
    let valid: number | undefined;
    if (options.evaluate && at.step % (options.evaluateEvery ?? Infinity) === 0) {
      valid = await options.evaluate();
      const better = at.best === null || valid < at.best;
      at = { ...at, best: better ? valid : at.best, sinceBest: better ? 0 : at.sinceBest + 1 };
      if (better && best) for (const [name, t] of state.clone().entries()) best.set(name, t);
    }
    const progress = Math.min(1, progressOf(at.step));
    const report: TrainProgress = {
      step: at.step,
      progress,
      loss,
      smoothedLoss: at.smoothedLoss ?? loss,
      rate,
      gradNorm: scalar(out, 'gradNorm'),
      seconds: at.seconds,
      secondsLeft: (at.seconds * (1 - progress)) / Math.max(progress, 1e-9),
      skipped: at.skipped,
      ...(valid === undefined ? {} : { valid }),
      ...auxiliary(out),
    };
    options.onProgress?.(report);
    if (files && (valid !== undefined || at.step % (options.logEvery ?? 10) === 0))
      await logMetrics(files.metrics, { ...report });
    if (at.skippedInRow >= MAX_SKIPS) {
      const where = await options.diagnose?.(options.feeds(step));
      const failed = at;
      for (const [name, t] of good.entries) state.set(name, t);
      at = good.at;
      await save();
      throw diverged(failed, where, files && good.at.step);
    }
    if (at.skippedInRow === 0 && Number.isFinite(loss) && at.step % GOOD_EVERY === 0) {
      good = { at, entries: [...state.entries()] };
    }
    if (at.step % (options.checkpointEvery ?? Infinity) === 0) await save();
    if (options.patience !== undefined && at.sinceBest >= options.patience) {
      reason = 'early-stop';
      break;
    }
  }
  if (reason === 'aborted') await save();
  else {
    if (best) for (const [name, t] of best.entries()) state.set(name, t);
    if (files) await removeCheckpoint(files.checkpoint);
  }
  return { reason, position: at, loss, best: at.best };
}

function advance(at: RunPosition, loss: number, skipped: boolean, seconds: number): RunPosition {
  const keep = 0.98;
  const smoothed = at.smoothedLoss === null ? loss : keep * at.smoothedLoss + (1 - keep) * loss;
  return {
    ...at,
    step: at.step + 1,
    seconds,
    skippedInRow: skipped ? at.skippedInRow + 1 : 0,
    skipped: at.skipped + (skipped ? 1 : 0),
    smoothedLoss: Number.isFinite(loss) ? smoothed : at.smoothedLoss,
  };
}

function scalar(out: Readonly<Record<string, { readonly data: ArrayLike<number> }>>, name: string): number {
  const value = out[name]?.data[0];
  if (value === undefined) {
    throw new CairnError(
      'bad_program',
      `Expected a step program with an output \`${name}\`, got ${Object.keys(out).join(', ')}.`,
    );
  }
  return value;
}

function auxiliary(out: Readonly<Record<string, { readonly data: ArrayLike<number> }>>): Pick<TrainProgress, 'aux'> {
  const names = Object.keys(out).filter((name) => name.startsWith('aux.'));
  if (names.length === 0) return {};
  return { aux: Object.fromEntries(names.map((name) => [name.slice('aux.'.length), scalar(out, name)])) };
}

function diverged(at: RunPosition, where: string | undefined, kept: number | undefined): CairnError {
  const first = at.step - MAX_SKIPS + 1;
  const place = where === undefined ? '' : `, the first in \`${where}\``;
  const checkpoint = kept === undefined ? '' : ` The checkpoint is of step ${kept}, the last good one that was kept.`;
  return new CairnError(
    'diverged',
    `Expected finite gradients, got ${MAX_SKIPS} non-finite steps in a row from step ${first} to step ${at.step}${place}.${checkpoint}`,
    {
      hint: 'Lower the learning rate or clip more tightly.',
      details: { step: first, ...(where === undefined ? {} : { tensor: where }) },
    },
  );
}
