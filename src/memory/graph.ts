// A snapshot of the knowledge graph in compressed rows, and the importance of its nodes. The snapshot is derived data: it is
// read from the store's edges and thrown away. Source: PageRank (Brin and Page 1998) over arXiv 1910.06718's bucket graph.
import { EDGE_UNIT, type Edge, type EdgeKind, edgeKinds } from './links.ts';
import type { Store } from './store.ts';

export interface GraphOptions {
  /** Kinds of edges to take; all by default. */
  readonly kinds?: readonly EdgeKind[] | undefined;
  /** Weights halve in so many milliseconds before `now`; they do not fade by default. */
  readonly halfLife?: number | undefined;
  readonly now?: number | undefined;
  /** Gives up, with undefined, on a graph of more edges. */
  readonly most?: number | undefined;
}

/** Rows of outgoing edges, nodes by rising key. */
export interface Graph {
  readonly nodes: Float64Array;
  /** [nodes + 1] where the edges of each node start. */
  readonly offsets: Uint32Array;
  /** [edges] index of the target node. */
  readonly targets: Uint32Array;
  /** [edges] positive, faded. */
  readonly weights: Float64Array;
  /** [edges] place of the kind in `edgeKinds`. */
  readonly kinds: Uint8Array;
  /** [nodes] contributions to a node's edges: how often it was met. */
  readonly counts: Float64Array;
  /** The store's edge log when it was read. */
  readonly log: number;
}

const PAGE = 8192;

/** Reads the edges of a store; undefined when there are more than `most`. */
export async function loadGraph(store: Store, options: GraphOptions = {}): Promise<Graph | undefined> {
  const { kinds = edgeKinds, most = Infinity } = options;
  const log = await store.edgeLog();
  const edges: Edge[] = [];
  for (let after: Edge | undefined; ;) {
    const page = await store.edgePage(after, PAGE);
    if (page.length === 0) break;
    after = page[page.length - 1]!;
    for (const edge of page) if (kinds.includes(edge.kind)) edges.push(edge);
    if (edges.length > most) return undefined;
  }
  return graphOf(edges, log, options);
}

/** A graph of edges in canonical order. */
export function graphOf(edges: readonly Edge[], log = 0, options: GraphOptions = {}): Graph {
  const nodes = Float64Array.from(new Set(edges.flatMap(({ from, to }) => [from, to]))).sort();
  const index = new Map(Array.from(nodes, (node, i) => [node, i] as const));
  const offsets = new Uint32Array(nodes.length + 1);
  for (const { from } of edges) offsets[index.get(from)! + 1]!++;
  for (let i = 0; i < nodes.length; i++) offsets[i + 1]! += offsets[i]!;
  const counts = new Float64Array(nodes.length);
  const targets = new Uint32Array(edges.length);
  const weights = new Float64Array(edges.length);
  const kinds = new Uint8Array(edges.length);
  edges.forEach((edge, i) => {
    targets[i] = index.get(edge.to)!;
    weights[i] = fadedWeight(edge, options);
    kinds[i] = edgeKinds.indexOf(edge.kind);
    counts[index.get(edge.from)!]! += edge.count;
  });
  return { nodes, offsets, targets, weights, kinds, counts, log };
}

/** Weight of an edge at a time: w * 2^(-age / half-life), by the mean time of its contributions. */
export function fadedWeight(
  { weight, time }: Pick<Edge, 'weight' | 'time'>,
  { halfLife, now }: Pick<GraphOptions, 'halfLife' | 'now'>,
): number {
  const plain = weight * EDGE_UNIT;
  if (halfLife === undefined || now === undefined) return plain;
  return plain * 2 ** -(Math.max(0, now - time * 1000) / halfLife);
}

/** Index of a node, or -1. */
export function indexOfNode({ nodes }: Graph, node: number): number {
  let low = 0;
  let high = nodes.length;
  while (low < high) {
    const mid = (low + high) >>> 1;
    if (nodes[mid]! < node) low = mid + 1;
    else high = mid;
  }
  return nodes[low] === node ? low : -1;
}

export interface PageRankOptions {
  /** Probability of starting anew; 0.15 by default. */
  readonly alpha?: number;
  /** Stops when the rank moves less than this in L1; 1e-6 by default. */
  readonly tolerance?: number;
  /** At most so many rounds; 100 by default. */
  readonly iterations?: number;
}

/**
 * Importance of every node: pi = alpha u + (1 - alpha) pi P with u proportional to log(1 + count), by power iteration from u.
 * It sums to 1. A node without edges to follow starts anew.
 *
 * @example
 * pageRank((await loadGraph(store))!); // Float64Array, one share per node
 */
export function pageRank(graph: Graph, options: PageRankOptions = {}): Float64Array {
  const { alpha = 0.15, tolerance = 1e-6, iterations = 100 } = options;
  const { offsets, targets, weights, counts } = graph;
  const n = counts.length;
  const start = counts.map((count) => Math.log1p(count));
  const total = start.reduce((sum, v) => sum + v, 0);
  for (let i = 0; i < n; i++) start[i] = total > 0 ? start[i]! / total : 1 / n;
  const out = new Float64Array(n);
  for (let i = 0; i < n; i++) for (let e = offsets[i]!; e < offsets[i + 1]!; e++) out[i]! += weights[e]!;
  let rank = start.slice();
  for (let round = 0; round < iterations; round++) {
    const next = new Float64Array(n);
    let idle = 0;
    for (let i = 0; i < n; i++) {
      if (out[i] === 0) {
        idle += rank[i]!;
        continue;
      }
      const share = rank[i]! / out[i]!;
      for (let e = offsets[i]!; e < offsets[i + 1]!; e++) next[targets[e]!]! += share * weights[e]!;
    }
    let moved = 0;
    for (let i = 0; i < n; i++) {
      const value = alpha * start[i]! + (1 - alpha) * (next[i]! + idle * start[i]!);
      moved += Math.abs(value - rank[i]!);
      next[i] = value;
    }
    rank = next;
    if (moved < tolerance) break;
  }
  return rank;
}
