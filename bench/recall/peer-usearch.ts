// The peer: usearch, an HNSW index with SIMD kernels in C++, on the same centred sketches in 8 bits.
import { existsSync, readFileSync, renameSync } from 'node:fs';
import { createRequire } from 'node:module';
import type * as Usearch from 'usearch';
import { dirname, join } from 'node:path';
import { centredCodes, type Stored, toCodes } from './exact.ts';
import { kept } from './kept.ts';

export interface PeerResult {
  readonly version: string;
  readonly buildSeconds: number;
  readonly insertsPerSecond: number;
  /** Beam width of the search at which it first reached the recall asked for, or the largest tried. */
  readonly expansion: number;
  readonly recall: number;
  /** Milliseconds per query, sorted. */
  readonly times: number[];
  /** Processor time of one query. */
  readonly cpuMs: number;
}

/** What it indexes, and where its index is kept. */
export interface PeerData {
  readonly folder: string;
  readonly stored: () => Promise<Stored>;
  readonly mean: readonly number[];
  readonly dim: number;
}

const EXPANSIONS = [16, 32, 64, 128, 256, 512];

/** Fills an index on one thread, then widens its search until it is as good as `target`. Throws when it is not installed. */
export async function measurePeer(
  data: PeerData,
  cues: readonly Float64Array[],
  truth: readonly (readonly number[])[],
  target: number,
  log: (line: string) => void,
  signal: AbortSignal,
): Promise<PeerResult> {
  // Its ES module does not find its own binary; the CommonJS one does.
  const require = createRequire(import.meta.url);
  const usearch = require('usearch') as typeof Usearch;
  const manifest = join(dirname(require.resolve('usearch')), '../../../package.json');
  const { version } = JSON.parse(readFileSync(manifest, 'utf8')) as { version: string };
  const { dim, mean, folder } = data;
  const k = truth[0]!.length;
  const make = (expansion: number): InstanceType<typeof usearch.Index> =>
    new usearch.Index({
      dimensions: dim,
      metric: usearch.MetricKind.Cos,
      quantization: usearch.ScalarKind.I8,
      connectivity: 16,
      expansion_add: 128,
      expansion_search: expansion,
      multi: false,
    });
  const file = join(folder, 'usearch.index');
  const { buildSeconds, count } = await kept(join(folder, 'usearch.json'), async () => {
    const stored = await data.stored();
    const index = make(EXPANSIONS[0]!);
    const start = performance.now();
    for (let item = 0; item < stored.count; item += 1000) {
      signal.throwIfAborted();
      const some = Math.min(1000, stored.count - item);
      // Its keys are our ordinals.
      const keys = BigUint64Array.from({ length: some }, (_, j) => BigInt(stored.ordinals[item + j]!));
      const block = new Int8Array(some * dim);
      for (let j = 0; j < some; j++) block.set(centredCodes(stored, item + j), j * dim);
      index.add(keys, block, 1);
      if (item % 50_000 === 0) log(`usearch: ${item} of ${stored.count}`);
      await new Promise((resolve) => setImmediate(resolve));
    }
    const seconds = (performance.now() - start) / 1000;
    index.save(`${file}.new`);
    renameSync(`${file}.new`, file);
    return { buildSeconds: seconds, count: stored.count };
  });
  if (!existsSync(file)) throw new Error(`Expected ${file}, got none: remove usearch.json beside it.`);
  const queries = cues.map((cue) => toCodes(cue.map((v, i) => v - mean[i]!)));
  for (const expansion of EXPANSIONS) {
    // The width of a search is fixed when an index is made, so the same graph is loaded again.
    const searched = make(expansion);
    searched.load(file);
    // The first pass brings its pages into memory.
    for (const query of queries) searched.search(query, k, 1);
    const times: number[] = [];
    let hits = 0;
    const start = process.cpuUsage();
    queries.forEach((query, c) => {
      const before = performance.now();
      const { keys } = searched.search(query, k, 1);
      times.push(performance.now() - before);
      if (c >= truth.length) return;
      const expected = new Set(truth[c]);
      for (const key of keys) if (expected.has(Number(key))) hits++;
    });
    const { user, system } = process.cpuUsage(start);
    const cpuMs = (user + system) / 1000 / queries.length;
    const recall = hits / (truth.length * k);
    log(`usearch, width ${expansion}: recall ${recall.toFixed(4)}, ${cpuMs.toFixed(3)} ms of processor time`);
    if (recall >= target || expansion === EXPANSIONS.at(-1)) {
      const insertsPerSecond = count / buildSeconds;
      return { version, buildSeconds, insertsPerSecond, expansion, recall, times: times.sort((a, b) => a - b), cpuMs };
    }
  }
  throw new Error('unreachable');
}
