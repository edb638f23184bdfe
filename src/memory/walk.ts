// Random walk with restart by forward push: from seed nodes, mass spreads over edges until what is left at every node is
// small against its degree, so that the cost does not depend on the size of the graph. Hubs are damped: a component that is
// in everything explains nothing. Source: Andersen, Chung and Lang (2006), local approximate PageRank; arXiv 1910.06718.
import { fadedWeight, type Graph, type GraphOptions, indexOfNode } from './graph.ts';
import { type EdgeKind, edgeKinds } from './links.ts';
import type { Store } from './store.ts';

/** The edges that leave one node, already damped. */
export interface Row {
  readonly to: readonly number[];
  readonly weight: readonly number[];
  readonly kind: readonly EdgeKind[];
}

/** Where a walk looks up edges. Batched, because a store may be on another machine. */
export interface Neighbourhood {
  rows(nodes: readonly number[]): Promise<Row[]>;
}

export interface WalkOptions {
  /** Probability of staying where the mass is; 0.5 by default. */
  readonly alpha?: number;
  /** Residual that is not spread any more, per edge of the node; 1e-4 by default. */
  readonly epsilon?: number;
  /** At most so many pushes; 20,000 by default. */
  readonly pushes?: number;
}

/** One edge that was followed. */
export interface Step {
  readonly from: number;
  readonly kind: EdgeKind;
  readonly to: number;
}

export interface Walk {
  /** Mass by node; with `residual` it sums to the mass of the seeds. */
  readonly mass: ReadonlyMap<number, number>;
  /** Mass that was not spread: no node's mass is off by more. */
  readonly residual: number;
  readonly pushes: number;
  /** The edges by which most mass came to a node, from its seed on. */
  pathTo(node: number): Step[];
}

/**
 * Walks from seeds.
 *
 * @param seeds node to positive mass
 * @example
 * const walk = await forwardPush(new Map([[memory.nodeOf(root), 1]]), storeNeighbourhood(memory.store));
 */
export async function forwardPush(
  seeds: ReadonlyMap<number, number>,
  neighbourhood: Neighbourhood,
  options: WalkOptions = {},
): Promise<Walk> {
  const { alpha = 0.5, epsilon = 1e-4, pushes: most = 20_000 } = options;
  const mass = new Map<number, number>();
  const residual = new Map(seeds);
  const known = new Map<number, Row>();
  const via = new Map<number, Step & { readonly brought: number }>();
  let pushes = 0;
  while (pushes < most) {
    const waiting = [...residual.keys()].filter((node) => residual.get(node)! > epsilon).sort((a, b) => a - b);
    const fresh = waiting.filter((node) => !known.has(node));
    if (fresh.length > 0) (await neighbourhood.rows(fresh)).forEach((row, i) => known.set(fresh[i]!, row));
    const due = waiting.filter((node) => residual.get(node)! > epsilon * Math.max(1, known.get(node)!.to.length));
    if (due.length === 0) break;
    for (const node of due) {
      if (pushes++ >= most) break;
      const left = residual.get(node)!;
      const { to, weight, kind } = known.get(node)!;
      const total = weight.reduce((sum, w) => sum + w, 0);
      residual.set(node, 0);
      // What cannot leave stays.
      mass.set(node, (mass.get(node) ?? 0) + (total > 0 ? alpha * left : left));
      if (total <= 0) continue;
      for (let e = 0; e < to.length; e++) {
        const brought = ((1 - alpha) * left * weight[e]!) / total;
        const target = to[e]!;
        residual.set(target, (residual.get(target) ?? 0) + brought);
        if (!seeds.has(target) && brought > (via.get(target)?.brought ?? 0)) {
          via.set(target, { from: node, kind: kind[e]!, to: target, brought });
        }
      }
    }
  }
  const rest = [...residual.values()].reduce((sum, r) => sum + r, 0);
  const pathTo = (node: number): Step[] => {
    const steps: Step[] = [];
    const met = new Set<number>();
    for (let at = via.get(node); at !== undefined && !met.has(at.to); at = via.get(at.from)) {
      met.add(at.to);
      steps.unshift({ from: at.from, kind: at.kind, to: at.to });
    }
    return steps;
  };
  return { mass, residual: rest, pushes, pathTo };
}

/** Weight of an edge to a node that has `degree` edges. */
export function damped(weight: number, degree: number): number {
  return weight / Math.log(2 + degree);
}

/** The edges of a snapshot. */
export function graphNeighbourhood(graph: Graph): Neighbourhood {
  const { nodes, offsets, targets, weights, kinds } = graph;
  const degree = (i: number): number => offsets[i + 1]! - offsets[i]!;
  return {
    rows: async (wanted) =>
      wanted.map((node) => {
        const i = indexOfNode(graph, node);
        const edges = i < 0 ? [] : Array.from({ length: degree(i) }, (_, e) => offsets[i]! + e);
        return {
          to: edges.map((e) => nodes[targets[e]!]!),
          weight: edges.map((e) => damped(weights[e]!, degree(targets[e]!))),
          kind: edges.map((e) => edgeKinds[kinds[e]!]!),
        };
      }),
  };
}

/** The edges of a store, read as the walk comes to them: of each node the heaviest `limit`. */
export function storeNeighbourhood(
  store: Store,
  options: GraphOptions & { readonly limit?: number } = {},
): Neighbourhood {
  const { kinds = edgeKinds, limit = 256 } = options;
  const degrees = new Map<number, number>();
  return {
    rows: async (wanted) => {
      const lists = await store.edges(wanted, kinds, limit);
      const fresh = [...new Set(lists.flatMap((edges) => edges.map(({ to }) => to)))].filter((n) => !degrees.has(n));
      (await store.degrees(fresh, kinds)).forEach(({ edges }, i) => degrees.set(fresh[i]!, edges));
      return lists.map((edges) => ({
        to: edges.map(({ to }) => to),
        weight: edges.map((edge) => damped(fadedWeight(edge, options), degrees.get(edge.to)!)),
        kind: edges.map(({ kind }) => kind),
      }));
    },
  };
}
