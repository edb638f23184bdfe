// A gateway's state in a file, kept by a thread of its own: the thread that answers requests only sends what is to be written.
// The same file and the same calls as `openSqliteState`, in the order in which they are made.
import { Worker } from 'node:worker_threads';
import { CairnError } from '../../errors.ts';
import { Slots } from '../_slots.ts';
import { inDirectory } from './_database.ts';
import { createSqliteState, type SqliteState } from './_sqlite-state.mjs';
import type { GatewayState } from './state.ts';

interface Waiting {
  readonly resolve: (value: never) => void;
  readonly reject: (error: Error) => void;
}

/**
 * Opens the state in a file. A call that was answered survives the end of the process, also a sudden one.
 * @throws CairnError `state_unavailable`
 */
export function openStateThread(path: string): GatewayState {
  // Opened here once, so that a file that cannot be used is said now and not by the first request.
  inDirectory(path, () => createSqliteState(path)).close();
  const worker = new Worker(new URL('./_state-worker.mjs', import.meta.url), { workerData: { path }, execArgv: [] });
  worker.unref();
  const waiting = new Slots<Waiting>();
  let dead: CairnError | undefined;
  const ended = (cause: unknown): void => {
    const why = cause instanceof Error ? `: ${cause.message}` : '.';
    dead ??= new CairnError(
      'state_unavailable',
      `Expected the thread that keeps the state to go on, got its end${why}`,
      {
        hint: 'Start the gateway again.',
        cause,
      },
    );
    for (const { reject } of waiting.values()) reject(dead);
  };
  worker.on('error', ended);
  worker.on('exit', ended);
  const exited = new Promise((resolve) => worker.once('exit', resolve));
  let closing: Promise<void> | undefined;
  worker.on('message', ({ number, value, fault }: { number: number; value?: unknown; fault?: string }) => {
    const call = waiting.take(number);
    if (waiting.size === 0) worker.unref();
    if (fault === undefined) call?.resolve(value as never);
    else {
      call?.reject(new CairnError('state_unavailable', `Expected the state to take a call, got: ${fault}`));
    }
  });
  const ask = <K extends keyof SqliteState>(
    call: K,
    args: Parameters<SqliteState[K]>,
  ): Promise<ReturnType<SqliteState[K]>> =>
    new Promise((resolve, reject) => {
      if (dead !== undefined) return reject(dead);
      // While a call is under way the process waits for it.
      if (waiting.size === 0) worker.ref();
      const number = waiting.add({ resolve, reject });
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
      worker.postMessage({ number, call, args });
    });
  const close = async (): Promise<void> => {
    if (dead !== undefined) return;
    await ask('close', []);
    // Only the end of the thread lets go of its connection.
    worker.ref();
    await exited;
  };
  return {
    shared: false,
    reserve: (...args) => ask('reserve', args),
    settle: (...args) => ask('settle', args),
    usage: (...args) => ask('usage', args),
    get: (...args) => ask('get', args),
    put: (...args) => ask('put', args),
    drop: (...args) => ask('drop', args),
    list: (...args) => ask('list', args),
    record: (...args) => ask('record', args),
    decision: (...args) => ask('decision', args),
    decisions: (...args) => ask('decisions', args),
    watch: () => () => undefined,
    close: () => (closing ??= close()),
  };
}
