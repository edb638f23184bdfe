// `cairn bench gateway`: what a gateway adds to a call, beside Portkey's open gateway, in front of the same mock upstream with
// the same clients, in interleaved rounds: direct, ours by name, ours routed over 30 models, the peer.
import type { ChildProcess } from 'node:child_process';
import { availableParallelism, cpus } from 'node:os';
import { CairnError } from 'cairn/errors';
import type { BenchOptions, BenchReport, BenchRow } from '../report.ts';
import { isLoaded } from '../rounds.ts';
import { load } from './load.ts';
import { addedRow, cpuRows, measure, type Measured, rateRow, target } from './measure.ts';
import { endAll, type Peer, start as startIn, startPortkey, type Served } from './processes.ts';
import { soakReport } from './soak-report.ts';

/** `latency` is at 16 clients, `clients` the same at 1 and 64. */
const PARTS = ['latency', 'clients', 'stream', 'rate', 'memory'] as const;

/** About six minutes; `quick` some twenty seconds with one round. `part` measures one of them alone. */
export async function run(options: BenchOptions): Promise<BenchReport> {
  if (options.soak !== undefined) return soakReport(options, options.soak * 60);
  if (options.streams !== undefined) return streamsReport(options, options.streams);
  const { quick = false, log, signal, seed = 7, part } = options;
  if (part !== undefined && !(PARTS as readonly string[]).includes(part)) {
    throw new CairnError('usage', `Expected a part of this benchmark, got "${part}".`, {
      hint: `Parts: ${PARTS.join(', ')}.`,
    });
  }
  const wanted = (name: (typeof PARTS)[number]): boolean => part === undefined || part === name;
  const rounds = options.rounds ?? (quick ? 1 : 7);
  const seconds = quick ? 1 : 2;
  const common = { rounds, seconds, warmSeconds: quick ? 1 : 4, log, signal };
  const children: ChildProcess[] = [];
  const start = <T>(script: string, args: readonly string[]): Promise<Served<T>> => startIn(children, script, args);
  const pids = (): (number | undefined)[] => [process.pid, ...children.map(({ pid }) => pid)];
  const rows: BenchRow[] = [];
  try {
    const peer = await startPortkey(children, log);
    if (wanted('latency') || wanted('clients') || wanted('stream')) {
      const upstream = await start<{ url: string }>('upstream.ts', ['20', '12']);
      const ours = await start<Ours>('ours.ts', [upstream.info.url, String(seed)]);
      const set = targets(upstream.info.url, ours, peer);
      const { prompts } = ours.info;
      for (const clients of [...(wanted('latency') ? [16] : []), ...(wanted('clients') && !quick ? [1, 64] : [])]) {
        const results = await measure(set, { ...common, pids: pids(), clients, stream: false, prompts });
        for (const which of ['named', 'routed'] as const) {
          for (const q of [0.5, 0.95, 0.99]) {
            const most = clients === 16 && which === 'routed' ? AIMS.get(q) : undefined;
            rows.push(addedRow(`c=${clients}, 20 ms upstream, ${which}: added p${q * 100}`, results, which, q, most));
          }
        }
        if (clients === 16) rows.push(...cpuRows('c=16, routed: processor time of a request', results, 'routed'));
      }
      if (wanted('stream')) {
        const results = await measure(set, { ...common, pids: pids(), clients: 16, stream: true, prompts });
        const name = 'c=16, 20 ms upstream, stream, routed: added to the first word';
        rows.push(
          addedRow(`${name}, p50`, results, 'routed', 0.5, 1),
          addedRow(`${name}, p99`, results, 'routed', 0.99),
        );
      }
    }
    if (wanted('rate')) {
      const upstream = await start<{ url: string }>('upstream.ts', ['0', '12']);
      const ours = await start<Ours>('ours.ts', [upstream.info.url, String(seed)]);
      const { prompts } = ours.info;
      const set = targets(upstream.info.url, ours, peer);
      const results = await measure(set, { ...common, pids: pids(), clients: 64, stream: false, prompts });
      rows.push(rateRow('c=64, no delay, routed: requests a second', results, 'routed', 2_000));
      rows.push(...cpuRows('c=64, no delay, routed: processor time of a request', results, 'routed'));
    }
    // A gateway of its own: what the parts before needed is no part of it.
    if (wanted('memory')) rows.push(await steady(children, seed, quick ? 500 : 40_000, log));
    return {
      name: 'gateway',
      protocol: {
        what: 'added latency and rate of a gateway in front of a mock upstream on loopback; the router chooses among 30 models',
        how: 'closed loop of kept-alive clients in a process of their own; rounds direct, named, routed, peer in turn, another one first each time, a round in which other processes took more than a fifth of a core done again; in every round the quantile minus that of direct, then the median over the rounds',
        ratio: 'for latency: added by the peer / added by ours; for rates: ours / the peer',
        rounds,
        seconds,
        seed,
        ...machine(`cairn bench gateway${part === undefined ? '' : ` --part ${part}`} --seed ${seed}`),
      },
      rows,
    };
  } finally {
    await endAll(children);
  }
}

/** The most that routing may add to a call at c = 16, in milliseconds. */
const AIMS: ReadonlyMap<number, number> = new Map([
  [0.5, 1],
  [0.99, 5],
]);

interface Ours {
  readonly url: string;
  readonly prompts: string[];
}

function targets(upstream: string, ours: Served<Ours>, peer: Peer | undefined): Record<string, Measured> {
  const { url } = ours.info;
  const { pid } = ours.child;
  const headers = {
    'x-portkey-provider': 'openai',
    'x-portkey-custom-host': upstream,
    authorization: 'Bearer unused',
  };
  return {
    direct: { url: upstream, model: 'model-0' },
    named: { url, model: 'model-a', pid },
    routed: { url, model: 'cairn/auto', pid },
    ...(peer === undefined ? {} : { peer: { url: peer.url, model: 'model-0', headers, pid: peer.pid } }),
  };
}

/** Only the memory, over many streams. */
async function streamsReport({ log, seed = 7 }: BenchOptions, streams: number): Promise<BenchReport> {
  const children: ChildProcess[] = [];
  try {
    const row = await steady(children, seed, streams, log);
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
  children: ChildProcess[],
  seed: number,
  streams: number,
  log: (line: string) => void,
): Promise<BenchRow> {
  const upstream = await startIn<{ url: string }>(children, 'upstream.ts', ['0', '12']);
  const ours = await startIn<Ours>(children, 'ours.ts', [upstream.info.url, String(seed)]);
  const { url, prompts } = ours.info;
  const resident: number[] = [];
  let [done, failed] = [0, 0];
  const began = performance.now();
  for (let step = 0; step < 10; step++) {
    const most = Math.ceil(streams / 10);
    const result = await load(
      { url, model: 'cairn/auto' },
      { clients: 16, seconds: 3_600, stream: true, prompts, most },
    );
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
    ...target(late / early, { atMost: 1.05 }),
    note: `${early.toFixed(0)} -> ${late.toFixed(0)} MiB, ${done} streams, ${failed} failed, ${Math.round(done / ((performance.now() - began) / 1000))}/s`,
  };
}
