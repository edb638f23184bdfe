// `cairn bench gateway`: what a gateway adds to a call, beside Portkey's open gateway, in front of the same mock upstream with
// the same clients, in interleaved rounds: direct, ours by name, ours routed over 30 models, the peer.
import type { ChildProcess } from 'node:child_process';
import { availableParallelism, cpus } from 'node:os';
import type { BenchOptions, BenchReport, BenchRow } from '../report.ts';
import { isLoaded, median } from '../rounds.ts';
import { load, type LoadResult, quantile, type Target } from './load.ts';
import { endAll, start as startIn, startPortkey, type Served } from './processes.ts';
import { soakReport } from './soak-report.ts';

/** About four minutes; `quick` about ten seconds with one round. */
export async function run(options: BenchOptions): Promise<BenchReport> {
  if (options.soak !== undefined) return soakReport(options, options.soak * 60);
  if (options.streams !== undefined) return streamsReport(options, options.streams);
  const { quick = false, log, signal } = options;
  const rounds = quick ? 1 : 7;
  const seconds = quick ? 1 : 3;
  const children: ChildProcess[] = [];
  const start = <T>(script: string, args: readonly string[]): Promise<Served<T>> => startIn(children, script, args);
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
    rows.push(await steady(fastOurs, quickly['routed']!, prompts, quick ? 500 : 100_000, log));
    return {
      name: 'gateway',
      protocol: {
        what: 'added latency and rate of a gateway in front of a mock upstream on loopback; the router chooses among 30 models',
        how: 'closed loop of kept-alive clients; rounds direct, named, routed, peer in turn; median over rounds of the quantile, minus direct',
        ratio: 'for latency: added by the peer / added by ours; for rates: ours / the peer',
        rounds,
        seconds,
        ...machine('cairn bench gateway'),
      },
      rows,
    };
  } finally {
    await endAll(children);
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

/** Only the memory, over many streams. */
async function streamsReport({ log }: BenchOptions, streams: number): Promise<BenchReport> {
  const children: ChildProcess[] = [];
  try {
    const upstream = await startIn<{ url: string }>(children, 'upstream.ts', ['0', '12']);
    const ours = await startIn<{ url: string; prompts: string[] }>(children, 'ours.ts', [upstream.info.url]);
    const row = await steady(ours, { url: ours.info.url, model: 'cairn/auto' }, ours.info.prompts, streams, log);
    return {
      name: 'gateway',
      protocol: {
        what: 'resident memory of the gateway over streams of 12 words through a router over 30 models, 16 clients',
        ...machine(`cairn bench gateway --streams ${streams}`),
      },
      rows: [row],
    };
  } finally {
    await endAll(children);
  }
}

function machine(command: string): Record<string, string | number | boolean> {
  return {
    loaded: isLoaded(),
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    node: process.version,
    command,
  };
}

/** Memory in ten steps: what the second half adds to the first. */
async function steady(
  ours: Served<unknown>,
  target: Target,
  prompts: readonly string[],
  streams: number,
  log: (line: string) => void,
): Promise<BenchRow> {
  const resident: number[] = [];
  let [done, failed] = [0, 0];
  const began = performance.now();
  for (let step = 0; step < 10; step++) {
    const most = Math.ceil(streams / 10);
    const result = await load(target, { clients: 16, seconds: 3_600, stream: true, prompts, most });
    done += result.requests;
    failed += result.failed;
    resident.push(((await ours.ask()) as { rssMiB: number }).rssMiB);
    log(`${done} streams, ${resident.at(-1)!.toFixed(0)} MiB, ${failed} failed`);
  }
  const [early, late] = [Math.max(...resident.slice(0, 5)), Math.max(...resident.slice(5))];
  return {
    case: 'resident memory, most in the second half of the streams / in the first',
    ours: late / early,
    peer: null,
    peerName: 'none',
    ratio: null,
    unit: 'ratio',
    note: `${early.toFixed(0)} -> ${late.toFixed(0)} MiB, ${done} streams, ${failed} failed, ${Math.round(done / ((performance.now() - began) / 1000))}/s`,
  };
}
