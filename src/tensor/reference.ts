// The reference executor: interprets a graph with the kernels of the op records, in f64 or f32. The oracle of all other
// executors, the back end of gradient checks, and good enough for tiny models. No dependency, not fast.
import { CairnError } from '../errors.ts';
import { allocate, byteSize, type Dtype, fromHalf, isFloat, toHalf, type TypedArray } from './dtype.ts';
import {
  checkEntry,
  type CompileOptions,
  type Executor,
  type Feed,
  type HostTensor,
  type ModelState,
  type Program,
  type ProgramStats,
  resolveFeeds,
} from './executor.ts';
import type { Attrs, Graph, GraphNode, Port, ProgramDef } from './graph.ts';
import type { Value } from './op.ts';
import { isLeaf, opRecord } from './ops/table.ts';
import { isSymbolic, resolveShape, sizeOf, symbolOf } from './shape.ts';

export interface ReferenceOptions {
  /** Arithmetic of float tensors. Default f64, whatever the dtype of the graph; outputs keep the dtype of the graph. */
  readonly dtype?: 'f32' | 'f64';
}

/**
 * An executor that needs nothing but JavaScript.
 *
 * @example
 * const program = await createReferenceExecutor().compile(def, { state });
 * const { y } = await program.run({ x: Float32Array.of(1, 2) });
 */
export function createReferenceExecutor(options: ReferenceOptions = {}): Executor {
  const arithmetic = options.dtype ?? 'f64';
  return {
    id: `reference-${arithmetic}`,
    compile: async (def, compileOptions = {}) => new ReferenceProgram(def, compileOptions, arithmetic),
    dispose: async () => {},
  };
}

/**
 * Runs a graph once, synchronously.
 * @param state values of parameters; updates are not applied but returned
 */
export function interpret(
  def: ProgramDef,
  feeds: Readonly<Record<string, Feed>>,
  state: ModelState | undefined,
  arithmetic: 'f32' | 'f64' = 'f64',
): { outputs: Record<string, HostTensor>; updates: Map<string, HostTensor>; commit: boolean } {
  const { graph } = def;
  const run = new Interpreter(graph, arithmetic);
  resolveFeeds(def, feeds).forEach((feed, i) => run.feed(graph.inputs[i]!.node, feed));
  for (const spec of graph.params) {
    if (!state) throw missingState(spec.name);
    run.feed(spec.node, state.get(spec.name));
  }
  run.all();
  return {
    outputs: Object.fromEntries(graph.outputs.map(({ name, port }) => [name, run.host(port)])),
    updates: new Map(graph.updates.map(({ state: name, port }) => [name, run.host(port)])),
    commit: graph.commitIf === undefined || run.host(graph.commitIf).data[0] === 1,
  };
}

/** Operations and bytes of one run of a graph, from the op records. Symbolic dimensions count as 1. */
export function graphStats(graph: Graph): ProgramStats {
  let flops = 0;
  let bytes = 0;
  for (const node of graph.nodes) {
    if (isLeaf(node.op)) continue;
    const record = opRecord(node.op);
    const inputs = node.inputs.map((p) => graph.nodes[p.node]!.outputs[p.port]!);
    flops += record.flops(inputs, node.outputs, node.attrs);
    const size = node.outputs.reduce((s, t) => s + sizeOf(t.shape) * byteSize(t.dtype), 0);
    bytes += record.bytes ? record.bytes(inputs, node.outputs, node.attrs) : size;
  }
  const bytesParams = graph.params.reduce((s, p) => s + sizeOf(p.shape) * byteSize(p.dtype), 0);
  return { nodes: graph.nodes.length, flops, bytesParams, bytesActivationsEstimate: bytes };
}

class ReferenceProgram implements Program {
  readonly #def: ProgramDef;
  readonly #state: ModelState | undefined;
  readonly #arithmetic: 'f32' | 'f64';
  #disposed = false;

  constructor(def: ProgramDef, options: CompileOptions, arithmetic: 'f32' | 'f64') {
    this.#def = def;
    this.#state = options.state;
    this.#arithmetic = arithmetic;
    for (const spec of def.graph.params) {
      if (!this.#state) throw missingState(spec.name);
      checkEntry(spec, this.#state.get(spec.name));
    }
  }

  async run(feeds: Readonly<Record<string, Feed>>): Promise<Record<string, HostTensor>> {
    if (this.#disposed) throw new CairnError('disposed', 'Expected a live program, got one that was disposed.');
    const { outputs, updates, commit } = interpret(this.#def, feeds, this.#state, this.#arithmetic);
    if (commit) for (const [name, value] of updates) this.#state?.set(name, value);
    return outputs;
  }

  stats(): ProgramStats {
    return graphStats(this.#def.graph);
  }

  async dispose(): Promise<void> {
    this.#disposed = true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.dispose();
  }
}

class Interpreter {
  readonly #graph: Graph;
  readonly #storage: 'f32' | 'f64';
  readonly #values: Value[][] = [];
  readonly #symbols: number[] = [];

  constructor(graph: Graph, arithmetic: 'f32' | 'f64') {
    this.#graph = graph;
    this.#storage = arithmetic;
  }

  feed(node: number, tensor: HostTensor): void {
    this.#graph.nodes[node]!.outputs[0]!.shape.forEach((d, i) => {
      if (isSymbolic(d)) this.#bind(d, tensor.shape[i]!);
    });
    this.#values[node] = [{ data: this.#widen(tensor.data, tensor.dtype), shape: tensor.shape, dtype: tensor.dtype }];
  }

  all(): void {
    for (const node of this.#graph.nodes) {
      if (this.#values[node.id]) continue;
      this.#values[node.id] = node.op === 'const' ? [this.#constant(node)] : this.#run(node);
    }
  }

  host(port: Port): HostTensor {
    const value = this.#values[port.node]![port.port]!;
    const data = allocate(value.dtype, value.data.length);
    for (let i = 0; i < data.length; i++) data[i] = value.dtype === 'f16' ? toHalf(value.data[i]!) : value.data[i]!;
    return { data, shape: value.shape, dtype: value.dtype };
  }

  #run(node: GraphNode): Value[] {
    const inputs = node.inputs.map((p) => this.#values[p.node]![p.port]!);
    const outputs = node.outputs.map(({ shape, dtype }) => {
      const concrete = resolveShape(shape, this.#symbols);
      return { data: allocate(this.#dtype(dtype), sizeOf(concrete)), shape: concrete, dtype };
    });
    try {
      opRecord(node.op).reference(inputs, this.#attrs(node.attrs), outputs);
    } catch (error) {
      if (!(error instanceof CairnError)) throw error;
      const place = node.scope === '' ? node.op : `${node.op} in \`${node.scope}\``;
      throw new CairnError(error.code, `${error.message} At ${place}.`, { cause: error });
    }
    return outputs;
  }

  #constant(node: GraphNode): Value {
    const { shape, dtype } = node.outputs[0]!;
    return { data: this.#widen(node.constant!, dtype), shape, dtype };
  }

  /** Attributes with symbolic dimensions resolved. */
  #attrs(attrs: Attrs): Attrs {
    if (this.#symbols.length === 0) return attrs;
    return Object.fromEntries(
      Object.entries(attrs).map(([k, v]) => [k, typeof v === 'object' ? resolveShape(v, this.#symbols) : v]),
    );
  }

  #dtype(dtype: Dtype): Dtype {
    return isFloat(dtype) ? this.#storage : dtype;
  }

  #widen(data: TypedArray, dtype: Dtype): TypedArray {
    if (!isFloat(dtype) || dtype === this.#storage) return data;
    const wide = allocate(this.#storage, data.length);
    for (let i = 0; i < data.length; i++) wide[i] = dtype === 'f16' ? fromHalf(data[i]!) : data[i]!;
    return wide;
  }

  #bind(dim: number, length: number): void {
    const { symbol, offset } = symbolOf(dim);
    const value = length - offset;
    const before = this.#symbols[symbol];
    if (before !== undefined && before !== value) {
      const name = this.#graph.symbols[symbol] ?? `s${symbol}`;
      throw new CairnError('shape_mismatch', `Expected one length for \`${name}\`, got ${before} and ${value}.`);
    }
    this.#symbols[symbol] = value;
  }
}

function missingState(name: string): CairnError {
  return new CairnError('missing_state', `Expected a state with \`${name}\`, got none.`, {
    hint: 'Pass { state: ModelState.init(def, rng) } to compile.',
  });
}
