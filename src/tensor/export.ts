// Exports a program as a plain .onnx file: standard operators only, weights inside, so that any ONNX runtime can run it.
// Training state and updates stay behind.
import { CairnError } from '../errors.ts';
import type { ModelState } from './executor.ts';
import type { Graph, ProgramDef } from './graph.ts';
import { pruneGraph } from './graph.ts';
import type { OnnxModel } from './onnx-proto.ts';
import { encodeModel } from './onnx-proto.ts';
import { writeOnnx } from './onnx-write.ts';

export interface ExportOptions {
  /** 17 to 20. Default 20, which needs ONNX Runtime 1.17 or newer. */
  readonly opset?: 17 | 18 | 19 | 20;
  /** Outputs to keep. Default: all. */
  readonly outputs?: readonly string[];
  /** Stored with the model; `cairn.format` is added. */
  readonly metadata?: Readonly<Record<string, string>>;
  readonly graphName?: string;
}

/**
 * The bytes of an .onnx file. Inputs and outputs keep their names, weights are initialisers named like the state, and
 * symbolic dimensions (`b.symbol`) stay symbolic.
 *
 * @throws CairnError `nothing_to_export`, `unknown_output`, `name_collision`
 * @example
 * writeFileSync('model.onnx', exportOnnx(def, state, { metadata: { 'cairn.config': JSON.stringify(config) } }));
 */
export function exportOnnx(def: ProgramDef, state: ModelState, options: ExportOptions = {}): Uint8Array<ArrayBuffer> {
  return encodeModel(exportModel(def, state, options));
}

/** `exportOnnx` before it becomes bytes. */
export function exportModel(def: ProgramDef, state: ModelState, options: ExportOptions = {}): OnnxModel {
  const graph = inferencePart(def.graph, options.outputs);
  return writeOnnx(graph, {
    target: 'export',
    opset: options.opset ?? 20,
    graphName: options.graphName ?? 'cairn',
    weights: (name) => state.borrow(name),
    metadata: { 'cairn.format': '1', ...options.metadata },
  });
}

/** The graph without updates, other outputs, and the inputs and parameters that only those need. */
function inferencePart(graph: Graph, names: readonly string[] | undefined): Graph {
  const unknown = names?.find((name) => !graph.outputs.some((o) => o.name === name));
  if (unknown !== undefined) {
    const known = graph.outputs.map((o) => o.name).join(', ') || 'none';
    throw new CairnError('unknown_output', `Expected an output of the program (${known}), got \`${unknown}\`.`);
  }
  const outputs = names ? graph.outputs.filter((o) => names.includes(o.name)) : graph.outputs;
  if (outputs.length === 0) {
    throw new CairnError('nothing_to_export', 'Expected at least one output, got none.', {
      hint: 'Name results with b.output.',
    });
  }
  const { commitIf: _, ...rest } = graph;
  const needed = reachable(
    graph,
    outputs.map((o) => o.port.node),
  );
  return pruneGraph({
    ...rest,
    outputs,
    updates: [],
    hooks: [],
    inputs: graph.inputs.filter((x) => needed.has(x.node)),
    params: graph.params.filter((x) => needed.has(x.node)),
  });
}

function reachable(graph: Graph, from: readonly number[]): ReadonlySet<number> {
  const seen = new Set(from);
  for (let id = graph.nodes.length - 1; id >= 0; id--) {
    if (seen.has(id)) for (const p of graph.nodes[id]!.inputs) seen.add(p.node);
  }
  return seen;
}
