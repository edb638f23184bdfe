// What a command may use of the outside world: results on stdout, progress on stderr, one abort signal, one data directory.
// Not a logger: nothing here is kept.
import { CairnError } from '../errors.ts';

/** Where memories are kept. */
export interface Place {
  readonly dataDir: string;
  /** `postgres://` URLs of `--store`, else of CAIRN_STORE; undefined: files in the data directory. */
  readonly store?: readonly string[] | undefined;
  readonly replicas?: 1 | 2 | undefined;
}

export interface Io {
  readonly json: boolean;
  readonly quiet: boolean;
  readonly debug: boolean;
  readonly color: boolean;
  /** The repository or package root: lab/, bench/, models/ and studio/ are found below it. */
  readonly root: string;
  /** `--data`, else CAIRN_DATA, else `.cairn` below the working directory. */
  readonly dataDir: string;
  readonly place: Place;
  readonly signal: AbortSignal;
  /** A line of progress for people, on stderr; silent under --quiet. */
  progress(line: string): void;
  /** Replaces the last status line on a terminal; on a pipe at most one line every ten seconds. */
  status(line: string): void;
  /** Text that is the result, on stdout. */
  print(text: string): void;
}

export interface IoOptions {
  readonly json: boolean;
  readonly quiet: boolean;
  readonly debug: boolean;
  readonly root: string;
  readonly dataDir: string;
  readonly store?: readonly string[] | undefined;
  readonly replicas?: 1 | 2 | undefined;
  readonly signal: AbortSignal;
  readonly now: () => number;
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream;
  readonly env: Readonly<Record<string, string | undefined>>;
}

const STATUS_EVERY_MS = 10_000;

/** Binds an `Io` to the process's streams. */
export function createIo(options: IoOptions): Io {
  const { stdout, stderr, env, now } = options;
  const live = Boolean(stderr.isTTY) && env['TERM'] !== 'dumb';
  let open = false;
  let lastStatus = -Infinity;
  const closeStatus = (): void => {
    if (open) stderr.write('\n');
    open = false;
  };
  return {
    json: options.json,
    quiet: options.quiet,
    debug: options.debug,
    color: Boolean(stdout.isTTY) && !env['NO_COLOR'],
    root: options.root,
    dataDir: options.dataDir,
    place: { dataDir: options.dataDir, store: options.store, replicas: options.replicas },
    signal: options.signal,
    progress(line) {
      if (options.quiet) return;
      closeStatus();
      stderr.write(`${line}\n`);
    },
    status(line) {
      if (options.quiet) return;
      if (live) {
        stderr.write(`\r\u001b[2K${line.slice(0, (stderr.columns ?? 100) - 1)}`);
        open = true;
      } else if (now() - lastStatus >= STATUS_EVERY_MS) {
        lastStatus = now();
        stderr.write(`${line}\n`);
      }
    },
    print(text) {
      closeStatus();
      stdout.write(text.endsWith('\n') ? text : `${text}\n`);
    },
  };
}

/** The text of any error for a terminal: message, hint, code; the stack only under --debug. */
export function errorText(error: unknown, debug: boolean): string {
  if (debug && error instanceof Error && error.stack) return error.stack;
  if (CairnError.isInstance(error)) return `${error.message}${error.hint ? ` ${error.hint}` : ''} [${error.code}]`;
  return error instanceof Error ? error.message : String(error);
}
