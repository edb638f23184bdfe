// Long computations in a process of their own, at low priority: the caller's loop stays free, and an abort ends them at once.
// A job is a module whose `run` takes and returns plain data.
import { fork } from 'node:child_process';
import { constants, setPriority } from 'node:os';
import { fileURLToPath } from 'node:url';
import { CairnError } from '../../errors.ts';

/** What a job module exports as `run`. */
export type Job<I, O> = (input: I, report: (says: string) => void) => Promise<O> | O;

/** From the parent. */
export interface JobRequest {
  readonly module: string;
  readonly input: unknown;
}

/** To the parent. */
export type JobMessage =
  | { readonly kind: 'progress'; readonly says: string }
  | { readonly kind: 'done'; readonly output: unknown }
  | { readonly kind: 'failed'; readonly code: string; readonly message: string; readonly hint?: string };

export interface JobOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((says: string) => void) | undefined;
}

/**
 * Runs `run` of a module in a child process.
 * @param module URL of the module; the same directory is used from source and from a build
 * @throws CairnError `aborted`, `job_failed`, and those that the job throws
 */
export async function runJob<I, O>(module: URL, input: I, options: JobOptions = {}): Promise<O> {
  const { signal, onProgress } = options;
  if (signal?.aborted === true) throw aborted(signal);
  const child = fork(fileURLToPath(beside('./_job-child.ts', import.meta.url)), {
    serialization: 'advanced',
    execArgv: loaderArguments(),
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  const stop = (): void => void child.kill('SIGKILL');
  signal?.addEventListener('abort', stop, { once: true });
  try {
    return await new Promise<O>((resolve, reject) => {
      child.on('spawn', () => {
        // Not every system lets a process be slowed; then it runs as any other.
        try {
          setPriority(child.pid!, constants.priority.PRIORITY_BELOW_NORMAL);
        } catch {
          onProgress?.('the work runs at normal priority');
        }
        child.send({ module: module.href, input } satisfies JobRequest);
      });
      child.on('message', (message: JobMessage) => {
        if (message.kind === 'progress') onProgress?.(message.says);
        else if (message.kind === 'done') resolve(message.output as O);
        else {
          const { code, message: text, hint } = message;
          reject(new CairnError(code, text, hint === undefined ? {} : { hint }));
        }
      });
      // A process that was ended before it took its work is an error of the channel first.
      const end = (how: string, cause?: unknown): void =>
        reject(signal?.aborted === true ? aborted(signal) : failed(how, cause));
      child.on('error', (cause) => end('it did not start', cause));
      child.on('exit', (code, how) => end(`it ended with ${how ?? `code ${code}`}`));
    });
  } finally {
    signal?.removeEventListener('abort', stop);
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
  }
}

/** A module beside another, in source or built. */
export function beside(file: string, base: string): URL {
  return new URL(base.endsWith('.ts') ? file : file.replace(/\.ts$/, '.js'), base);
}

/** From source a child needs the loader that this process was started with, or the one that is installed. */
function loaderArguments(): string[] {
  if (!import.meta.url.endsWith('.ts')) return [];
  const at = process.execArgv.findIndex(
    (a, i) => a === '--import' && process.execArgv[i + 1]?.includes('tsx') === true,
  );
  return ['--import', at < 0 ? 'tsx' : process.execArgv[at + 1]!];
}

function failed(how: string, cause?: unknown): CairnError {
  return new CairnError('job_failed', `Expected a computation in the background to finish, got: ${how}.`, {
    hint: 'Grow again; if it happens again, see the output of the process.',
    ...(cause === undefined ? {} : { cause }),
  });
}

function aborted(signal: AbortSignal): CairnError {
  return new CairnError('aborted', 'Expected to finish, got an abort signal.', { cause: signal.reason });
}
