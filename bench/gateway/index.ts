// `cairn bench gateway`: what a gateway adds to a call, beside Portkey's open gateway, in front of the same mock upstream with
// the same clients, in interleaved rounds: direct, ours by name, ours routed over 30 models, the peer.
import { type ChildProcess, spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { availableParallelism, cpus } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { BenchOptions, BenchReport, BenchRow } from '../report.ts';
import { isLoaded, median } from '../rounds.ts';
import { load, type LoadResult, quantile, type Target } from './load.ts';

const here = dirname(fileURLToPath(import.meta.url));
const node = ['--import', 'tsx', '--conditions=cairn-source'];

/** About four minutes; `quick` about ten seconds with one round. */
export async function run(options: BenchOptions): Promise<BenchReport> {
  const { quick = false, log, signal } = options;
  const rounds = quick ? 1 : 7;
  const seconds = quick ? 1 : 3;
  const children: ChildProcess[] = [];
  const start = async <T>(script: string, args: readonly string[]): Promise<Served<T>> => {
    const served = await serve<T>(process.execPath, [...node, join(here, script), ...args]);
    children.push(served.child);
    return served;
  };
  try {
    const upstream = await start<{ url: string }>('upstream.ts', ['20', '12']);
    const fast = await start<{ url: string }>('upstream.ts', ['0', '100']);
    const slowOurs = await start<{ url: string; prompts: string[] }>('ours.ts', [upstream.info.url]);
    const fastOurs = await start<{ url: string; prompts: string[] }>('ours.ts', [fast.info.url]);
    const peer = await startPortkey(children, log);
    const { prompts } = slowOurs.info;
    const targets = (from: string, ours: string): Record<string, Target> => ({
      direct: { url: from, model: 'model-0' },
      named: { url: ours, model: 'model-a' },
      routed: { url: ours, model: 'cairn/auto' },
      ...(peer === undefined
        ? {}
        : {
            peer: {
              url: peer,
              model: 'model-0',
              headers: {
                'x-portkey-provider': 'openai',
                'x-portkey-custom-host': from,
                authorization: 'Bearer unused',
              },
            },
          }),
    });
    const slow = targets(upstream.info.url, slowOurs.info.url);
    const quickly = targets(fast.info.url, fastOurs.info.url);
    const rows: BenchRow[] = [];
    const measure = async (
      set: Record<string, Target>,
      clients: number,
      stream: boolean,
    ): Promise<Record<string, LoadResult[]>> => {
      const results: Record<string, LoadResult[]> = {};
      for (const target of Object.values(set))
        await load(target, { clients, seconds: quick ? 0.3 : 1, stream, prompts });
      for (let round = 0; round < rounds; round++) {
        for (const [name, target] of Object.entries(set)) {
          signal.throwIfAborted();
          (results[name] ??= []).push(await load(target, { clients, seconds, stream, prompts }));
        }
      }
      const line = Object.entries(results).map(
        ([name, all]) =>
          `${name} p50 ${mid(all, 0.5).toFixed(2)} p99 ${mid(all, 0.99).toFixed(2)} ms, ${Math.round(rate(all))}/s`,
      );
      log(`c=${clients}${stream ? ', stream' : ''}: ${line.join(' | ')}`);
      return results;
    };
    for (const clients of quick ? [16] : [1, 16, 64]) {
      const results = await measure(slow, clients, false);
      for (const which of ['named', 'routed']) {
        for (const q of [0.5, 0.99])
          rows.push(addedRow(`c=${clients}, 20 ms upstream, ${which}: added p${q * 100}`, results, which, q));
      }
    }
    const first = await measure(slow, 16, true);
    rows.push(addedRow('c=16, 20 ms upstream, stream, routed: added to the first content p50', first, 'routed', 0.5));
    const most = await measure(quickly, 64, false);
    rows.push(rateRow('c=64, no delay, routed: requests a second', most, 'routed'));
    const memory = await steady(fastOurs, quickly['routed']!, prompts, quick ? 500 : 100_000, log);
    rows.push({
      case: 'resident memory after all streams / after a tenth',
      ours: memory.last / memory.first,
      peer: null,
      peerName: 'none',
      ratio: null,
      unit: 'ratio',
      note: `${memory.first.toFixed(0)} -> ${memory.last.toFixed(0)} MiB, ${memory.streams} streams, ${memory.failed} failed`,
    });
    return {
      name: 'gateway',
      protocol: {
        what: 'added latency and rate of a gateway in front of a mock upstream on loopback; the router chooses among 30 models',
        how: 'closed loop of kept-alive clients; rounds direct, named, routed, peer in turn; median over rounds of the quantile, minus direct',
        ratio: 'for latency: added by the peer / added by ours; for rates: ours / the peer',
        rounds,
        seconds,
        loaded: isLoaded(),
        cpu: cpus()[0]?.model ?? 'unknown',
        cores: availableParallelism(),
        node: process.version,
        command: 'cairn bench gateway',
      },
      rows,
    };
  } finally {
    for (const child of children) child.kill('SIGKILL');
  }
}

/** Median over rounds of a quantile. */
function mid(results: readonly LoadResult[], q: number): number {
  return median(results.map((r) => quantile(r.times, q))) ?? Number.NaN;
}

function rate(results: readonly LoadResult[]): number {
  return median(results.map((r) => r.perSecond)) ?? Number.NaN;
}

function addedRow(
  name: string,
  results: Readonly<Record<string, readonly LoadResult[]>>,
  which: string,
  q: number,
): BenchRow {
  const base = mid(results['direct']!, q);
  const ours = mid(results[which]!, q) - base;
  const peer = results['peer'] === undefined ? null : mid(results['peer'], q) - base;
  const failed = results[which]!.reduce((sum, r) => sum + r.failed, 0);
  return {
    case: name,
    ours,
    peer,
    peerName: 'Portkey gateway',
    ratio: peer === null ? null : peer / ours,
    unit: 'ms',
    ...(failed > 0 ? { note: `${failed} failed` } : peer === null ? { note: 'not installed' } : {}),
  };
}

function rateRow(name: string, results: Readonly<Record<string, readonly LoadResult[]>>, which: string): BenchRow {
  const ours = rate(results[which]!);
  const peer = results['peer'] === undefined ? null : rate(results['peer']);
  return {
    case: name,
    ours,
    peer,
    peerName: 'Portkey gateway',
    ratio: peer === null ? null : ours / peer,
    unit: '1/s',
  };
}

async function steady(
  ours: Served<unknown>,
  target: Target,
  prompts: readonly string[],
  streams: number,
  log: (line: string) => void,
): Promise<{ first: number; last: number; streams: number; failed: number }> {
  const options = { clients: 16, seconds: 600, stream: true, prompts };
  const tenth = await load(target, { ...options, most: Math.ceil(streams / 10) });
  const first = ((await ours.ask()) as { rssMiB: number }).rssMiB;
  const rest = await load(target, { ...options, most: streams - Math.ceil(streams / 10) });
  const last = ((await ours.ask()) as { rssMiB: number }).rssMiB;
  const done = tenth.requests + rest.requests;
  log(
    `${done} streams: ${first.toFixed(0)} MiB after a tenth, ${last.toFixed(0)} MiB at the end, ${Math.round(rest.perSecond)}/s`,
  );
  return { first, last, streams: done, failed: tenth.failed + rest.failed };
}

interface Served<T> {
  readonly child: ChildProcess;
  readonly info: T;
  /** Its memory and processor time now. */
  ask(): Promise<unknown>;
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

/** Portkey's gateway on a free port; undefined when it is not installed. */
async function startPortkey(children: ChildProcess[], log: (line: string) => void): Promise<string | undefined> {
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
  const child = spawn(process.execPath, [script, `--port=${port}`, '--headless'], {
    stdio: 'ignore',
    env: { ...process.env, NODE_ENV: 'production' },
  });
  children.push(child);
  for (let i = 0; i < 100; i++) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    const up = await fetch(`http://127.0.0.1:${port}/`).then(
      () => true,
      () => false,
    );
    if (up) return `http://127.0.0.1:${port}/v1`;
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
