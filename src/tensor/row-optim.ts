// Sparse updates of large tables. A parameter with the tag `rows` that is only read by `gather` is differentiated with
// respect to the rows that were read; the program returns those gradients, and the host updates just these rows of the
// state in place. A step then costs the same for a table of a thousand rows and of a million.
// Row-wise AdaGrad: Duchi et al. (2011), one accumulator a row; lazy Adam: moments of rows that were not read stay as they are.
import { CairnError } from '../errors.ts';
import { adamOnRows, createRowSums, type Read } from './_row-loops.ts';
import type { Builder } from './builder.ts';
import { allocate } from './dtype.ts';
import type { HostTensor, ModelState } from './executor.ts';
import { grad } from './grad.ts';
import { type ParamSpec, type ProgramDef, typeOf } from './graph.ts';
import type { Gradient } from './optim.ts';
import { sizeOf } from './shape.ts';
import type { Tensor } from './tensor.ts';

/** The tag of parameters that are updated row by row. */
export const ROWS = 'rows';

/** One read of a table: `rows = gather(table, index)`. */
interface Lookup {
  readonly spec: ParamSpec;
  readonly rows: Tensor;
  readonly index: Tensor;
}

const OUTPUT = /^rows:(gradient|index):(\d+):(.+)$/;
const outputName = (what: 'gradient' | 'index', k: number, name: string): string => `rows:${what}:${k}:${name}`;

/**
 * Gradients of `loss` for all trained parameters but those with the tag `rows`, for which the program gets outputs that
 * `createRowOptimizer` reads. The latter take no part in the global norm.
 * @throws CairnError `not_a_lookup` when a `rows` parameter is read by anything but `gather` along axis 0
 */
export function gradientsWithRows(
  b: Builder,
  loss: Tensor,
  only: (spec: ParamSpec) => boolean = () => true,
): Gradient[] {
  const trained = b.trainable().filter(({ spec }) => only(spec));
  const whole = trained.filter(({ spec }) => !spec.tags.includes(ROWS));
  const lookups = trained.filter(({ spec }) => spec.tags.includes(ROWS)).flatMap(({ spec }) => lookupsOf(b, spec));
  const gradients = grad(loss, [...whole.map((t) => t.tensor), ...lookups.map((l) => l.rows)]);
  const counts = new Map<string, number>();
  lookups.forEach(({ spec, index }, i) => {
    const k = counts.get(spec.name) ?? 0;
    counts.set(spec.name, k + 1);
    b.output(outputName('gradient', k, spec.name), gradients[whole.length + i]!);
    b.output(outputName('index', k, spec.name), index);
  });
  return whole.map(({ spec, tensor }, i) => ({ spec, param: tensor, gradient: gradients[i]! }));
}

function lookupsOf(b: Builder, spec: ParamSpec): Lookup[] {
  const readers = b.nodes().filter((n) => n.inputs.some((p) => p.node === spec.node));
  const other = readers.find((n) => n.op !== 'gather' || n.inputs[0]!.node !== spec.node || n.attrs['axis'] !== 0);
  if (other) {
    throw new CairnError(
      'not_a_lookup',
      `Expected \`${spec.name}\` to be read by gather along axis 0 only, got ${other.op} in \`${other.scope}\`.`,
      { hint: `Drop the tag \`${ROWS}\` to train the whole table.` },
    );
  }
  return readers.map((n) => ({ spec, rows: b.at({ node: n.id, port: 0 }), index: b.at(n.inputs[1]!) }));
}

export interface RowRule {
  /** Default `adam`. `adagrad` keeps one number a row instead of two a value. */
  readonly rule?: 'adam' | 'adagrad';
  /** Factor of the learning rate. Default 1. */
  readonly rateScale?: number;
  /** Of Adam. Defaults 0.9, 0.95 and 1e-8. */
  readonly beta1?: number;
  readonly beta2?: number;
  readonly eps?: number;
}

/** The feeds of a step that an update needs, as fed to the program. */
export interface RowStep {
  readonly lr: number;
  readonly c1: number;
  readonly c2: number;
}

/** Arrays for the gradients that a program gives to `createRowOptimizer`, to be written by each run. */
export function rowGradientArrays({ graph }: ProgramDef): Record<string, HostTensor> {
  const arrays: Record<string, HostTensor> = {};
  for (const { name, port } of graph.outputs) {
    if (OUTPUT.exec(name)?.[1] !== 'gradient') continue;
    const { shape, dtype } = typeOf(graph, port);
    arrays[name] = { data: allocate(dtype, sizeOf(shape)), shape, dtype };
  }
  return arrays;
}

/** Updates the rows that a run of the program read, from its outputs; call it after runs that count. */
export type RowOptimizer = (outputs: Readonly<Record<string, HostTensor>>, step: RowStep) => void;

/**
 * The host part for a program built with `gradientsWithRows`; undefined when it has no such tables. Moments are state
 * entries `m:<name>` and `v:<name>` and are made when missing. With every row read in every step, Adam gives the weights of
 * the optimiser in the graph.
 * @example
 * const update = createRowOptimizer(step, state, { rateScale: 3 });
 * const out = await program.run(feeds);
 * update?.(out, feeds);
 */
export function createRowOptimizer(
  def: ProgramDef,
  state: ModelState,
  options: RowRule = {},
): RowOptimizer | undefined {
  const lookups = new Map<string, number>();
  for (const { name } of def.graph.outputs) {
    const found = OUTPUT.exec(name);
    if (found?.[1] === 'gradient') lookups.set(found[3]!, (lookups.get(found[3]!) ?? 0) + 1);
  }
  if (lookups.size === 0) return undefined;
  const tables = def.graph.params.filter((p) => lookups.has(p.name)).map((spec) => tableOf(spec, state, options));
  return (outputs, step) => {
    for (const { spec, update } of tables) {
      const reads = Array.from({ length: lookups.get(spec.name)! }, (_, k) => ({
        index: outputs[outputName('index', k, spec.name)]!.data,
        gradient: outputs[outputName('gradient', k, spec.name)]!.data,
      }));
      update(reads, step);
    }
  };
}

function tableOf(
  spec: ParamSpec,
  state: ModelState,
  options: RowRule,
): { spec: ParamSpec; update: (reads: readonly Read[], step: RowStep) => void } {
  const { rule = 'adam', rateScale = 1, beta1 = 0.9, beta2 = 0.95, eps = 1e-8 } = options;
  const rows = spec.shape[0]!;
  const width = sizeOf(spec.shape.slice(1));
  const moment = (prefix: string, shape: readonly number[]): void => {
    const name = `${prefix}:${spec.name}`;
    if (!state.has(name)) state.set(name, { data: zerosLike(spec, sizeOf(shape)), shape, dtype: spec.dtype });
  };
  if (rule === 'adam') moment('m', spec.shape);
  moment('v', rule === 'adam' ? spec.shape : [rows]);
  const sumByRow = createRowSums(rows, width);
  const update = (reads: readonly Read[], { lr, c1, c2 }: RowStep): void => {
    const read = sumByRow(reads);
    if (!read.finite) return;
    const w = state.writable(spec.name);
    const v = state.writable(`v:${spec.name}`);
    if (rule === 'adagrad') {
      const { count, touched, sums } = read;
      for (let place = 0; place < count; place++) {
        const row = touched[place]!;
        let square = 0;
        for (let k = 0; k < width; k++) square += sums[place * width + k]! ** 2;
        v[row] = v[row]! + square / width;
        const step = (lr * rateScale) / (Math.sqrt(v[row]!) + eps);
        for (let k = 0; k < width; k++) w[row * width + k] = w[row * width + k]! - step * sums[place * width + k]!;
      }
      return;
    }
    const m = state.writable(`m:${spec.name}`);
    const spread = Math.sqrt(c2 / (1 - beta2));
    const step = (lr * rateScale * (1 - beta1) * spread) / c1;
    adamOnRows(w, m, v, read, width, { beta1, beta2, step, floor: spread * eps });
  };
  return { spec, update };
}

function zerosLike(spec: ParamSpec, size: number): Float32Array | Float64Array {
  return spec.dtype === 'f64' ? new Float64Array(size) : new Float32Array(size);
}
