// The graph as recall uses it: a snapshot for walks and for importance, renewed by a rule. A small graph is read anew with
// every change; a larger one when it has changed by 5 percent, and until then walks read the store's own edges.
import { type Graph, indexOfNode, loadGraph, pageRank } from './graph.ts';
import type { Store } from './store.ts';
import { forwardPush, graphNeighbourhood, type Neighbourhood, storeNeighbourhood, type Walk } from './walk.ts';

/** Graphs of so many edges are read anew with every change. */
const SMALL = 16_384;
/** Larger graphs are never held in memory. */
const LARGEST = 8_000_000;
const GROWTH = 0.05;

interface Snapshot {
  readonly graph: Graph;
  readonly rank: Float64Array;
}

export class GraphView {
  readonly #store: Store;
  #snapshot: Snapshot | undefined;
  /** The edge log when the graph was found too large. */
  #refused = 0;

  constructor(store: Store) {
    this.#store = store;
  }

  /** Whether there are any edges. */
  async isEmpty(): Promise<boolean> {
    return (await this.#store.edgeLog()) === 0;
  }

  /** Importance of nodes, 1 on average; 0 for nodes outside the graph. */
  async importance(nodes: readonly (number | undefined)[]): Promise<number[]> {
    const snapshot = await this.#settled();
    return nodes.map((node) => {
      const i = snapshot === undefined || node === undefined ? -1 : indexOfNode(snapshot.graph, node);
      return i < 0 ? 0 : snapshot!.rank[i]! * snapshot!.rank.length;
    });
  }

  /** The most important nodes first. */
  async ranking(limit: number): Promise<{ readonly node: number; readonly importance: number }[]> {
    const snapshot = await this.#settled();
    if (snapshot === undefined) return [];
    const { graph, rank } = snapshot;
    return Array.from(graph.nodes, (node, i) => ({ node, importance: rank[i]! * rank.length }))
      .sort((a, b) => b.importance - a.importance || a.node - b.node)
      .slice(0, limit);
  }

  async walk(seeds: ReadonlyMap<number, number>): Promise<Walk> {
    const snapshot = await this.#settled();
    const log = await this.#store.edgeLog();
    const edges: Neighbourhood =
      snapshot?.graph.log === log ? graphNeighbourhood(snapshot.graph) : storeNeighbourhood(this.#store);
    return forwardPush(seeds, edges);
  }

  async #settled(): Promise<Snapshot | undefined> {
    const log = await this.#store.edgeLog();
    const old = this.#snapshot?.graph;
    if (old?.log === log || log === 0) return this.#snapshot;
    const base = old?.log ?? this.#refused;
    const small = old !== undefined && old.targets.length <= SMALL;
    if (base > 0 && !small && log - base < GROWTH * base) return this.#snapshot;
    const graph = await loadGraph(this.#store, { most: LARGEST });
    this.#refused = graph === undefined ? log : 0;
    this.#snapshot = graph === undefined ? undefined : { graph, rank: pageRank(graph) };
    return this.#snapshot;
  }
}
