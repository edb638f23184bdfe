// `cairn bench recall`: a memory of a million boards on disk. How fast it fills, what an event takes, how long opening and
// recall take and how many of the exact ten nearest come back; beside it usearch, on the same sketches at the same recall.
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { Memory } from 'cairn/memory';
import { encode } from 'cairn/sketch';
import { Rng } from 'cairn/tensor';
import type { BenchReport, BenchRow } from '../report.ts';
import { isLoaded } from '../rounds.ts';
import { exactNearest, readAll, type Stored } from './exact.ts';
import { filledStore } from './fill.ts';
import { kept } from './kept.ts';
import { measurePeer } from './peer-usearch.ts';
import { FAMILY, member } from './workload.ts';

export interface RecallBenchOptions {
  readonly quick?: boolean;
  readonly seed?: number;
  /** Boards to store; default 1,000,000, and 30,000 when quick. */
  readonly events?: number;
  /** A folder in which the filled memory, the exact answer and the peer's index stay for the next run. */
  readonly keep?: string;
  readonly log: (line: string) => void;
  readonly signal: AbortSignal;
}

const K = 10;

/** Fills, opens, asks. A full run writes 1.3 GB below the system's folder for temporary files and removes it again. */
export async function run(options: RecallBenchOptions): Promise<BenchReport> {
  const { log, signal } = options;
  const quick = options.quick === true;
  const seed = options.seed ?? 1;
  const asked = Number(process.env['CAIRN_BENCH_EVENTS'] ?? 0);
  const events = options.events ?? (asked > 0 ? asked : quick ? 30_000 : 1_000_000);
  const loaded = isLoaded();
  const rng = new Rng(seed).fork('bench/recall');
  const folder =
    options.keep === undefined
      ? mkdtempSync(join(tmpdir(), 'cairn-bench-recall-'))
      : join(options.keep, `recall-${seed}-${events}`);
  mkdirSync(folder, { recursive: true });
  try {
    const { path, filled } = await filledStore(folder, events, rng, seed, log, signal);
    const opening = performance.now();
    const memory = await Memory.open({ path });
    const openMs = performance.now() - opening;
    log(`opened in ${openMs.toFixed(0)} ms`);
    const cues = Array.from({ length: quick ? 60 : 500 }, (_, q) =>
      member(rng, Math.floor((q * events) / FAMILY / (quick ? 60 : 500)), FAMILY + (q % 7)),
    );
    const bySketch = await ask(cues, (root) => memory.recall({ root, by: 'sketch' }, K), signal);
    log(
      `recall by sketch: p50 ${at(bySketch.times, 0.5).toFixed(2)} ms, p99 ${at(bySketch.times, 0.99).toFixed(2)} ms`,
    );
    const byAll = await ask(cues.slice(0, quick ? 20 : 60), (root) => memory.recall({ root }, K), signal);
    log(
      `recall with components: p50 ${at(byAll.times, 0.5).toFixed(2)} ms, p99 ${at(byAll.times, 0.99).toFixed(2)} ms`,
    );
    const cells = cues.slice(0, quick ? 30 : 200).map((root) => root.inputs![0]!.object.inputs![40]!.object);
    const byCell = await ask(cells, (cell) => memory.component(cell, K, { position: '0/0/40' }), signal);
    const vectors = cues.map((root) => Float64Array.from(encode(root, memory.spec).values));
    let all: Promise<Stored> | undefined;
    const stored = (): Promise<Stored> => {
      const { values, content } = encode(cues[0]!, memory.spec);
      const base = Float64Array.from(values, (v, i) => v - content[i]!);
      return (all ??= readAll(memory, base));
    };
    const { truth, mean } = await kept(join(folder, 'exact.json'), async () => {
      log('the exact answer');
      const known = await stored();
      return {
        truth: exactNearest(known, vectors.slice(0, quick ? 30 : 64), K),
        mean: Array.from(known.mean),
      };
    });
    const recall = shareFound(bySketch.found, truth);
    log(`recall@${K} ${recall.toFixed(4)}`);
    const peer = await measurePeer(
      { folder, stored, mean, dim: memory.spec.dim },
      vectors,
      truth,
      recall,
      log,
      signal,
    ).catch((error: unknown) => {
      signal.throwIfAborted();
      return error instanceof Error ? error.message.split('\n')[0]! : String(error);
    });
    await memory.close();
    const name = typeof peer === 'string' ? 'usearch' : `usearch ${peer.version}`;
    const row = (
      what: string,
      ours: number,
      theirs: number | null,
      unit: string,
      better: 'less' | 'more',
    ): BenchRow => ({
      case: what,
      ours,
      peer: theirs,
      peerName: theirs === null && typeof peer !== 'string' ? 'none' : name,
      ratio: theirs === null || ours === 0 ? null : better === 'less' ? theirs / ours : ours / theirs,
      unit,
      ...(typeof peer === 'string' ? { note: peer } : {}),
    });
    const of = <T>(pick: (p: Exclude<typeof peer, string>) => T): T | null =>
      typeof peer === 'string' ? null : pick(peer);
    const rows = [
      row(
        'recall by sketch, median',
        at(bySketch.times, 0.5),
        of((p) => at(p.times, 0.5)),
        'ms',
        'less',
      ),
      row(
        'recall by sketch, 99 of 100 within',
        at(bySketch.times, 0.99),
        of((p) => at(p.times, 0.99)),
        'ms',
        'less',
      ),
      row(
        'recall by sketch, processor time',
        bySketch.cpuMs,
        of((p) => p.cpuMs),
        'ms',
        'less',
      ),
      row(
        `recall@${K} of the exact answer`,
        recall,
        of((p) => p.recall),
        'share',
        'more',
      ),
      row('recall with components, median', at(byAll.times, 0.5), null, 'ms', 'less'),
      row('recall with components, 99 of 100 within', at(byAll.times, 0.99), null, 'ms', 'less'),
      row('recall by one cell at its place, median', at(byCell.times, 0.5), null, 'ms', 'less'),
      row('open', openMs, null, 'ms', 'less'),
      row(
        'events stored',
        filled.perSecond,
        of((p) => p.insertsPerSecond),
        '1/s',
        'more',
      ),
      row('file per event, everything', filled.bytesPerEvent, null, 'bytes', 'less'),
    ];
    return {
      name: 'recall',
      protocol: {
        command: 'cairn bench recall',
        seed,
        events,
        family: FAMILY,
        cpu: cpus()[0]?.model ?? 'unknown',
        node: process.version,
        loaded,
        says: 'wall-clock on one thread each; the peer is asked with the narrowest search that reaches our recall, holds vectors in memory only, and writes nothing',
        expansion: of((p) => p.expansion) ?? 'not measured',
        bytes: filled.bytes,
        longestBatchMs: filled.longestBatchMs,
        residentMiB: Math.round(process.memoryUsage.rss() / 2 ** 20),
      },
      rows,
    };
  } finally {
    if (options.keep === undefined) rmSync(folder, { recursive: true, force: true });
  }
}

/** Milliseconds per question, sorted, after a few to warm up; the ordinals that were found; and processor time of one. */
async function ask<T>(
  cues: readonly T[],
  question: (cue: T) => Promise<readonly { ordinal: number }[]>,
  signal: AbortSignal,
): Promise<{ times: number[]; found: number[][]; cpuMs: number }> {
  for (const cue of cues.slice(0, 20)) await question(cue);
  const times: number[] = [];
  const found: number[][] = [];
  const before = process.cpuUsage();
  for (const cue of cues) {
    signal.throwIfAborted();
    const start = performance.now();
    const hits = await question(cue);
    times.push(performance.now() - start);
    found.push(hits.map((hit) => hit.ordinal));
  }
  const { user, system } = process.cpuUsage(before);
  return { times: times.sort((a, b) => a - b), found, cpuMs: (user + system) / 1000 / cues.length };
}

function shareFound(found: readonly (readonly number[])[], truth: readonly (readonly number[])[]): number {
  let hits = 0;
  truth.forEach((expected, c) => {
    for (const ordinal of expected) if (found[c]!.includes(ordinal)) hits++;
  });
  return hits / (truth.length * K);
}

/** The value below which this share of sorted values lies. */
function at(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]!;
}
