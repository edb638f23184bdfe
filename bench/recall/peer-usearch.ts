// The peer: usearch, an HNSW index with SIMD kernels in C++, on the same centred sketches in 8 bits.
import { readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import type * as Usearch from 'usearch';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { centredCodes, type Stored, toCodes } from './exact.ts';

export interface PeerResult {
  readonly version: string;
  readonly buildSeconds: number;
  readonly insertsPerSecond: number;
  /** Beam width of the search at which it first reached the recall asked for, or the largest tried. */
  readonly expansion: number;
  readonly recall: number;
  /** Milliseconds per query, sorted. */
  readonly times: number[];
}

const EXPANSIONS = [16, 32, 64, 128, 256, 512];

/** Fills an index on one thread, then widens its search until it is as good as `target`. Throws when it is not installed. */
export async function measurePeer(
  stored: Stored,
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
  const { dim, count, mean } = stored;
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
  const index = make(EXPANSIONS[0]!);
  const start = performance.now();
  for (let item = 0; item < count; item += 1000) {
    signal.throwIfAborted();
    const keys = BigUint64Array.from({ length: Math.min(1000, count - item) }, (_, j) => BigInt(item + j));
    const block = new Int8Array(keys.length * dim);
    keys.forEach((_, j) => block.set(centredCodes(stored, item + j), j * dim));
    index.add(keys, block, 1);
    if (item % 100_000 === 0) log(`usearch: ${item} of ${count}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
  const buildSeconds = (performance.now() - start) / 1000;
  const file = join(tmpdir(), `cairn-bench-usearch-${process.pid}`);
  index.save(file);
  const queries = cues.map((cue) => toCodes(cue.map((v, i) => v - mean[i]!)));
  try {
    for (const expansion of EXPANSIONS) {
      // The width of a search is fixed when an index is made, so the same graph is loaded again.
      const searched = make(expansion);
      searched.load(file);
      const times: number[] = [];
      let hits = 0;
      queries.forEach((query, c) => {
        const before = performance.now();
        const { keys } = searched.search(query, k, 1);
        times.push(performance.now() - before);
        if (c >= truth.length) return;
        const expected = new Set(truth[c]);
        for (const key of keys) if (expected.has(stored.ordinals[Number(key)]!)) hits++;
      });
      const recall = hits / (truth.length * k);
      if (recall >= target || expansion === EXPANSIONS.at(-1)) {
        const insertsPerSecond = count / buildSeconds;
        return { version, buildSeconds, insertsPerSecond, expansion, recall, times: times.sort((a, b) => a - b) };
      }
    }
    throw new Error('unreachable');
  } finally {
    rmSync(file, { force: true });
  }
}
