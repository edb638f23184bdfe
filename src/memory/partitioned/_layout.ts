// Which server keeps what: rendezvous hashing. Every server scores every key, the best one or two keep it, so a new server
// takes 1/(n+1) of the keys and nothing else moves. Source: Thaler and Ravishankar (1998).
import { contentHash, KeyHash } from '../_hash.ts';
import type { Id } from '../store.ts';

/** A partition is a store of its own on one server, or the same on two: `3`, or `1_3`. */
export type Partition = string;

export interface Layout {
  /** Raised with every change. */
  readonly version: number;
  /** Numbers of the servers; a number is given once and stays with its server. */
  readonly servers: readonly number[];
  readonly replicas: 1 | 2;
  /** Servers to be, while keys are being moved: those with a reference up to `after` have been. */
  readonly moving?: { readonly servers: readonly number[]; readonly after: number } | undefined;
}

/** The partition that keeps a key. */
export function partitionOf(servers: readonly number[], replicas: 1 | 2, id: Id): Partition {
  const view = new DataView(id.buffer, id.byteOffset, id.length);
  const scored = servers.map((server) => {
    const hash = new KeyHash(server);
    for (let at = 0; at + 4 <= id.length; at += 4) hash.word(view.getInt32(at));
    return { server, score: hash.digest() };
  });
  scored.sort((a, b) => b.score - a.score || a.server - b.server);
  const best = scored.slice(0, replicas).map(({ server }) => server);
  return best.sort((a, b) => a - b).join('_');
}

/** All partitions of some servers. */
export function partitionsOf(servers: readonly number[], replicas: 1 | 2): Partition[] {
  const sorted = [...servers].sort((a, b) => a - b);
  if (replicas === 1) return sorted.map(String);
  return sorted.flatMap((a, i) => sorted.slice(i + 1).map((b) => `${a}_${b}`));
}

/** Numbers of the servers that keep a partition. */
export function serversOf(partition: Partition): number[] {
  return partition.split('_').map(Number);
}

/** A key for what has a name instead of an id. */
export function idOfName(kind: 'source' | 'owner', name: string): Id {
  return contentHash([new TextEncoder().encode(kind), new TextEncoder().encode(name)]);
}
