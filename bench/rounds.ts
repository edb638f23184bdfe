// Interleaved rounds: engines A, B, C are measured in turn, only one at a time, and ratios are taken per round, so that
// a machine that slows down for a while slows everybody. Engines live in processes of their own, which are held still
// while it is another one's turn: threads that wait actively, or work that a step left behind, would slow the next engine.
import { spawn } from 'node:child_process';
import { loadavg } from 'node:os';
import { createInterface } from 'node:readline';
import { CairnError } from 'cairn/errors';
import type { BenchRow, Spread } from './report.ts';

/** One engine under test. `start` includes all warm-up; `round` works for about `seconds`. */
export interface Engine {
  readonly name: string;
  /** Rounds it takes part in; slow peers take fewer. Default: all. */
  readonly maxRounds?: number;
  start(signal: AbortSignal): Promise<EngineInfo>;
  round(seconds: number): Promise<RoundResult>;
  stop(): Promise<void>;
}

export interface RoundResult {
  readonly units: number;
  readonly ms: number;
  /** Resident memory of the engine's process after the round. */
  readonly rssMiB?: number;
}

export interface EngineInfo {
  readonly version: string;
  /** Numbers that engines doing the same work must agree on, for example losses of the first steps. */
  readonly check?: readonly number[];
  /** Milliseconds of named parts of the start, for example `compile`. */
  readonly startup?: Readonly<Record<string, number>>;
}

export interface Measured {
  readonly name: string;
  readonly info: EngineInfo | undefined;
  /** Milliseconds per unit, one per round; undefined where the engine did not take part. */
  readonly perUnit: readonly (number | undefined)[];
  /** Resident memory after the first and the last round. */
  readonly rssMiB?: readonly [number, number];
  /** Why the engine is missing. */
  readonly missing?: string;
}

export interface RoundsOptions {
  readonly engines: readonly Engine[];
  readonly rounds: number;
  readonly seconds: number;
  readonly log: (line: string) => void;
  readonly signal: AbortSignal;
}

/** Runs all rounds. An engine that does not start is reported as missing; the first engine must start. */
export async function runRounds(options: RoundsOptions): Promise<Measured[]> {
  const { engines, rounds, seconds, log, signal } = options;
  const state = engines.map((engine) => ({
    engine,
    info: undefined as EngineInfo | undefined,
    missing: undefined as string | undefined,
    perUnit: [] as (number | undefined)[],
    rss: [] as number[],
  }));
  try {
    for (const s of state) {
      signal.throwIfAborted();
      try {
        s.info = await s.engine.start(signal);
        log(`${s.engine.name}: ready (${s.info.version})`);
      } catch (error) {
        signal.throwIfAborted();
        s.missing = firstLine(error);
        log(`${s.engine.name}: skipped, ${s.missing}`);
      }
    }
    for (let round = 0; round < rounds; round++) {
      for (const s of state) {
        signal.throwIfAborted();
        const takesPart = s.missing === undefined && round < (s.engine.maxRounds ?? Infinity);
        const r = takesPart ? await s.engine.round(seconds) : undefined;
        s.perUnit.push(r && r.ms / r.units);
        if (r?.rssMiB !== undefined) s.rss.push(r.rssMiB);
      }
      const line = state.map((s) => `${s.engine.name} ${s.perUnit[round]?.toFixed(1) ?? '-'}`).join('  ');
      log(`round ${round + 1}/${rounds}: ${line}`);
    }
  } finally {
    await Promise.all(state.map((s) => s.engine.stop()));
  }
  return state.map(({ engine, info, perUnit, missing, rss }) => ({
    name: engine.name,
    info,
    perUnit,
    ...(rss.length === 0 ? {} : { rssMiB: [rss[0]!, rss.at(-1)!] as const }),
    ...(missing === undefined ? {} : { missing }),
  }));
}

/** Rows of peers (all but the first) against the first. */
export function toRows(caseName: string, unit: string, measured: readonly Measured[]): BenchRow[] {
  const [ours, ...peers] = measured;
  const own = median(defined(ours!.perUnit));
  return peers.map((peer) => {
    const ratios = defined(peer.perUnit.map((p, i) => ratio(p, ours!.perUnit[i])));
    const spread = spreadOf(ratios);
    return {
      case: caseName,
      ours: own,
      peer: median(defined(peer.perUnit)),
      peerName: peer.info ? `${peer.name} ${peer.info.version}` : peer.name,
      ratio: spread?.median ?? null,
      unit,
      ...(spread ? { spread } : {}),
      ...(peer.missing === undefined ? {} : { note: peer.missing }),
    };
  });
}

function ratio(peer: number | undefined, ours: number | undefined): number | undefined {
  return peer === undefined || ours === undefined ? undefined : peer / ours;
}

function defined<T>(values: readonly (T | undefined)[]): T[] {
  return values.filter((v): v is T => v !== undefined);
}

/** Median; null for no values. */
export function median(values: readonly number[]): number | null {
  if (values.length === 0) return null;
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

export function spreadOf(ratios: readonly number[]): Spread | undefined {
  const m = median(ratios);
  return m === null
    ? undefined
    : { median: m, min: Math.min(...ratios), max: Math.max(...ratios), rounds: ratios.length };
}

/** True when the machine was busy before the start: figures taken then are not for quoting. */
export function isLoaded(): boolean {
  return loadavg()[0]! > 1;
}

export interface ProcessEngineOptions {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly maxRounds?: number;
  /** Seconds that start and warm-up may take. Default 120. */
  readonly startSeconds?: number;
}

/**
 * An engine in a process of its own. It prints one line of JSON `{ version, check }` when it is warm, then answers each
 * line `{ "seconds": s }` on its input with `{ "units": n, "ms": t }`, and ends when its input ends.
 */
export function processEngine(options: ProcessEngineOptions): Engine {
  let child: ReturnType<typeof launch> | undefined;
  return {
    name: options.name,
    ...(options.maxRounds === undefined ? {} : { maxRounds: options.maxRounds }),
    async start(signal) {
      child = launch(options, signal);
      const info = (await child.next((options.startSeconds ?? 120) * 1000)) as EngineInfo;
      child.hold();
      return info;
    },
    async round(seconds) {
      child!.go();
      child!.send({ seconds });
      const result = (await child!.next(600_000)) as RoundResult;
      child!.hold();
      return result;
    },
    async stop() {
      await child?.stop();
    },
  };
}

function launch(options: ProcessEngineOptions, signal: AbortSignal) {
  const child = spawn(options.command, [...options.args], {
    env: { ...process.env, ...options.env },
    stdio: ['pipe', 'pipe', 'pipe'],
    signal,
  });
  const ended = new Promise<string>((resolve) => {
    let tail = '';
    child.stderr.on('data', (chunk: Buffer) => (tail = (tail + chunk.toString()).slice(-8000)));
    child.once('error', (error) => resolve(error.message));
    child.once('close', (code) => resolve(reason(tail) || `it ended with code ${code}`));
  });
  child.stdin.on('error', () => undefined);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async (ms: number): Promise<unknown> => {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new CairnError('bench_timeout', `Expected an answer within ${ms} ms.`)), ms);
    });
    try {
      for (;;) {
        const line = await Promise.race([lines.next(), late]);
        if (line.done === true) throw new CairnError('bench_engine_ended', await ended);
        if (line.value.startsWith('{')) return JSON.parse(line.value) as unknown; // peers may print notices
      }
    } finally {
      clearTimeout(timer);
    }
  };
  const go = (): boolean => (process.platform === 'win32' ? false : child.kill('SIGCONT'));
  return {
    next,
    send: (message: object) => child.stdin.write(`${JSON.stringify(message)}\n`),
    /** Stops every thread of the process where the system can. */
    hold: () => (process.platform === 'win32' ? false : child.kill('SIGSTOP')),
    go,
    async stop() {
      go();
      child.stdin.end();
      const kill = setTimeout(() => child.kill('SIGKILL'), 2000);
      await ended;
      clearTimeout(kill);
    },
  };
}

/** The line of a stack trace or log that says what went wrong. */
function reason(text: string): string {
  const lines = text.trim().split('\n');
  return (lines.findLast((line) => /^\S*(Error|Exception)\b.*:/.test(line)) ?? lines.at(-1) ?? '').slice(0, 300);
}

function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n')[0]!;
}

/** The other side of `processEngine`, for engines written in TypeScript: warms up, then serves rounds. */
export async function serveEngine(engine: {
  readonly version: string;
  readonly check?: readonly number[];
  readonly startup?: Readonly<Record<string, number>>;
  /** One unit of work, or as many as `unitsPerCall` says. */
  readonly unit: () => Promise<void> | void;
  readonly unitsPerCall?: number;
}): Promise<void> {
  const answer = (value: object): boolean => process.stdout.write(`${JSON.stringify(value)}\n`);
  const { unit, unitsPerCall = 1, ...info } = engine;
  answer(info);
  for await (const line of createInterface({ input: process.stdin })) {
    const { seconds } = JSON.parse(line) as { seconds: number };
    const start = performance.now();
    let units = 0;
    do {
      await unit();
      units += unitsPerCall;
    } while (performance.now() - start < seconds * 1000);
    answer({ units, ms: performance.now() - start, rssMiB: process.memoryUsage.rss() / 2 ** 20 });
  }
}
