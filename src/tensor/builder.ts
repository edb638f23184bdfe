// The builder collects the nodes of one program. Equal nodes (same op, inputs and attributes) are one node, names are
// unique, and hook points may be captured, patched or fed. It computes nothing.
import { CairnError } from '../errors.ts';
import { contentHash, nodeKey, sameValues } from './_node-key.ts';
import type { Dtype, TypedArray } from './dtype.ts';
import { allocate, dtypeOf, toHalf } from './dtype.ts';
import type {
  Attrs,
  Graph,
  GraphInput,
  GraphNode,
  GraphOutput,
  GraphUpdate,
  Init,
  ParamSpec,
  Port,
  ProgramDef,
  TensorType,
} from './graph.ts';
import { pruneGraph } from './graph.ts';
import type { OpRecord } from './op.ts';
import { where } from './ops/elementwise.ts';
import type { Shape } from './shape.ts';
import { sameShape, shapeText, sizeOf, symbolicDim } from './shape.ts';
import { Tensor } from './tensor.ts';

/** Replaces the tensor at a hook point for all its consumers. */
export type Patch = (x: Tensor, context: { readonly name: string; readonly builder: Builder }) => Tensor;

/** The gradient of a custom op: from outputs, their cotangents (undefined: zero) and the inputs to one cotangent per input. */
export type CustomBackward = (
  outputs: readonly Tensor[],
  cotangents: readonly (Tensor | undefined)[],
  inputs: readonly Tensor[],
) => readonly (Tensor | undefined)[];

export interface ProgramOptions {
  /** Element type of parameters and of inputs without a stated type. Default f32. */
  readonly dtype?: 'f32' | 'f64';
  /** Hook points to return as outputs of the same name. */
  readonly capture?: string | RegExp | readonly (string | RegExp)[];
  /** Replacements of hook points, compiled in and differentiable. */
  readonly patch?: Readonly<Record<string, Patch>>;
  /** Hook points that get an input `patch:<name>` and a scalar bool input `mask:<name>`: fed when the mask is 1. */
  readonly feedPatch?: readonly string[];
}

export interface ParamOptions {
  /** Default: true for rank 2 and more. */
  readonly decay?: boolean;
  readonly trainable?: boolean;
  readonly tags?: readonly string[];
  readonly dtype?: Dtype;
}

/**
 * Builds a program once per shape.
 *
 * @example
 * const def = defineProgram((b) => {
 *   const x = b.input('x', [2, 3]);
 *   b.output('y', x.matmul(b.param('w', [3, 4], normal(0.02))).relu());
 * });
 * def.graph.outputs[0]?.name; // 'y'
 */
export function defineProgram(build: (b: Builder) => void, options: ProgramOptions = {}): ProgramDef {
  const builder = new Builder(options);
  build(builder);
  return { graph: builder.finish() };
}

export class Builder {
  readonly dtype: 'f32' | 'f64';
  readonly #options: ProgramOptions;
  readonly #nodes: GraphNode[] = [];
  readonly #records: (OpRecord | undefined)[] = [];
  readonly #byKey = new Map<string, GraphNode>();
  readonly #inputs: GraphInput[] = [];
  readonly #params = new Map<string, ParamSpec>();
  readonly #outputs: GraphOutput[] = [];
  readonly #updates: GraphUpdate[] = [];
  readonly #hooks = new Map<string, Tensor>();
  readonly #made = new Map<string, Tensor>();
  readonly #symbols: string[] = [];
  readonly #names = new Set<string>();
  readonly #backwards: CustomBackward[] = [];
  #commitIf: Tensor | undefined;
  #scope = '';
  #rename = (name: string): string => name;
  #unique = 0;

  constructor(options: ProgramOptions = {}) {
    this.dtype = options.dtype ?? 'f32';
    this.#options = options;
  }

  /** The scope that is open now, e.g. `blocks.0.attn`. */
  get currentScope(): string {
    return this.#scope;
  }

  /** Runs `build` with `name` appended to the scope; scopes serve error messages, profiling and `path`. */
  scope<T>(name: string, build: () => T): T {
    const before = this.#scope;
    this.#scope = before === '' ? name : `${before}.${name}`;
    try {
      return build();
    } finally {
      this.#scope = before;
    }
  }

  /** Runs `build` with the names of parameters it declares changed: how a block reads the weights of another. */
  renaming<T>(rename: (name: string) => string, build: () => T): T {
    const before = this.#rename;
    this.#rename = (name) => before(rename(name));
    try {
      return build();
    } finally {
      this.#rename = before;
    }
  }

  /** A local name with the open scope before it: `wq` in `blocks.0.attn` gives `blocks.0.attn.wq`. */
  path(local: string): string {
    return this.#scope === '' ? local : `${this.#scope}.${local}`;
  }

  /** Declares a symbolic dimension for shapes of inputs, fed with any length (also 0). */
  symbol(name: string): number {
    const known = this.#symbols.indexOf(name);
    return symbolicDim(known >= 0 ? known : this.#symbols.push(name) - 1);
  }

  /** Declares an input. `name` is a full name. */
  input(name: string, shape: Shape, dtype: Dtype = this.dtype): Tensor {
    this.#claim(name, 'input');
    checkDims(name, shape);
    const t = this.#leaf('input', name, { shape: [...shape], dtype }, {});
    this.#inputs.push({ name, node: t.port.node });
    return t;
  }

  /** Declares a parameter, or returns the one of that name when shape and dtype agree. `given` is a full name. */
  param(given: string, shape: Shape, init: Init, options: ParamOptions = {}): Tensor {
    const name = this.#rename(given);
    const dtype = options.dtype ?? this.dtype;
    const known = this.#params.get(name);
    if (known) {
      if (!sameShape(known.shape, shape) || known.dtype !== dtype) {
        throw new CairnError(
          'duplicate_name',
          `Expected ${known.dtype}${shapeText(known.shape)} for parameter \`${name}\`, got ${dtype}${shapeText(shape)}.`,
          { hint: 'Use another name, or the same shape to share the parameter.' },
        );
      }
      return this.#tensor({ node: known.node, port: 0 });
    }
    checkName(name, 'parameter');
    checkDims(name, shape);
    const t = this.#leaf('param', name, { shape: [...shape], dtype }, {});
    this.#params.set(name, {
      name,
      node: t.port.node,
      shape: [...shape],
      dtype,
      init,
      decay: options.decay ?? shape.length > 1,
      trainable: options.trainable ?? true,
      tags: options.tags ?? [],
    });
    return t;
  }

  /** Parameters declared so far. */
  params(): readonly ParamSpec[] {
    return [...this.#params.values()];
  }

  /** Trainable parameters declared so far, as tensors: the usual `wrt` of `grad`. */
  trainable(): { spec: ParamSpec; tensor: Tensor }[] {
    return this.params()
      .filter((spec) => spec.trainable)
      .map((spec) => ({ spec, tensor: this.#tensor({ node: spec.node, port: 0 }) }));
  }

  /**
   * A constant. Plain numbers become the program's float type; typed arrays keep theirs unless `dtype` says otherwise.
   * @param shape default: `[data.length]`, or rank 0 for a number
   */
  constant(data: number | readonly number[] | TypedArray, shape?: Shape, dtype?: Dtype): Tensor {
    if (typeof data === 'number' && (shape === undefined || shape.length === 0)) {
      return this.#scalar(data, dtype ?? this.dtype);
    }
    const list = typeof data === 'number' ? [data] : data;
    const to = dtype ?? (ArrayBuffer.isView(data) ? dtypeOf(data) : this.dtype);
    const dims = shape ?? (typeof data === 'number' ? [] : [list.length]);
    if (sizeOf(dims) !== list.length) {
      throw new CairnError(
        'shape_mismatch',
        `Expected ${sizeOf(dims)} values for a constant ${shapeText(dims)}, got ${list.length}.`,
      );
    }
    const values = allocate(to, list.length);
    const raw = ArrayBuffer.isView(data) && dtypeOf(data) === to;
    if (raw || to !== 'f16') values.set(list);
    else for (let i = 0; i < list.length; i++) values[i] = toHalf(list[i]!);
    return this.#constant(values, dims, to, {});
  }

  /** The tensor that `make` returned for this key before, or now: for constants that cost time to make. */
  once(key: string, make: () => Tensor): Tensor {
    const known = this.#made.get(key);
    if (known) return known;
    const t = make();
    this.#made.set(key, t);
    return t;
  }

  /** Zeros that are never merged with other zeros: a leaf to differentiate by. */
  placeholder(type: TensorType): Tensor {
    const zeros = allocate(type.dtype, sizeOf(type.shape));
    return this.#constant(zeros, type.shape, type.dtype, { unique: ++this.#unique });
  }

  /** Returns `t` from runs under `name`. */
  output(name: string, t: Tensor): void {
    this.#own(t, `output \`${name}\``);
    this.#claim(name, 'output');
    this.#outputs.push({ name, port: t.port });
  }

  /** After a run, state entry `stateName` (a declared parameter) holds the value of `t`. */
  update(stateName: string, t: Tensor): void {
    this.#own(t, `update of \`${stateName}\``);
    const spec = this.#params.get(stateName);
    if (!spec) {
      throw new CairnError('unknown_state', `Expected a declared parameter, got \`${stateName}\`.`, {
        hint: 'Declare it with b.param before updating it.',
      });
    }
    if (!sameShape(spec.shape, t.shape) || spec.dtype !== t.dtype) {
      throw new CairnError(
        'shape_mismatch',
        `Expected ${spec.dtype}${shapeText(spec.shape)} for the update of \`${stateName}\`, got ${t.dtype}${shapeText(t.shape)}.`,
      );
    }
    if (this.#updates.some((u) => u.state === stateName)) {
      throw new CairnError('duplicate_name', `Expected one update of \`${stateName}\`, got a second.`);
    }
    this.#updates.push({ state: stateName, port: t.port });
  }

  /** Commits the updates of a run only if `condition` (rank 0, bool) is true: a guard against non-finite steps. */
  commitIf(condition: Tensor): void {
    this.#own(condition, 'commitIf');
    if (condition.dtype !== 'bool' || condition.shape.length !== 0) {
      throw new CairnError(
        'shape_mismatch',
        `Expected a bool scalar for commitIf, got ${condition.dtype}${shapeText(condition.shape)}.`,
      );
    }
    this.#commitIf = this.#commitIf ? this.#commitIf.and(condition) : condition;
  }

  /**
   * Names a hook point. Costs nothing; the options of `defineProgram` may capture it, patch it or make it fed.
   * @returns what consumers must use from here on
   */
  tap(name: string, t: Tensor): Tensor {
    this.#own(t, `hook \`${name}\``);
    checkName(name, 'hook');
    if (this.#hooks.has(name)) {
      throw new CairnError('duplicate_name', `Expected a new hook name, got \`${name}\` twice.`, {
        hint: 'Use b.path(name) inside a scope.',
      });
    }
    let x = t;
    const patch = this.#options.patch?.[name];
    if (patch) {
      x = patch(x, { name, builder: this });
      if (!sameShape(x.shape, t.shape) || x.dtype !== t.dtype) {
        throw new CairnError(
          'shape_mismatch',
          `Expected ${t.dtype}${shapeText(t.shape)} from the patch of \`${name}\`, got ${x.dtype}${shapeText(x.shape)}.`,
        );
      }
    }
    if (this.#options.feedPatch?.includes(name)) {
      const mask = this.input(`mask:${name}`, [], 'bool');
      x = where(mask, this.input(`patch:${name}`, t.shape, t.dtype), x);
    }
    this.#hooks.set(name, x);
    if (this.#captures(name)) this.output(name, x);
    return x;
  }

  /** Adds a node of `op`, or returns the equal one. Ops call this; model code calls the functions of `ops/`. */
  apply(op: OpRecord, inputs: readonly Tensor[], attrs: Attrs = {}): Tensor[] {
    for (const x of inputs) this.#own(x, op.name);
    const key = nodeKey(op.name, inputs, attrs);
    const known = this.#byKey.get(key);
    if (known) return this.#tensors(known);
    const node: GraphNode = {
      id: this.#nodes.length,
      op: op.name,
      inputs: inputs.map((x) => x.port),
      attrs,
      outputs: this.#infer(op, inputs, attrs),
      scope: this.#scope,
    };
    return this.#tensors(this.#add(node, key, op));
  }

  /** The outputs of the node that `apply` would return, if it exists already. */
  find(op: string, inputs: readonly Tensor[], attrs: Attrs): Tensor[] | undefined {
    const node = this.#byKey.get(nodeKey(op, inputs, attrs));
    return node && this.#tensors(node);
  }

  /** Registers the gradient of a custom op; the number is its `id` attribute. */
  registerBackward(backward: CustomBackward): number {
    return this.#backwards.push(backward) - 1;
  }

  backward(id: number): CustomBackward {
    return this.#backwards[id]!;
  }

  /** Nodes so far; ids are positions. */
  nodes(): readonly GraphNode[] {
    return this.#nodes;
  }

  /** The record of a node; undefined for leaves. */
  record(id: number): OpRecord | undefined {
    return this.#records[id];
  }

  /** The tensor of a port. */
  at(port: Port): Tensor {
    return this.#tensor(port);
  }

  /** The finished graph, without dead nodes. */
  finish(): Graph {
    this.#checkHookOptions();
    return pruneGraph({
      nodes: this.#nodes,
      inputs: this.#inputs,
      params: this.params(),
      outputs: this.#outputs,
      updates: this.#updates,
      ...(this.#commitIf ? { commitIf: this.#commitIf.port } : {}),
      hooks: [...this.#hooks].map(([name, t]) => ({ name, port: t.port })),
      symbols: this.#symbols,
      dtype: this.dtype,
    });
  }

  #infer(op: OpRecord, inputs: readonly Tensor[], attrs: Attrs): readonly TensorType[] {
    try {
      return op.infer(inputs, attrs);
    } catch (error) {
      if (!(error instanceof CairnError)) throw error;
      const place = this.#scope === '' ? op.name : `${op.name} in \`${this.#scope}\``;
      throw new CairnError(error.code, `${error.message} At ${place}.`, {
        ...(error.hint === undefined ? {} : { hint: error.hint }),
        cause: error,
        details: { op: op.name, scope: this.#scope },
      });
    }
  }

  #leaf(op: string, name: string, type: TensorType, attrs: Attrs): Tensor {
    const node = { id: this.#nodes.length, op, inputs: [], attrs, outputs: [type], name, scope: this.#scope };
    return this.#tensors(this.#add(node, undefined, undefined))[0]!;
  }

  #scalar(value: number, dtype: Dtype): Tensor {
    return this.once(`scalar|${dtype}|${Object.is(value, -0) ? '-0' : value}`, () => {
      const values = allocate(dtype, 1);
      values[0] = dtype === 'f16' ? toHalf(value) : value;
      return this.#constant(values, [], dtype, {});
    });
  }

  #constant(values: TypedArray, shape: Shape, dtype: Dtype, attrs: Attrs): Tensor {
    const unique = attrs['unique'] !== undefined;
    for (let attempt = 0; ; attempt++) {
      const key = unique ? undefined : `const|${dtype}|${shape.join(',')}|${contentHash(values)}|${attempt}`;
      const known = key === undefined ? undefined : this.#byKey.get(key);
      if (known?.constant && !sameValues(known.constant, values)) continue;
      if (known) return this.#tensors(known)[0]!;
      const outputs = [{ shape: [...shape], dtype }];
      const node = {
        id: this.#nodes.length,
        op: 'const',
        inputs: [],
        attrs,
        outputs,
        scope: this.#scope,
        constant: values,
      };
      return this.#tensors(this.#add(node, key, undefined))[0]!;
    }
  }

  #add(node: GraphNode, key: string | undefined, record: OpRecord | undefined): GraphNode {
    this.#nodes.push(node);
    this.#records.push(record);
    if (key !== undefined) this.#byKey.set(key, node);
    return node;
  }

  #tensors(node: GraphNode): Tensor[] {
    return node.outputs.map((type, port) => new Tensor(this, { node: node.id, port }, type));
  }

  #tensor(port: Port): Tensor {
    return new Tensor(this, port, this.#nodes[port.node]!.outputs[port.port]!);
  }

  #own(t: Tensor, what: string): void {
    if (t instanceof Tensor && t.builder === this) return;
    const got = t instanceof Tensor ? 'a tensor of another program' : typeof t;
    throw new CairnError('foreign_tensor', `Expected a tensor of this program for ${what}, got ${got}.`, {
      hint: 'Build every part of a program with the same builder.',
    });
  }

  #claim(name: string, what: string): void {
    checkName(name, what);
    if (this.#names.has(name)) {
      throw new CairnError('duplicate_name', `Expected a new ${what} name, got \`${name}\`, which is taken.`, {
        hint: 'Inputs, outputs and captured hooks of a program share one name space.',
      });
    }
    this.#names.add(name);
  }

  #captures(name: string): boolean {
    const capture = this.#options.capture ?? [];
    const list: readonly (string | RegExp)[] =
      typeof capture === 'string' || capture instanceof RegExp ? [capture] : capture;
    return list.some((c) =>
      typeof c === 'string' ? c === name : new RegExp(c.source, c.flags.replace(/[gy]/g, '')).test(name),
    );
  }

  #checkHookOptions(): void {
    const { capture, patch, feedPatch } = this.#options;
    const listed = typeof capture === 'string' ? [capture] : capture instanceof RegExp ? [] : (capture ?? []);
    const names = [...listed.filter((c) => typeof c === 'string'), ...Object.keys(patch ?? {}), ...(feedPatch ?? [])];
    const missing = names.find((name) => !this.#hooks.has(name));
    if (missing === undefined) return;
    const some = [...this.#hooks.keys()].slice(0, 8).join(', ') || 'none';
    throw new CairnError('unknown_hook', `Expected a hook point of this program, got \`${missing}\`. Known: ${some}.`, {
      hint: 'Hook points are the names given to b.tap.',
    });
  }
}

function checkName(name: string, what: string): void {
  if (name === '' || name.startsWith('%') || /^[pn]:/.test(name)) {
    throw new CairnError('bad_name', `Expected a ${what} name that does not start with %, p: or n:, got \`${name}\`.`, {
      hint: 'These prefixes are reserved for generated names.',
    });
  }
}

function checkDims(name: string, shape: Shape): void {
  const bad = shape.find((d) => !Number.isInteger(d) || (d < 0 && d > -(2 ** 24)));
  if (bad !== undefined) {
    throw new CairnError('bad_shape', `Expected dimensions >= 0 for \`${name}\`, got ${bad} in ${shapeText(shape)}.`);
  }
}
