// The graph: pure data, no behaviour. Nodes are topologically ordered (inputs have smaller ids), ids are positions in
// `nodes`, and a node may have several outputs, called ports.
import type { Dtype, TypedArray } from './dtype.ts';
import type { Rng } from './rng.ts';
import type { Shape } from './shape.ts';

/** One output of one node. */
export interface Port {
  readonly node: number;
  readonly port: number;
}

export interface TensorType {
  readonly shape: Shape;
  readonly dtype: Dtype;
}

export type AttrValue = number | string | boolean | readonly number[];
export type Attrs = Readonly<Record<string, AttrValue>>;

export interface GraphNode {
  readonly id: number;
  /** Name of an op record; `input`, `param` and `const` are the leaves. */
  readonly op: string;
  readonly inputs: readonly Port[];
  readonly attrs: Attrs;
  readonly outputs: readonly TensorType[];
  /** Name of an input, a parameter or a hook point. */
  readonly name?: string;
  /** Where it was built, e.g. `blocks.0.attn`; empty at the top. */
  readonly scope: string;
  /** Values of a `const` node, row-major. */
  readonly constant?: TypedArray;
}

/** Makes the first values of a parameter; gets an rng that was forked by the parameter's name. */
export type Init = (rng: Rng, shape: Shape) => Float64Array | Float32Array;

/** A named state entry: a weight, or (with `trainable: false`) a moment of the optimiser, a running mean, a cache. */
export interface ParamSpec {
  readonly name: string;
  readonly node: number;
  readonly shape: Shape;
  readonly dtype: Dtype;
  readonly init: Init;
  /** Weight decay applies. */
  readonly decay: boolean;
  readonly trainable: boolean;
  readonly tags: readonly string[];
}

export interface GraphInput {
  readonly name: string;
  readonly node: number;
}

export interface GraphOutput {
  readonly name: string;
  readonly port: Port;
}

/** After a run the state entry `state` holds the value of `port`. */
export interface GraphUpdate {
  readonly state: string;
  readonly port: Port;
}

export interface Graph {
  readonly nodes: readonly GraphNode[];
  readonly inputs: readonly GraphInput[];
  readonly params: readonly ParamSpec[];
  readonly outputs: readonly GraphOutput[];
  readonly updates: readonly GraphUpdate[];
  /** A rank-0 bool: updates are committed after a run only if it is true. Absent: always. */
  readonly commitIf?: Port;
  /** Hook points that are alive in this graph. */
  readonly hooks: readonly GraphOutput[];
  /** Names of symbolic dimensions, by symbol number. */
  readonly symbols: readonly string[];
  readonly dtype: 'f32' | 'f64';
}

/** A built program: what an executor compiles. */
export interface ProgramDef {
  readonly graph: Graph;
}

/** The type of a port. */
export function typeOf(graph: Pick<Graph, 'nodes'>, port: Port): TensorType {
  return graph.nodes[port.node]!.outputs[port.port]!;
}

/**
 * Drops nodes that no output or update needs and renumbers the rest; inputs and parameters stay. Hook points stay only
 * where their node is needed anyway.
 */
export function pruneGraph(graph: Graph): Graph {
  const alive = new Uint8Array(graph.nodes.length);
  for (const { node } of [...graph.inputs, ...graph.params]) alive[node] = 1;
  for (const { port } of [...graph.outputs, ...graph.updates]) alive[port.node] = 1;
  if (graph.commitIf) alive[graph.commitIf.node] = 1;
  for (let id = graph.nodes.length - 1; id >= 0; id--) {
    if (alive[id] === 1) for (const input of graph.nodes[id]!.inputs) alive[input.node] = 1;
  }
  const renumbered = new Int32Array(graph.nodes.length).fill(-1);
  const move = (p: Port): Port => ({ node: renumbered[p.node]!, port: p.port });
  const nodes: GraphNode[] = [];
  for (const node of graph.nodes) {
    if (alive[node.id] === 0) continue;
    renumbered[node.id] = nodes.length;
    nodes.push({ ...node, id: nodes.length, inputs: node.inputs.map(move) });
  }
  return {
    ...graph,
    nodes,
    inputs: graph.inputs.map((x) => ({ ...x, node: renumbered[x.node]! })),
    params: graph.params.map((x) => ({ ...x, node: renumbered[x.node]! })),
    outputs: graph.outputs.map((x) => ({ ...x, port: move(x.port) })),
    updates: graph.updates.map((x) => ({ ...x, port: move(x.port) })),
    ...(graph.commitIf ? { commitIf: move(graph.commitIf) } : {}),
    hooks: graph.hooks.filter((x) => alive[x.port.node] === 1).map((x) => ({ ...x, port: move(x.port) })),
  };
}
