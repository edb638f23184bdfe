// What the store knows of every text source beside its events: which version, how far it was read, which epoch it is
// weighed by, and between which references its events lie.
import { contentHash } from '../_hash.ts';
import { type Change, isCorrupt, type SourceName, type Store, type StoredRow } from '../store.ts';
import type { TextFormat } from './tree.ts';

const PREFIX = 'text/source/';
const PAGE = 512;

export interface SourceState extends SourceName {
  readonly format: TextFormat;
  readonly epoch: number;
  readonly turns: number;
  /** False while it is read, or when that was interrupted. */
  readonly complete: boolean;
  /** True when a later version is in force. */
  readonly retracted: boolean;
  /** References of its first and last event; absent until it is complete. */
  readonly first?: number | undefined;
  readonly last?: number | undefined;
}

/** The name of a source's record: a hash, since a path may be longer than a name. */
export function stateName({ uri, sha256 }: SourceName): string {
  const bytes = contentHash([new TextEncoder().encode(uri), new TextEncoder().encode(sha256)]);
  return PREFIX + Buffer.from(bytes).toString('hex');
}

export function packState(state: SourceState): Change {
  return { kind: 'stat', name: stateName(state), bytes: new TextEncoder().encode(JSON.stringify(state)) };
}

export class SourceStates {
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
  }

  /** By name, then version. */
  async all(): Promise<SourceState[]> {
    const states: SourceState[] = [];
    for (const name of await this.#store.statNames()) {
      if (!name.startsWith(PREFIX)) continue;
      const bytes = await this.#store.stat(name);
      if (bytes !== undefined) states.push(JSON.parse(new TextDecoder().decode(bytes)) as SourceState);
    }
    return states.sort((a, b) => (a.uri === b.uri ? (a.sha256 < b.sha256 ? -1 : 1) : a.uri < b.uri ? -1 : 1));
  }

  /** The latest epoch of term counts; 0 when there is none. */
  async epoch(): Promise<number> {
    let latest = 0;
    for (const name of await this.#store.statNames()) {
      const found = /^text\/idf\/(\d+)$/.exec(name);
      if (found !== null) latest = Math.max(latest, Number(found[1]));
    }
    return latest;
  }

  /** The readable events of one version of a source, in the order they were recorded. */
  async rows(state: SourceState): Promise<StoredRow[]> {
    const own: StoredRow[] = [];
    if (state.complete && state.first !== undefined && state.last !== undefined) {
      for (let from = state.first; from <= state.last; from += PAGE) {
        const refs = Array.from({ length: Math.min(PAGE, state.last - from + 1) }, (_, i) => from + i);
        for (const row of await this.#store.read(refs)) if (row !== undefined && isOf(row, state)) own.push(row);
      }
      return own;
    }
    // Interrupted while it was read: nobody noted where its events lie.
    for (let before = Infinity; ;) {
      const page = await this.#store.list({ limit: PAGE, sketches: false, ...(before === Infinity ? {} : { before }) });
      if (page.length === 0) return own.reverse();
      for (const row of page) if (isOf(row, state)) own.push(row);
      before = page.at(-1)!.ref;
    }
  }
}

function isOf(row: Parameters<typeof isCorrupt>[0], state: SourceName): row is StoredRow {
  return !isCorrupt(row) && row.source === state.uri && row.sourceHash === state.sha256;
}
