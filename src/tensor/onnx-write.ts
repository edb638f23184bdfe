// Turns a graph into an ONNX model by running the lowering of every op against an emitter. Value names: inputs and
// outputs as the user named them, parameters `p:<name>`, updates `n:<name>`, everything generated starts with `%`.
import { CairnError } from '../errors.ts';
import type { Dtype, TypedArray } from './dtype.ts';
import { convert } from './dtype.ts';
import type { Graph, GraphNode, Port, TensorType } from './graph.ts';
import { typeOf } from './graph.ts';
import type { OnnxModel, OnnxNode, OnnxAttribute, OnnxTensor, OnnxValue } from './onnx-proto.ts';
import { ONNX_TYPE } from './onnx-proto.ts';
import type { OnnxAttr, OnnxEmitter, OnnxTarget } from './op.ts';
import { opRecord } from './ops/table.ts';
import type { Shape } from './shape.ts';
import { isSymbolic, symbolOf } from './shape.ts';

export interface WriteOptions {
  readonly target: OnnxTarget;
  /** Default 20. */
  readonly opset?: number;
  /** Parameters that become initialisers named like the state instead of inputs `p:<name>`. */
  readonly weights?: (name: string) => { readonly data: TypedArray; readonly shape: Shape; readonly dtype: Dtype };
  /** Leaves updates (outputs `n:<name>`) out. Default: true for `export` only. */
  readonly dropUpdates?: boolean;
  readonly metadata?: Readonly<Record<string, string>>;
  readonly graphName?: string;
}

/** Name of the output that carries `graph.commitIf`. */
export const COMMIT_OUTPUT = '%commit';

/** ONNX element type of a dtype. */
export function elemTypeOf(dtype: Dtype): number {
  return ONNX_TYPE[dtype];
}

/**
 * Writes a graph as an ONNX model.
 *
 * @throws CairnError `name_collision` when two values of the model would share a name
 * @example
 * const bytes = encodeModel(writeOnnx(def.graph, { target: 'train' }));
 */
export function writeOnnx(graph: Graph, options: WriteOptions): OnnxModel {
  return new Emitter(graph, options).model();
}

class Emitter implements OnnxEmitter {
  readonly target: OnnxTarget;
  readonly opset: number;
  readonly #graph: Graph;
  readonly #options: WriteOptions;
  readonly #nodes: {
    opType: string;
    domain: string;
    name: string;
    inputs: string[];
    outputs: string[];
    attributes: Record<string, OnnxAttribute>;
  }[] = [];
  readonly #initializers: OnnxTensor[] = [];
  readonly #names = new Map<number, readonly string[]>();
  readonly #shared = new Map<string, string>();
  readonly #reads = new Set<string>();
  readonly #produced = new Set<string>();
  #next = 0;
  #current = '';

  constructor(graph: Graph, options: WriteOptions) {
    this.#graph = graph;
    this.#options = options;
    this.target = options.target;
    this.opset = options.opset ?? 20;
  }

  name(port: Port): string {
    const name = this.#names.get(port.node)?.[port.port];
    if (name === undefined || name === '') {
      const node = this.#graph.nodes[port.node];
      throw new CairnError(
        'unbound_port',
        `Expected a written value, got port ${port.port} of ${node?.op ?? 'no node'}.`,
        {
          hint: 'The lowering of this op must bind all used outputs.',
        },
      );
    }
    return name;
  }

  type(port: Port): TensorType {
    return typeOf(this.#graph, port);
  }

  used(node: GraphNode, port: number): boolean {
    return this.#reads.has(`${node.id}.${port}`);
  }

  node(
    opType: string,
    inputs: readonly string[],
    attrs: Readonly<Record<string, OnnxAttr>> = {},
    outputs = 1,
    domain = '',
  ): string[] {
    if (domain !== '' && this.target === 'export') {
      throw new CairnError('bad_lowering', `Expected an operator of the standard domain, got ${domain}:${opType}.`, {
        hint: 'Give the op a lowering for the target `export`.',
      });
    }
    const names = Array.from({ length: outputs }, () => this.#fresh());
    const attributes: Record<string, OnnxAttribute> = {};
    for (const [key, value] of Object.entries(attrs)) attributes[key] = toAttribute(value);
    for (const name of names) this.#produced.add(name);
    this.#nodes.push({
      opType,
      domain,
      name: `${this.#current}/${names[0]}`,
      inputs: [...inputs],
      outputs: names,
      attributes,
    });
    return names;
  }

  i64(values: readonly number[]): string {
    return this.#once(`i64|${values.join(',')}`, () => {
      const data = BigInt64Array.from(values, (v) => BigInt(v));
      return { elemType: ONNX_TYPE.i64, dims: [values.length], raw: new Uint8Array(data.buffer) };
    });
  }

  scalar(value: number, dtype: Dtype): string {
    return this.#once(`scalar|${dtype}|${Object.is(value, -0) ? '-0' : value}`, () => ({
      elemType: elemTypeOf(dtype),
      dims: [],
      raw: rawBytes(convert(Float64Array.of(value), 'f64', dtype)),
    }));
  }

  tensor(data: TypedArray, shape: Shape, dtype: Dtype): string {
    const name = this.#fresh();
    this.#initializers.push({ name, elemType: elemTypeOf(dtype), dims: [...shape], raw: rawBytes(data) });
    return name;
  }

  bind(node: GraphNode, outputs: readonly string[]): void {
    if (outputs.length !== node.outputs.length) {
      throw new CairnError(
        'bad_lowering',
        `Expected ${node.outputs.length} outputs from the lowering of ${node.op}, got ${outputs.length}.`,
      );
    }
    this.#names.set(node.id, outputs);
  }

  model(): OnnxModel {
    const graph = this.#graph;
    const dropUpdates = this.#options.dropUpdates ?? this.target === 'export';
    for (const n of graph.nodes) for (const p of n.inputs) this.#reads.add(`${p.node}.${p.port}`);
    const results = this.#results(graph, dropUpdates);
    for (const { port } of results) this.#reads.add(`${port.node}.${port.port}`);
    const inputs = this.#leaves(graph);
    for (const node of graph.nodes) this.#lower(node);
    const outputs = this.#outputs(results);
    const nodes: OnnxNode[] = this.#nodes;
    this.#assertDistinct(inputs);
    const domains = new Set(nodes.map((n) => n.domain));
    return {
      irVersion: this.opset >= 21 ? 10 : 9,
      producer: 'cairn',
      opsets: [
        { domain: '', version: this.opset },
        ...(domains.has('com.microsoft') ? [{ domain: 'com.microsoft', version: 1 }] : []),
      ],
      graphName: this.#options.graphName ?? 'main',
      nodes,
      initializers: this.#initializers,
      inputs,
      outputs,
      metadata: this.#options.metadata ?? {},
    };
  }

  #results(graph: Graph, dropUpdates: boolean): { name: string; port: Port }[] {
    const results = graph.outputs.map(({ name, port }) => ({ name, port }));
    if (dropUpdates) return results;
    for (const { state, port } of graph.updates) results.push({ name: `n:${state}`, port });
    if (graph.commitIf) results.push({ name: COMMIT_OUTPUT, port: graph.commitIf });
    return results;
  }

  /** Binds inputs and parameters; returns what the model takes as inputs. */
  #leaves(graph: Graph): OnnxValue[] {
    const values: OnnxValue[] = [];
    const add = (name: string, node: number): void => {
      const type = typeOf(graph, { node, port: 0 });
      values.push({ name, elemType: elemTypeOf(type.dtype), dims: this.#dims(type.shape) });
      this.#names.set(node, [name]);
    };
    for (const { name, node } of graph.inputs) add(name, node);
    for (const { name, node } of graph.params) {
      const weight = this.#options.weights?.(name);
      if (!weight) {
        add(`p:${name}`, node);
        continue;
      }
      this.#initializers.push({
        name,
        elemType: elemTypeOf(weight.dtype),
        dims: [...weight.shape],
        raw: rawBytes(weight.data),
      });
      this.#names.set(node, [name]);
    }
    return values;
  }

  #lower(node: GraphNode): void {
    if (this.#names.has(node.id)) return;
    if (node.op === 'const') {
      const type = node.outputs[0]!;
      this.#names.set(node.id, [this.tensor(node.constant!, type.shape, type.dtype)]);
      return;
    }
    this.#current = `${node.scope}/${node.op}`;
    opRecord(node.op).onnx(this, node);
    if (!this.#names.has(node.id)) {
      throw new CairnError('bad_lowering', `Expected the lowering of ${node.op} to bind its outputs, got none.`);
    }
  }

  /** Gives results their names: the producer is renamed where that is possible, otherwise an Identity is added. */
  #outputs(results: readonly { name: string; port: Port }[]): OnnxValue[] {
    const renamed = new Map<string, string>();
    const identities: { from: string; to: string }[] = [];
    for (const { name, port } of results) {
      const from = this.name(port);
      if (this.#produced.has(from) && !renamed.has(from)) renamed.set(from, name);
      else identities.push({ from, to: name });
    }
    const move = (name: string): string => renamed.get(name) ?? name;
    for (const n of this.#nodes) {
      n.inputs = n.inputs.map(move);
      n.outputs = n.outputs.map(move);
    }
    for (const { from, to } of identities) {
      this.#nodes.push({
        opType: 'Identity',
        domain: '',
        name: `/output/${to}`,
        inputs: [move(from)],
        outputs: [to],
        attributes: {},
      });
    }
    return results.map(({ name, port }) => {
      const type = typeOf(this.#graph, port);
      return { name, elemType: elemTypeOf(type.dtype), dims: this.#dims(type.shape) };
    });
  }

  /** Two values of one name are silent poison: ONNX Runtime takes an initialiser for the default of an input. */
  #assertDistinct(inputs: readonly OnnxValue[]): void {
    const seen = new Set<string>();
    const claim = (name: string): void => {
      if (name === '') return;
      if (seen.has(name)) {
        throw new CairnError('name_collision', `Expected distinct value names, got \`${name}\` twice.`, {
          hint: 'Rename the input, output or parameter.',
        });
      }
      seen.add(name);
    };
    for (const v of inputs) claim(v.name);
    for (const t of this.#initializers) claim(t.name);
    for (const n of this.#nodes) for (const o of n.outputs) claim(o);
  }

  #dims(shape: Shape): (number | string)[] {
    return shape.map((d) => {
      if (!isSymbolic(d)) return d;
      const { symbol, offset } = symbolOf(d);
      const name = this.#graph.symbols[symbol] ?? `s${symbol}`;
      return offset === 0 ? name : `${name}+${offset}`;
    });
  }

  #fresh(): string {
    return `%${this.#next++}`;
  }

  #once(key: string, make: () => Omit<OnnxTensor, 'name'>): string {
    const known = this.#shared.get(key);
    if (known !== undefined) return known;
    const name = this.#fresh();
    this.#initializers.push({ name, ...make() });
    this.#shared.set(key, name);
    return name;
  }
}

function toAttribute(value: OnnxAttr): OnnxAttribute {
  if (typeof value === 'number') return { kind: 'int', value };
  if (typeof value === 'string') return { kind: 'string', value };
  if ('float' in value) return { kind: 'float', value: value.float };
  return { kind: 'ints', value };
}

/** The bytes of an array, without copying. Typed arrays are little endian on every platform Node runs on. */
function rawBytes(data: TypedArray): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}
