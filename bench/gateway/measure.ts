// Interleaved rounds of load on several targets, and the rows of what a gateway adds: in every round its quantile minus that of
// the direct call, then the median over the rounds. Who comes first changes from round to round.
import { readFileSync } from 'node:fs';
import type { BenchRow } from '../report.ts';
import { median, spreadOf } from '../rounds.ts';
import { load, type LoadResult, quantile, type Target } from './load.ts';

/** A target, and the process whose processor time its requests cost. */
export interface Measured extends Target {
  readonly pid?: number | undefined;
}

export interface Round extends LoadResult {
  /** Milliseconds of processor time; undefined where the system does not tell. */
  readonly cpuMs: number | undefined;
}

/** Rounds by target: `direct`, `named`, `routed`, and `peer` where there is one. */
export type Rounds = Readonly<Record<string, readonly Round[]>>;

export interface MeasureOptions {
  readonly clients: number;
  readonly stream: boolean;
  readonly prompts: readonly string[];
  readonly rounds: number;
  readonly seconds: number;
  /** Discarded before the first round. */
  readonly warmSeconds: number;
  /** All processes that take part; what others take is what disturbs. */
  readonly pids: readonly (number | undefined)[];
  readonly log: (line: string) => void;
  readonly signal: AbortSignal;
}

/** Cores that others may take in a round. Above it the round is done again, for all targets; at most as many as there are rounds. */
const OTHERS = 0.2;

export async function measure(set: Readonly<Record<string, Measured>>, options: MeasureOptions): Promise<Rounds> {
  const { clients, stream, prompts, rounds, seconds, warmSeconds, log, signal } = options;
  const targets = Object.entries(set);
  const results: Record<string, Round[]> = {};
  for (const [, target] of targets) await load(target, { clients, seconds: warmSeconds, stream, prompts });
  let disturbed = 0;
  for (let round = 0; round < rounds;) {
    const others = new Others(options.pids);
    const found: (readonly [name: string, round: Round])[] = [];
    for (let i = 0; i < targets.length; i++) {
      signal.throwIfAborted();
      const [name, target] = targets[(i + round) % targets.length]!;
      const before = cpuOf(target.pid);
      const result = await load(target, { clients, seconds, stream, prompts });
      const after = cpuOf(target.pid);
      const cpuMs = before === undefined || after === undefined ? undefined : after - before;
      found.push([name, { ...result, cpuMs }]);
    }
    const taken = others.cores();
    if (taken > OTHERS && disturbed < rounds) {
      disturbed++;
      log(`a round is done again: other processes took ${taken.toFixed(2)} cores`);
      continue;
    }
    for (const [name, result] of found) (results[name] ??= []).push(result);
    round++;
  }
  const line = targets.map(([name]) => {
    const [p50, p95, p99] = [0.5, 0.95, 0.99].map((q) => mid(results[name]!, q).toFixed(2));
    return `${name} p50 ${p50} p95 ${p95} p99 ${p99} ms, ${Math.round(rateOf(results[name]!))}/s`;
  });
  log(`c=${clients}${stream ? ', stream' : ''}: ${line.join(' | ')}`);
  return results;
}

/** What `which` adds to a direct call at a quantile. */
export function addedRow(name: string, results: Rounds, which: string, q: number, most?: number): BenchRow {
  const added = addedBy(results, which, q);
  const ours = median(added);
  const peer = results['peer'] === undefined ? null : median(addedBy(results, 'peer', q));
  const spread = spreadOf(added);
  return {
    case: name,
    ours,
    peer,
    peerName: PEER,
    ratio: peer === null || ours === null ? null : peer / ours,
    unit: 'ms',
    ...target(ours, most === undefined ? undefined : { atMost: most }),
    ...note([failures(results, which), peer === null ? 'peer not installed' : undefined, spread && within(spread)]),
  };
}

export function rateRow(name: string, results: Rounds, which: string, least: number): BenchRow {
  const ours = rateOf(results[which]!);
  const peer = results['peer'] === undefined ? null : rateOf(results['peer']);
  const spread = spreadOf(results[which]!.map((r) => r.perSecond));
  return {
    case: name,
    ours,
    peer,
    peerName: PEER,
    ratio: peer === null ? null : ours / peer,
    unit: '1/s',
    ...target(ours, { atLeast: least }),
    ...note([failures(results, which), spread && within(spread)]),
  };
}

/** Processor time of a request; not a row where the system does not tell it. */
export function cpuRows(name: string, results: Rounds, which: string): BenchRow[] {
  const perRequest = (of: string): number | null =>
    median(
      (results[of] ?? []).flatMap((r) => (r.cpuMs === undefined || r.requests === 0 ? [] : [r.cpuMs / r.requests])),
    );
  const [ours, peer] = [perRequest(which), perRequest('peer')];
  if (ours === null) return [];
  const ratio = peer === null ? null : peer / ours;
  const most = peer === null ? undefined : { atMost: 1.2 * peer };
  return [{ case: name, ours, peer, peerName: PEER, ratio, unit: 'ms', ...target(ours, most) }];
}

const PEER = 'Portkey gateway';

function addedBy(results: Rounds, which: string, q: number): number[] {
  return results[which]!.map((r, i) => quantile(r.times, q) - quantile(results['direct']![i]!.times, q));
}

/** Median over rounds of a quantile. */
function mid(results: readonly LoadResult[], q: number): number {
  return median(results.map((r) => quantile(r.times, q))) ?? Number.NaN;
}

function rateOf(results: readonly LoadResult[]): number {
  return median(results.map((r) => r.perSecond)) ?? Number.NaN;
}

/** The aim of a row and whether it is met. */
export function target(
  ours: number | null,
  aim: { readonly atMost: number } | { readonly atLeast: number } | undefined,
): Pick<BenchRow, 'target'> {
  if (aim === undefined || ours === null) return {};
  const met = 'atMost' in aim ? ours <= aim.atMost : ours >= aim.atLeast;
  return { target: { ...aim, met } };
}

function note(parts: readonly (string | undefined)[]): Pick<BenchRow, 'note'> {
  const said = parts.filter((part) => part !== undefined);
  return said.length === 0 ? {} : { note: said.join('; ') };
}

function failures(results: Rounds, which: string): string | undefined {
  const failed = results[which]!.reduce((sum, r) => sum + r.failed, 0);
  return failed > 0 ? `${failed} failed` : undefined;
}

function within({ min, max, rounds }: { min: number; max: number; rounds: number }): string {
  return `${min.toPrecision(3)} to ${max.toPrecision(3)} in ${rounds} rounds`;
}

/** What processes that do not take part use, since it was made. */
class Others {
  readonly #pids: readonly (number | undefined)[];
  readonly #began = performance.now();
  readonly #before: number;

  constructor(pids: readonly (number | undefined)[]) {
    this.#pids = pids;
    this.#before = this.#sum();
  }

  /** In cores; NaN where the system does not tell. */
  cores(): number {
    return (this.#sum() - this.#before) / (performance.now() - this.#began);
  }

  /** Milliseconds of everybody's processor time, without that of the kernel's network and of those who take part. */
  #sum(): number {
    try {
      const [user, nice, system] = readFileSync('/proc/stat', 'utf8')
        .split('\n', 1)[0]!
        .split(/ +/)
        .slice(1)
        .map(Number);
      const taking = this.#pids.reduce<number>((sum, pid) => sum + (cpuOf(pid) ?? 0), 0);
      return (user! + nice! + system!) * 10 - taking;
    } catch {
      return Number.NaN;
    }
  }
}

/** Milliseconds of processor time of a process and its threads so far, from the kernel's count in hundredths of a second. */
function cpuOf(pid: number | undefined): number | undefined {
  if (pid === undefined) return undefined;
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ');
    return (Number(fields[11]) + Number(fields[12])) * 10;
  } catch {
    return undefined;
  }
}
