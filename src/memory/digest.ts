// Hash trees over the content of a store, one for each kind of record: two stores with equal roots hold the same. Made from
// the port alone, in one pass with bounded memory, so that a copy between any two stores can be verified.
import { createHash } from 'node:crypto';
import { allEdges, allRecords, allSources, recordLine } from './_dump.ts';
import type { Store } from './store.ts';

export interface KindDigest {
  readonly rows: number;
  /** SHA-256 root of the tree, in hexadecimal. */
  readonly root: string;
}

export type StoreDigest = Readonly<
  Record<'events' | 'stats' | 'owners' | 'edges' | 'sources' | 'tombstones', KindDigest>
>;

/**
 * Digests a store. Events are taken in the order they were recorded.
 *
 * @example
 * (await digestStore(a)).events.root === (await digestStore(b)).events.root; // true after a copy
 */
export async function digestStore(store: Store, signal?: AbortSignal): Promise<StoreDigest> {
  const trees = {
    events: new HashTree(),
    stats: new HashTree(),
    owners: new HashTree(),
    edges: new HashTree(),
    sources: new HashTree(),
    tombstones: new HashTree(),
  };
  for await (const record of allRecords(store)) {
    signal?.throwIfAborted();
    trees.events.add(recordLine(record));
  }
  for (const name of (await store.statNames()).sort()) {
    trees.stats.add(JSON.stringify([name, Buffer.from((await store.stat(name))!).toString('base64')]));
  }
  for (const owned of await store.owners()) trees.owners.add(JSON.stringify(owned));
  for await (const { from, kind, to, weight, count, time } of allEdges(store)) {
    trees.edges.add(JSON.stringify([from, kind, to, weight, count, time]));
  }
  for await (const { uri, sha256, bytes } of allSources(store)) {
    const [text] =
      bytes === undefined ? [undefined] : await store.texts([{ source: { uri, sha256 }, lo: 0, hi: bytes }]);
    const content = text === undefined ? null : createHash('sha256').update(text).digest('hex');
    trees.sources.add(JSON.stringify([uri, sha256, content]));
  }
  for (let after: string | undefined; ;) {
    const page = await store.tombstones(after, 4096);
    if (page.length === 0) break;
    for (const { idHash, at, certificate } of page) trees.tombstones.add(JSON.stringify([idHash, at, certificate]));
    after = page[page.length - 1]!.idHash;
  }
  return {
    events: trees.events.digest(),
    stats: trees.stats.digest(),
    owners: trees.owners.digest(),
    edges: trees.edges.digest(),
    sources: trees.sources.digest(),
    tombstones: trees.tombstones.digest(),
  };
}

/** A binary Merkle tree over a stream of leaves; holds one hash per level. Source: RFC 6962, section 2.1. */
export class HashTree {
  readonly #levels: (Buffer | undefined)[] = [];
  #rows = 0;

  add(leaf: string): void {
    this.#rows++;
    let hash: Buffer = createHash('sha256').update('\0').update(leaf).digest();
    for (let level = 0; ; level++) {
      const left = this.#levels[level];
      if (left === undefined) {
        this.#levels[level] = hash;
        return;
      }
      this.#levels[level] = undefined;
      hash = parent(left, hash);
    }
  }

  digest(): KindDigest {
    let root: Buffer | undefined;
    for (const left of this.#levels) {
      if (left !== undefined) root = root === undefined ? left : parent(left, root);
    }
    return { rows: this.#rows, root: (root ?? createHash('sha256').digest()).toString('hex') };
  }
}

function parent(left: Buffer, right: Buffer): Buffer {
  return createHash('sha256').update('\u0001').update(left).update(right).digest();
}
