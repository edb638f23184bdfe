// Stages on worker threads that work at the same time, in rounds: the main thread opens a round, every worker runs its
// stage on shared memory, the last one to finish closes it. One barrier a round, no messages; who has work of its own in the
// meantime begins a round and meets the others afterwards. Not a thread pool: a worker keeps its stage and what it carries.
import { Worker } from 'node:worker_threads';
import { CairnError } from '../../errors.ts';
import { DONE, FAILED, LENGTH, PENDING, POSITION, PROGRAM, START } from './control.mjs';
import type { StageSpec } from './stage.mjs';

/** One piece of work: program `program` of each of the `workers`, for `length` positions from `position` on. */
export interface Round {
  readonly program: number;
  readonly position: number;
  readonly length: number;
  /** Indices of those that take part; default: all. */
  readonly workers?: readonly number[];
}

/** Workers in lockstep. Dispose of it: until then its threads keep the process alive. */
export interface Lockstep extends AsyncDisposable {
  /**
   * Runs a round to its end.
   * @throws CairnError `worker_died` when a thread is gone (also in every later round), `run_failed` when a program failed.
   */
  round(work: Round): Promise<void>;
  /**
   * Begins a round and returns what ends it, as `round` does. It first looks for a moment without sleeping: a thread that was
   * at work itself finds the others done, or nearly.
   */
  begin(work: Round): () => Promise<void>;
  /** Ends all threads. */
  dispose(): Promise<void>;
  /** Threads that are alive. */
  readonly alive: number;
}

const MAX_WORKERS = 64;
/** Longer than stages differ, shorter than anybody notices. */
const SPIN_MS = 0.5;

/**
 * Starts one worker a stage.
 * @param memory the block all of them read and write
 * @throws CairnError `worker_died` when one does not start
 */
export async function createLockstep(stages: readonly StageSpec[], memory: SharedArrayBuffer): Promise<Lockstep> {
  if (stages.length < 1 || stages.length > MAX_WORKERS) {
    throw new CairnError('bad_workers', `Expected 1 to ${MAX_WORKERS} stages, got ${stages.length}.`);
  }
  const control = new Int32Array(new SharedArrayBuffer(4 * (START + stages.length)));
  const errors = new SharedArrayBuffer(1024);
  let dead: CairnError | undefined;
  let ending = false;
  let rounds = 0;
  let alive = stages.length;
  const died = (index: number, how: string, cause?: unknown): void => {
    if (ending) return;
    dead ??= new CairnError('worker_died', `Expected worker ${index} of ${stages.length} to go on, got ${how}.`, {
      hint: 'Decode without workers, or start them again.',
      cause,
    });
    Atomics.store(control, DONE, -1);
    Atomics.notify(control, DONE);
  };
  const workers = stages.map((spec, index) => {
    const worker = new Worker(new URL('./stage-worker.mjs', import.meta.url), {
      workerData: { index, spec, memory, errors, control: control.buffer },
      execArgv: [],
    });
    worker.on('error', (cause) =>
      died(index, `an error: ${cause instanceof Error ? cause.message : String(cause)}`, cause),
    );
    worker.on('exit', (code) => {
      alive--;
      died(index, `an exit with code ${code}`);
    });
    return worker;
  });
  /** Opens a round and returns its number. */
  const open = ({ program, position, length, workers: chosen }: Round): number => {
    if (dead) throw dead;
    if (ending) throw new CairnError('worker_died', 'Expected live workers, got ones that were disposed.');
    const taking = chosen ?? stages.map((_, i) => i);
    const number = ++rounds;
    Atomics.store(control, PROGRAM, program);
    Atomics.store(control, POSITION, position);
    Atomics.store(control, LENGTH, length);
    Atomics.store(control, PENDING, taking.length);
    for (const i of taking) {
      Atomics.store(control, START + i, number);
      Atomics.notify(control, START + i);
    }
    return number;
  };
  const pending = (number: number): boolean => {
    const seen = Atomics.load(control, DONE);
    return seen !== number && seen >= 0;
  };
  const finish = async (number: number): Promise<void> => {
    for (let seen = Atomics.load(control, DONE); seen !== number && seen >= 0; seen = Atomics.load(control, DONE)) {
      const change = Atomics.waitAsync(control, DONE, seen);
      if (change.async) await change.value;
    }
    if (dead) throw dead;
    const failed = Atomics.exchange(control, FAILED, 0);
    if (failed > 0) {
      const text = new TextDecoder().decode(new Uint8Array(errors).slice()).replaceAll('\0', '');
      throw new CairnError('run_failed', `Expected the program of worker ${failed - 1} to run, got: ${text}`);
    }
  };
  const self: Lockstep = {
    get alive() {
      return alive;
    },
    round: async (work) => finish(open(work)),
    begin(work) {
      const number = open(work);
      return () => {
        for (const end = performance.now() + SPIN_MS; pending(number) && performance.now() < end;);
        return finish(number);
      };
    },
    async dispose() {
      if (ending) return;
      ending = true;
      workers.forEach((_, i) => {
        Atomics.store(control, START + i, -1);
        Atomics.notify(control, START + i);
      });
      await Promise.all(workers.map((w) => ended(w)));
    },
    [Symbol.asyncDispose]: () => self.dispose(),
  };
  try {
    await Promise.all(workers.map((w) => ready(w)));
  } catch (error) {
    const first = dead;
    await self.dispose();
    throw first ?? error;
  }
  return self;
}

async function ready(worker: Worker): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    worker.once('message', () => resolve());
    worker.once('error', reject);
    worker.once('exit', () => reject(new CairnError('worker_died', 'Expected a worker to start, got an exit.')));
  });
}

const PATIENCE_MS = 2000;

async function ended(worker: Worker): Promise<void> {
  if (worker.threadId < 0) return;
  const timer = setTimeout(() => void worker.terminate(), PATIENCE_MS);
  await new Promise<void>((resolve) => {
    worker.once('exit', () => resolve());
  });
  clearTimeout(timer);
}
