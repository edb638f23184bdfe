// The processes of the benchmark: each prints what it is as one line of JSON when it is ready, and its memory when it is asked.
import { type ChildProcess, spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { serverFlags } from '../../scripts/server-flags.mjs';

const here = dirname(fileURLToPath(import.meta.url));
/** The young generation is as large as that of a server that `cairn serve` starts. */
const node = [...serverFlags, '--import', 'tsx', '--conditions=cairn-source'];

/** Starts a script of this folder; `children` gets the process. */
export async function start<T>(children: ChildProcess[], script: string, args: readonly string[]): Promise<Served<T>> {
  const served = await serve<T>(process.execPath, [...node, join(here, script), ...args]);
  children.push(served.child);
  return served;
}

export interface Served<T> {
  readonly child: ChildProcess;
  readonly info: T;
  /** Its memory and processor time now. */
  ask(): Promise<unknown>;
}

/** A gateway that is compared with. */
export interface Peer {
  readonly url: string;
  readonly pid: number | undefined;
}

async function serve<T>(command: string, args: readonly string[]): Promise<Served<T>> {
  const child = spawn(command, [...args], { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
  const next = async (): Promise<unknown> => {
    const { value, done } = await lines.next();
    if (done === true) throw new Error(`${args.at(-1) ?? command} ended before it was ready`);
    return JSON.parse(value as string) as unknown;
  };
  const info = (await next()) as T;
  return {
    child,
    info,
    ask: async () => {
      child.stdin!.write('\n');
      return next();
    },
  };
}

/**
 * Portkey's gateway on a free port; undefined when it is not installed. With the newest @hono/node-server that its version range
 * allows, it appends to immutable headers and answers every stream with 500: a preload makes fetched headers appendable.
 */
export async function startPortkey(children: ChildProcess[], log: (line: string) => void): Promise<Peer | undefined> {
  let script: string;
  try {
    script = join(
      dirname(createRequire(import.meta.url).resolve('@portkey-ai/gateway/package.json')),
      'build',
      'start-server.js',
    );
  } catch {
    log('Portkey gateway: skipped, not installed');
    return undefined;
  }
  const port = await freePort();
  const child = spawn(
    process.execPath,
    ['--import', join(here, 'mutable-headers.mjs'), script, `--port=${port}`, '--headless'],
    {
      stdio: 'ignore',
      env: { ...process.env, NODE_ENV: 'production' },
    },
  );
  children.push(child);
  for (let i = 0; i < 100; i++) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    const up = await fetch(`http://127.0.0.1:${port}/`).then(
      () => true,
      () => false,
    );
    if (up) return { url: `http://127.0.0.1:${port}/v1`, pid: child.pid };
  }
  log('Portkey gateway: skipped, it did not start within 10 s');
  return undefined;
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer();
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}

/** Ends the processes: they may put away what they wrote, but not for long. */
export async function endAll(children: readonly ChildProcess[]): Promise<void> {
  await Promise.all(
    children.map(async (child) => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const ended = new Promise<void>((resolve) => {
        child.once('exit', () => resolve());
      });
      const timer = setTimeout(() => child.kill('SIGKILL'), 1_000);
      // Our scripts end with their input; the peer by the signal.
      if (child.stdin === null) child.kill('SIGTERM');
      else child.stdin.end();
      await ended;
      clearTimeout(timer);
    }),
  );
}
