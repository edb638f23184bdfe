// What runs a graph. An executor compiles a program once; the program is then run with feeds and returns host arrays.
// State (parameters, moments) is kept in one `ModelState` that several programs of a model share.
import { CairnError } from '../errors.ts';
import type { Dtype, TypedArray } from './dtype.ts';
import { convert, dtypeOf } from './dtype.ts';
import type { ParamSpec, ProgramDef } from './graph.ts';
import type { Rng } from './rng.ts';
import type { Shape } from './shape.ts';
import { sameShape, shapeText, sizeOf } from './shape.ts';

/** A tensor with its numbers, on the host, row-major. */
export interface HostTensor {
  readonly data: TypedArray;
  readonly shape: Shape;
  readonly dtype: Dtype;
}

/** What may be fed for an input: a tensor, the numbers of the declared shape, or one number for a rank-0 input. */
export type Feed = HostTensor | TypedArray | number;

export interface ProgramStats {
  readonly nodes: number;
  /** Floating-point operations of one run, from the op records. */
  readonly flops: number;
  /** Bytes of all state entries the program reads. */
  readonly bytesParams: number;
  /** Bytes written by all nodes: an upper estimate of what is alive at once. */
  readonly bytesActivationsEstimate: number;
}

export interface CompileOptions {
  /** The state the program reads and updates. Required when the program has parameters. */
  readonly state?: ModelState;
  /**
   * The state as it is now becomes part of the program, which is faster where runs are short; changes that come later are not
   * seen. Only for programs without updates. An executor may do without: it then reads the state as ever. Default false.
   */
  readonly frozen?: boolean;
  /** At most so many threads inside an operator, where the executor has a choice. Default: as many as it uses elsewhere. */
  readonly threads?: number;
}

export interface Program extends AsyncDisposable {
  /**
   * Runs once. Feeds are checked by name, shape and dtype. State entries with an update are replaced.
   * @param into arrays of the right size for some of the outputs; an executor that can writes into them instead of new ones
   */
  run(
    feeds: Readonly<Record<string, Feed>>,
    into?: Readonly<Record<string, HostTensor>>,
  ): Promise<Record<string, HostTensor>>;
  stats(): ProgramStats;
  dispose(): Promise<void>;
}

export interface Executor {
  readonly id: string;
  compile(def: ProgramDef, options?: CompileOptions): Promise<Program>;
  dispose(): Promise<void>;
}

/**
 * Named state of a model. Arrays that callers may hold are replaced, never changed in place, so a snapshot is a copy of the map.
 *
 * @example
 * const state = ModelState.init(def, new Rng(7));
 * state.get('w').shape; // [2, 3]
 */
export class ModelState {
  readonly #entries = new Map<string, HostTensor>();
  /** Arrays that callers may hold; they are never written again. */
  readonly #handedOut = new WeakSet<TypedArray>();

  /** Makes every entry the program needs; each gets `rng.fork(name)`, so entries do not depend on each other. */
  static init(def: ProgramDef, rng: Rng): ModelState {
    return new ModelState().ensure(def, rng);
  }

  /** Adds the entries that are missing and checks the shapes of those that are there. */
  ensure(def: ProgramDef, rng: Rng): this {
    for (const spec of def.graph.params) {
      const present = this.#entries.get(spec.name);
      if (present) checkEntry(spec, present);
      else this.set(spec.name, initial(spec, rng.fork(spec.name)));
    }
    return this;
  }

  has(name: string): boolean {
    return this.#entries.has(name);
  }

  /** @throws CairnError `unknown_state` */
  get(name: string): HostTensor {
    const entry = this.borrow(name);
    this.#handedOut.add(entry.data);
    return entry;
  }

  /** For executors: the entry, without counting its array as known outside. Do not keep it beyond a run. */
  borrow(name: string): HostTensor {
    const entry = this.#entries.get(name);
    if (!entry) {
      throw new CairnError('unknown_state', `Expected a state entry, got \`${name}\`, which does not exist.`, {
        hint: 'Create it with ModelState.init or state.ensure.',
      });
    }
    return entry;
  }

  /** Replaces or adds an entry. The array is taken over, not copied. */
  set(name: string, tensor: HostTensor): void {
    if (tensor.data.length !== sizeOf(tensor.shape)) {
      throw new CairnError(
        'shape_mismatch',
        `Expected ${sizeOf(tensor.shape)} values for ${shapeText(tensor.shape)}, got ${tensor.data.length} in \`${name}\`.`,
      );
    }
    this.#handedOut.add(tensor.data);
    this.#entries.set(name, tensor);
  }

  /**
   * For executors: replaces an entry and returns the array it had when nobody outside knows that array, so that it can be
   * written again.
   */
  swap(name: string, next: HostTensor): TypedArray | undefined {
    const old = this.borrow(name).data;
    this.#entries.set(name, next);
    return this.#handedOut.has(old) ? undefined : old;
  }

  /**
   * The numbers of an entry for changing them in place: a copy takes the entry's place first when callers may hold them.
   */
  writable(name: string): TypedArray {
    const entry = this.borrow(name);
    if (!this.#handedOut.has(entry.data)) return entry.data;
    const data = entry.data.slice();
    this.#entries.set(name, { ...entry, data });
    return data;
  }

  delete(name: string): boolean {
    return this.#entries.delete(name);
  }

  /** Names in the order of their creation. */
  names(): string[] {
    return [...this.#entries.keys()];
  }

  entries(): IterableIterator<[string, HostTensor]> {
    for (const { data } of this.#entries.values()) this.#handedOut.add(data);
    return this.#entries.entries();
  }

  /** A copy that shares no array with this one; floats become `dtype` when it is given. */
  clone(dtype?: 'f32' | 'f64'): ModelState {
    const copy = new ModelState();
    for (const [name, t] of this.#entries) {
      const to = dtype !== undefined && (t.dtype === 'f32' || t.dtype === 'f64') ? dtype : t.dtype;
      copy.#entries.set(name, {
        data: to === t.dtype ? t.data.slice() : convert(t.data, t.dtype, to),
        shape: t.shape,
        dtype: to,
      });
    }
    return copy;
  }
}

/**
 * The feeds of a program in the order of its inputs, checked: unknown and missing names, sizes, dtypes. Symbolic
 * dimensions are resolved from `HostTensor` feeds and must agree.
 */
export function resolveFeeds(def: ProgramDef, feeds: Readonly<Record<string, Feed>>): HostTensor[] {
  const { inputs, nodes } = def.graph;
  const known = new Set(inputs.map((x) => x.name));
  for (const name of Object.keys(feeds)) {
    if (!known.has(name)) {
      throw new CairnError(
        'unknown_feed',
        `Expected one of ${[...known].join(', ') || 'no inputs'}, got \`${name}\`.`,
        {
          hint: 'Remove it or declare the input in the program.',
        },
      );
    }
  }
  return inputs.map(({ name, node }) => {
    const feed = feeds[name];
    const type = nodes[node]!.outputs[0]!;
    if (feed === undefined) {
      throw new CairnError(
        'missing_feed',
        `Expected a value for input \`${name}\` ${type.dtype}${shapeText(type.shape)}, got none.`,
      );
    }
    return hostFeed(name, feed, type.shape, type.dtype);
  });
}

function hostFeed(name: string, feed: Feed, shape: Shape, dtype: Dtype): HostTensor {
  if (typeof feed === 'number') {
    const data = convert(Float64Array.of(feed), 'f64', dtype);
    return hostFeed(name, data, shape, dtype);
  }
  const tensor = isHostTensor(feed) ? feed : { data: feed, shape, dtype: dtypeOf(feed) };
  if (tensor.dtype !== dtype) {
    throw new CairnError('dtype_mismatch', `Expected ${dtype} for input \`${name}\`, got ${tensor.dtype}.`, {
      hint: 'Feed the matching typed array.',
    });
  }
  const fits = shape.length === tensor.shape.length && shape.every((d, i) => d < 0 || d === tensor.shape[i]);
  if (!fits || tensor.data.length !== sizeOf(tensor.shape)) {
    throw new CairnError(
      'shape_mismatch',
      `Expected ${shapeText(shape)} for input \`${name}\`, got ${tensor.data.length} values of shape ${shapeText(tensor.shape)}.`,
    );
  }
  return tensor;
}

function isHostTensor(feed: HostTensor | TypedArray): feed is HostTensor {
  return 'dtype' in feed;
}

function initial(spec: ParamSpec, rng: Rng): HostTensor {
  const values = spec.init(rng, spec.shape);
  if (values.length !== sizeOf(spec.shape)) {
    throw new CairnError(
      'shape_mismatch',
      `Expected ${sizeOf(spec.shape)} initial values for \`${spec.name}\`, got ${values.length}.`,
    );
  }
  const from = dtypeOf(values);
  return {
    data: from === spec.dtype ? values : convert(values, from, spec.dtype),
    shape: spec.shape,
    dtype: spec.dtype,
  };
}

/** Throws when a state entry does not fit the parameter that reads it. */
export function checkEntry(spec: ParamSpec, entry: HostTensor): void {
  if (entry.dtype !== spec.dtype || !sameShape(entry.shape, spec.shape)) {
    throw new CairnError(
      'state_mismatch',
      `Expected ${spec.dtype}${shapeText(spec.shape)} for state \`${spec.name}\`, got ${entry.dtype}${shapeText(entry.shape)}.`,
      { hint: 'Load the checkpoint that belongs to this model, or convert it with state.clone(dtype).' },
    );
  }
}
