// The canonical text form of a store's content: what two stores with the same events must agree on, line by line.
import { isCorrupt, type Row } from './store.ts';

export interface DumpSource {
  readonly rows: readonly Row[];
  /** Key to references. */
  readonly postings: ReadonlyMap<number, readonly number[]>;
  readonly stats: readonly (readonly [string, Uint8Array])[];
  signature(ref: number): Uint32Array | undefined;
}

/** One line per event in order of its id, with its signature and its keys, then one per statistic. */
export function* dumpLines({ rows, postings, stats, signature }: DumpSource): Generator<string> {
  const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
  const keys = new Map<number, number[]>();
  for (const [key, refs] of postings) {
    for (const ref of refs) {
      const own = keys.get(ref);
      if (own === undefined) keys.set(ref, [key]);
      else own.push(key);
    }
  }
  const lines: string[] = [];
  for (const row of rows) {
    if (isCorrupt(row)) continue;
    const bits = Array.from(signature(row.ref) ?? [], (w) => w.toString(16).padStart(8, '0')).join('');
    lines.push(
      JSON.stringify({
        id: hex(row.id),
        structure: row.structure,
        task: row.task,
        source: row.source,
        at: row.at,
        count: row.count,
        provenance: hex(row.provenance),
        meta: hex(row.meta),
        sketch: hex(row.sketch),
        signature: bits,
        keys: (keys.get(row.ref) ?? []).sort((a, b) => a - b),
      }),
    );
  }
  yield* lines.sort();
  for (const [name, bytes] of [...stats].sort((a, b) => (a[0] < b[0] ? -1 : 1))) {
    yield JSON.stringify({ stat: name, bytes: hex(bytes) });
  }
}
