// The part of the Store port that PostgreSQL does not serve yet: edges, words, source texts, times and whole records. What
// would need them is refused at the write, so that the empty answers here are true.
import { CairnError } from '../../errors.ts';
import type { Lexical } from '../_terms.ts';
import type { Edge, Link } from '../links.ts';
import {
  type Change,
  type Degree,
  type Entity,
  type FullRecord,
  isCorrupt,
  type OwnedLinks,
  type Row,
  type SourceInfo,
  type Tombstone,
} from '../store.ts';

/** Changes that PostgreSQL carries out. */
export type PlainChange = Extract<Change, { readonly kind: 'insert' | 'replace' | 'remove' | 'stat' }>;

/** The same changes; throws `store_unsupported` if one of them needs what is not there. */
export function expectPlain(changes: readonly Change[]): readonly PlainChange[] {
  return changes.map((change) => {
    if (change.kind === 'replace' || change.kind === 'remove' || change.kind === 'stat') return change;
    if (change.kind === 'insert' && change.ref === undefined && change.count === undefined) {
      const { links, terms, times, sourceHash } = change.event;
      if (links === undefined && terms === undefined && times === undefined && !sourceHash) return change;
    }
    throw unsupported(change.kind);
  });
}

function unsupported(what: string): CairnError {
  return new CairnError('store_unsupported', `Expected a change that PostgreSQL keeps, got '${what}' with more.`, {
    hint: 'Use a data directory for edges, words, source texts and times.',
  });
}

export abstract class WithoutGraph {
  async entities(_keys: ArrayLike<number>): Promise<(Entity | undefined)[]> {
    throw unsupported('entities');
  }

  async edges(nodes: ArrayLike<number>): Promise<Edge[][]> {
    return Array.from(nodes, () => []);
  }

  async degrees(nodes: ArrayLike<number>): Promise<Degree[]> {
    return Array.from(nodes, () => ({ edges: 0, weight: 0 }));
  }

  async edgePage(): Promise<Edge[]> {
    return [];
  }

  async edgeLog(): Promise<number> {
    return 0;
  }

  async links(refs: ArrayLike<number>): Promise<(readonly Link[])[]> {
    return Array.from(refs, () => []);
  }

  async owners(): Promise<OwnedLinks[]> {
    return [];
  }

  async lexical(terms: ArrayLike<number>): Promise<Lexical> {
    return { documents: 0, words: 0, frequency: new Uint32Array(terms.length), hits: [] };
  }

  async texts(slices: readonly unknown[]): Promise<(Uint8Array | undefined)[]> {
    return slices.map(() => undefined);
  }

  async sources(): Promise<SourceInfo[]> {
    throw unsupported('sources');
  }

  async records(): Promise<FullRecord[]> {
    throw unsupported('records');
  }

  async tombstones(): Promise<Tombstone[]> {
    throw unsupported('tombstones');
  }
}

export interface PlainSource {
  readonly rows: readonly Row[];
  /** Key to references. */
  readonly postings: ReadonlyMap<number, readonly number[]>;
  readonly stats: readonly (readonly [string, Uint8Array])[];
  signature(ref: number): Uint32Array | undefined;
}

/** One line per event in order of its id, with its signature and its keys, then one per statistic. */
export function* plainDumpLines({ rows, postings, stats, signature }: PlainSource): Generator<string> {
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
