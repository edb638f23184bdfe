// The executor over ONNX Runtime, whatever form of it is given: one session per distinct model, kept in a least-recently-used
// cache; state is fed as `p:<name>`, comes back as `n:<name>` and is swapped in place between two buffers where the runtime writes
// into given ones. Loading a runtime is in ort-node.ts and ort-web.ts.
import type * as Ort from 'onnxruntime-node';
import type { InferenceSession, Tensor as OrtTensor } from 'onnxruntime-node';
import { CairnError } from '../errors.ts';
import type { Dtype, TypedArray } from './dtype.ts';
import { allocate } from './dtype.ts';
import type { OnnxTarget } from './op.ts';
import type { CompileOptions, Executor, Feed, HostTensor, ModelState, Program, ProgramStats } from './executor.ts';
import { checkEntry, resolveFeeds } from './executor.ts';
import type { Graph, ProgramDef } from './graph.ts';
import { typeOf } from './graph.ts';
import { encodeModel } from './onnx-proto.ts';
import { COMMIT_OUTPUT, writeOnnx } from './onnx-write.ts';
import type { CacheEvent, Lease } from './program.ts';
import { hashBytes, ProgramCache, siteOf } from './program.ts';
import { graphStats } from './reference.ts';
import { sizeOf } from './shape.ts';

/** What is used of a runtime: `onnxruntime-node` and `onnxruntime-web` have the same API. */
export type OrtRuntime = Pick<typeof Ort, 'InferenceSession' | 'Tensor'>;

/** Optimisations of the runtime that are switched off, since they undo ours. */
export const ORT_OPTIMIZATION = {
  // The first would undo the explicit transposes of long reductions (see ops/matmul.ts). The second makes a Gemm
  // that first writes its bias to every row on one thread: a separate Add is faster.
  disable_specified_optimizers: 'MatmulTransposeFusion;MatMulAddFusion',
} as const;

/** How graphs are written and optimised for a provider of the runtime. */
export function graphsFor(provider: string): {
  readonly target: OnnxTarget;
  readonly optimization: { readonly disable_specified_optimizers: string };
} {
  if (provider !== 'webgpu') return { target: 'train', optimization: ORT_OPTIMIZATION };
  // Pad_Fusion gives zeros back to convolutions whose kernel gets them wrong (see ops/_conv-onnx.ts).
  const off = `${ORT_OPTIMIZATION.disable_specified_optimizers};Pad_Fusion`;
  return { target: 'webgpu', optimization: { disable_specified_optimizers: off } };
}

export interface OrtRuntimeOptions {
  readonly id: string;
  readonly threads: number;
  readonly session: InferenceSession.SessionOptions;
  /** Whom graphs are written for. Default 'train'. */
  readonly target?: OnnxTarget;
  /** The runtime writes results into arrays that it is given. */
  readonly writesInto: boolean;
  readonly cacheSize?: number;
  readonly log?: (event: CacheEvent) => void;
}

const ORT_TYPE = {
  f32: 'float32',
  f64: 'float64',
  f16: 'float16',
  i32: 'int32',
  u32: 'uint32',
  bool: 'bool',
} as const satisfies Record<Dtype, string>;

/** Runs graphs with ONNX Runtime. Made by `createOrtExecutor` (Node) and `createOrtWebExecutor` (browsers). */
export class OrtExecutor implements Executor, AsyncDisposable {
  readonly id: string;
  readonly threads: number;
  readonly #ort: OrtRuntime;
  readonly #options: OrtRuntimeOptions;
  readonly #cache: ProgramCache<InferenceSession>;
  /** Sessions that belong to one program each. */
  readonly #own = new Set<InferenceSession>();

  constructor(ort: OrtRuntime, options: OrtRuntimeOptions) {
    this.#ort = ort;
    this.#options = options;
    this.id = options.id;
    this.threads = options.threads;
    this.#cache = new ProgramCache({
      capacity: options.cacheSize ?? 32,
      dispose: (session) => session.release(),
      ...(options.log === undefined ? {} : { log: options.log }),
    });
  }

  async compile(def: ProgramDef, options: CompileOptions = {}): Promise<Program> {
    const { graph } = def;
    const { threads = this.threads } = options;
    const state = checkState(graph, options.state);
    const target = this.#options.target ?? 'train';
    const into = this.#options.writesInto;
    if (options.frozen === true && state && graph.updates.length === 0) {
      const weights = (name: string): HostTensor => state.borrow(name);
      const lease = await this.#lone(encodeModel(writeOnnx(graph, { target, weights })), threads);
      return new OrtProgram(this.#ort, { graph: { ...graph, params: [] } }, undefined, lease, into);
    }
    const bytes = encodeModel(writeOnnx(graph, { target }));
    const lease = await this.#cache.acquire({
      key: threads === this.threads ? hashBytes(bytes) : `${hashBytes(bytes)} on ${threads}`,
      bytes,
      site: siteOf(graph),
      create: () => this.#createSession(bytes, threads),
    });
    return new OrtProgram(this.#ort, def, state, lease, into);
  }

  /** A session that the cache does not keep: it would keep the weights in its bytes too. */
  async #lone(bytes: Uint8Array, threads: number): Promise<Lease<InferenceSession>> {
    const session = await this.#createSession(bytes, threads);
    const own = this.#own;
    own.add(session);
    return {
      value: session,
      get closed() {
        return !own.has(session);
      },
      async release() {
        if (own.delete(session)) await session.release();
      },
    };
  }

  async #createSession(bytes: Uint8Array, threads: number): Promise<InferenceSession> {
    const { session } = this.#options;
    try {
      return await this.#ort.InferenceSession.create(
        bytes,
        threads === this.threads ? session : { ...session, intraOpNumThreads: threads },
      );
    } catch (cause) {
      throw new CairnError('compile_failed', `Expected a model that ONNX Runtime accepts, got: ${messageOf(cause)}`, {
        hint: 'The node name in the message is `scope/op`.',
        cause,
      });
    }
  }

  /** Releases every session; programs of this executor no longer run. */
  async dispose(): Promise<void> {
    await this.#cache.clear();
    for (const session of this.#own) await session.release();
    this.#own.clear();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.dispose();
  }
}

function checkState(graph: Graph, state: ModelState | undefined): ModelState | undefined {
  if (graph.params.length === 0) return state;
  if (!state) {
    throw new CairnError('missing_state', `Expected a state with ${graph.params.length} entries, got none.`, {
      hint: 'Pass `{ state: ModelState.init(def, rng) }` to compile.',
    });
  }
  for (const spec of graph.params) checkEntry(spec, state.borrow(spec.name));
  return state;
}

/** Runs on one state never overlap: a run reads what the run before it wrote. */
const queues = new WeakMap<object, Promise<unknown>>();

class OrtProgram implements Program {
  readonly #ort: OrtRuntime;
  readonly #writesInto: boolean;
  readonly #def: ProgramDef;
  readonly #state: ModelState | undefined;
  readonly #lease: Lease<InferenceSession>;
  readonly #updates: readonly { name: string; output: string; dtype: Dtype; shape: readonly number[] }[];
  readonly #tensors = new WeakMap<TypedArray, OrtTensor>();
  readonly #spare = new Map<string, TypedArray>();
  #disposed = false;

  constructor(
    ort: OrtRuntime,
    def: ProgramDef,
    state: ModelState | undefined,
    lease: Lease<InferenceSession>,
    writesInto: boolean,
  ) {
    this.#ort = ort;
    this.#writesInto = writesInto;
    this.#def = def;
    this.#state = state;
    this.#lease = lease;
    this.#updates = def.graph.updates.map(({ state: name, port }) => ({
      name,
      output: `n:${name}`,
      ...typeOf(def.graph, port),
    }));
  }

  async run(
    feeds: Readonly<Record<string, Feed>>,
    into: Readonly<Record<string, HostTensor>> = {},
  ): Promise<Record<string, HostTensor>> {
    const state = this.#state;
    if (!state) return this.#once(feeds, into);
    const turn = (queues.get(state) ?? Promise.resolve()).then(() => this.#once(feeds, into));
    const settled = turn.catch(() => undefined);
    queues.set(state, settled);
    return turn;
  }

  async #once(
    feeds: Readonly<Record<string, Feed>>,
    into: Readonly<Record<string, HostTensor>>,
  ): Promise<Record<string, HostTensor>> {
    if (this.#disposed || this.#lease.closed) {
      throw new CairnError('program_disposed', 'Expected a live program, got one that was disposed.');
    }
    const inputs: Record<string, OrtTensor> = {};
    const resolved = resolveFeeds(this.#def, feeds);
    this.#def.graph.inputs.forEach(({ name }, i) => {
      inputs[name] = this.#wrap(resolved[i]!);
    });
    for (const { name } of this.#def.graph.params) inputs[`p:${name}`] = this.#stateTensor(name);
    const outputs: Record<string, OrtTensor | null> = {};
    for (const { name } of this.#def.graph.outputs) {
      const given = this.#writesInto ? into[name] : undefined;
      outputs[name] = given ? this.#wrap(given) : null;
    }
    if (this.#def.graph.commitIf) outputs[COMMIT_OUTPUT] = null;
    for (const u of this.#updates) outputs[u.output] = this.#writesInto ? this.#spareTensor(u) : null;
    const results = await this.#execute(inputs, outputs);
    this.#commit(results);
    const returned: Record<string, HostTensor> = {};
    for (const { name, port } of this.#def.graph.outputs) {
      const { dtype } = typeOf(this.#def.graph, port);
      returned[name] = (this.#writesInto ? into[name] : undefined) ?? toHost(results[name]!, dtype);
    }
    return returned;
  }

  async #execute(
    inputs: Record<string, OrtTensor>,
    outputs: Record<string, OrtTensor | null>,
  ): Promise<Readonly<Record<string, OrtTensor>>> {
    try {
      return (await this.#lease.value.run(inputs, outputs)) as Record<string, OrtTensor>;
    } catch (cause) {
      throw new CairnError('run_failed', `Expected the program to run, got: ${messageOf(cause)}`, {
        hint: 'The node name in the message is `scope/op`; indices must lie inside their table.',
        cause,
      });
    }
  }

  /** Makes the spare arrays the state, unless the graph says that this run does not count. */
  #commit(results: Readonly<Record<string, OrtTensor>>): void {
    if (this.#def.graph.commitIf && (results[COMMIT_OUTPUT]!.data as Uint8Array)[0] === 0) return;
    for (const { name, output, dtype, shape } of this.#updates) {
      const next = this.#writesInto ? this.#spare.get(name)! : toHost(results[output]!, dtype).data;
      const old = this.#state!.swap(name, { data: next, shape, dtype });
      if (old && this.#writesInto) this.#spare.set(name, old);
      else this.#spare.delete(name);
    }
  }

  #stateTensor(name: string): OrtTensor {
    return this.#cached(this.#state!.borrow(name));
  }

  #spareTensor(u: { name: string; dtype: Dtype; shape: readonly number[] }): OrtTensor {
    let data = this.#spare.get(u.name);
    if (!data) {
      data = allocate(u.dtype, sizeOf(u.shape));
      this.#spare.set(u.name, data);
    }
    return this.#cached({ data, shape: u.shape, dtype: u.dtype });
  }

  #cached(t: HostTensor): OrtTensor {
    let tensor = this.#tensors.get(t.data);
    if (!tensor) {
      tensor = this.#wrap(t);
      this.#tensors.set(t.data, tensor);
    }
    return tensor;
  }

  #wrap(t: HostTensor): OrtTensor {
    return new this.#ort.Tensor(ORT_TYPE[t.dtype], t.data as Float32Array, t.shape) as OrtTensor;
  }

  stats(): ProgramStats {
    return graphStats(this.#def.graph);
  }

  async dispose(): Promise<void> {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#spare.clear();
    await this.#lease.release();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.dispose();
  }
}

function toHost(t: OrtTensor, dtype: Dtype): HostTensor {
  const raw = t.data as TypedArray;
  const data = dtype === 'f16' && !(raw instanceof Uint16Array) ? viewAsBits(raw) : raw;
  return { data, shape: t.dims, dtype };
}

/** Newer Node versions return f16 tensors as Float16Array; their bits are what Cairn stores. */
function viewAsBits(raw: {
  readonly buffer: ArrayBufferLike;
  readonly byteOffset: number;
  readonly length: number;
}): Uint16Array {
  return new Uint16Array(raw.buffer, raw.byteOffset, raw.length);
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
