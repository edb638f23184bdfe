// The manifold hash: a network whose embedding depends on which manifold (class) an input lies on and not on where, so that
// classes it never saw are told apart from one example each. Trains, embeds, hashes and exports; the graphs are in
// network.ts. Source: For Manifold Learning, DNNs can be Locality Sensitive Hash Functions (arXiv 2103.06875).
import { CairnError } from '../../errors.ts';
import { epochBatches } from '../../data/index.ts';
import { exportOnnx, type Executor, ModelState, orthogonal, type Program, Rng } from '../../tensor/index.ts';
import type { Layer } from '../module.ts';
import { train, type TrainProgress } from '../trainer.ts';
import { embeddingProgram, type ManifoldNetwork, manifoldStep, wideEncoder } from './network.ts';

export interface ManifoldHashOptions {
  /** Numbers of one network input. */
  readonly inputSize: number;
  /** Runs the graphs; stays the caller's. */
  readonly executor: Executor;
  readonly seed: number;
  /** Numbers of an embedding. Default 128. */
  readonly width?: number;
  /** `[B, inputSize] -> [B, width]`. Default: the paper's, 1,024 random ReLU features and a trained linear map. */
  readonly encoder?: Layer;
  /** Prefixes of parameter names that stay as drawn. Default none. */
  readonly fixed?: readonly string[];
  /** Output layer on the raw embedding (default), or scaled cosines. */
  readonly head?: 'linear' | 'cosine';
  /** Factor of cosines; only for `cosine`. Default 16. */
  readonly scale?: number;
  /** Factor of the sum of squares of the trained matrices. Default 1e-4. */
  readonly penalty?: number;
}

export interface FitOptions {
  readonly steps: number;
  /** Default 128. */
  readonly batchSize?: number;
  /** Largest learning rate of Adam. Default 1e-3. */
  readonly rate?: number;
  /**
   * Makes a network input of one row of `xs`, for training: a distortion, or another representation. Rows may then have
   * any length. Default: the row itself.
   */
  readonly augment?: (row: Float32Array, rng: Rng, out: Float32Array, index: number) => void;
  readonly onProgress?: (p: TrainProgress) => void;
  readonly signal?: AbortSignal;
  /** Seconds since any fixed moment. */
  readonly clock?: () => number;
}

/** The class of each query and how near it is. */
export interface OneShot {
  /** Index of the nearest prototype, or the id of its class when ids were given. */
  readonly id: Int32Array;
  /** Cosine with that prototype. */
  readonly cosine: Float32Array;
}

const ADAM = { beta1: 0.9, beta2: 0.999 };
const CHUNK = 256;

/**
 * A hash of inputs that ignores where on their manifold they lie.
 *
 * @example
 * const hash = new ManifoldHash({ inputSize: 64, executor, seed: 7 });
 * await hash.fit(xs, ids, { steps: 600 }); // xs [n, 64], ids [n]
 * const { id } = await hash.oneShot(support, queries); // one example of each class, then anything
 */
export class ManifoldHash implements AsyncDisposable {
  readonly network: ManifoldNetwork;
  readonly #executor: Executor;
  readonly #rng: Rng;
  #state: ModelState | undefined;
  #mean: Float32Array | undefined;
  #rotation: Float64Array | undefined;
  #program: Promise<Program> | undefined;

  constructor(options: ManifoldHashOptions) {
    const { inputSize, width = 128, penalty = 1e-4, scale = 16 } = options;
    for (const [name, value] of Object.entries({ inputSize, width })) {
      if (!Number.isInteger(value) || value < 1) {
        throw new CairnError('bad_option', `Expected a positive integer as ${name}, got ${value}.`);
      }
    }
    if (!(penalty >= 0) || !(scale > 0)) {
      throw new CairnError('bad_option', `Expected penalty >= 0 and scale > 0, got ${penalty} and ${scale}.`);
    }
    this.network = {
      inputSize,
      width,
      penalty,
      scale,
      encoder: options.encoder ?? wideEncoder(inputSize, 1024, width),
      fixed: options.fixed ?? [],
      head: options.head ?? 'linear',
    };
    this.#executor = options.executor;
    this.#rng = new Rng(options.seed).fork('manifold-hash');
  }

  /**
   * Trains on rows with the id of their manifold, from fresh weights. Same seed, data and executor: same bits.
   * @param xs rows one after the other; `[n, inputSize]` unless `augment` is given
   * @param ids `[n]` any integers
   * @throws CairnError `shape_mismatch`, `bad_ids` (fewer than two), `not_finite`, `aborted`, `diverged`
   */
  async fit(xs: Float32Array, ids: ArrayLike<number>, options: FitOptions): Promise<{ loss: number; classes: number }> {
    const { inputSize } = this.network;
    const n = ids.length;
    const rowSize = n === 0 ? 0 : xs.length / n;
    if (!Number.isInteger(rowSize) || rowSize === 0 || (options.augment === undefined && rowSize !== inputSize)) {
      throw new CairnError('shape_mismatch', `Expected ${n} rows of ${inputSize} numbers, got ${xs.length} numbers.`, {
        hint: 'Pass one id per row.',
      });
    }
    const bad = xs.findIndex((v) => !Number.isFinite(v));
    if (bad >= 0) {
      throw new CairnError(
        'not_finite',
        `Expected finite numbers, got ${xs[bad]} in row ${Math.floor(bad / rowSize)}.`,
      );
    }
    const names = [...new Set(Array.from(ids))].sort((a, b) => a - b);
    if (names.length < 2) throw new CairnError('bad_ids', `Expected at least two manifolds, got ${names.length}.`);
    const classOf = new Map(names.map((name, i) => [name, i] as const));
    const batchSize = Math.min(options.batchSize ?? 128, n);
    const def = manifoldStep(this.network, names.length, batchSize, ADAM);
    const state = ModelState.init(def, this.#rng.fork('weights'));
    const batches = epochBatches({ count: n, batchSize, rng: this.#rng.fork('order') });
    const augment = options.augment ?? ((row: Float32Array, _: Rng, out: Float32Array): void => out.set(row));
    await using program = await this.#executor.compile(def, { state });
    const result = await train({
      program,
      state,
      feeds: (step) => {
        const x = new Float32Array(batchSize * inputSize);
        const y = new Int32Array(batchSize);
        const rng = this.#rng.fork('augment').fork(step);
        batches.at(step).forEach((row, i) => {
          const to = x.subarray(i * inputSize, (i + 1) * inputSize);
          augment(xs.subarray(row * rowSize, (row + 1) * rowSize), rng, to, row);
          y[i] = classOf.get(ids[row]!)!;
        });
        return { x, y };
      },
      schedule: { kind: 'cosine', peak: options.rate ?? 1e-3, warmup: 0.05, final: 0.01 },
      ...ADAM,
      length: { steps: options.steps },
      clock: options.clock ?? ((): number => performance.now() / 1000),
      ...(options.onProgress === undefined ? {} : { onProgress: options.onProgress }),
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    });
    if (result.reason === 'aborted') {
      throw new CairnError('aborted', `Expected ${options.steps} steps, got an abort after ${result.position.step}.`);
    }
    await this.dispose();
    this.#state = state;
    this.#mean = undefined;
    if (rowSize === inputSize) this.#mean = meanRow(await this.embed(xs), this.network.width);
    return { loss: result.position.smoothedLoss ?? result.loss, classes: names.length };
  }

  /**
   * Unit embeddings `[n, width]` of inputs `[n, inputSize]`.
   * @throws CairnError `not_trained`, `shape_mismatch`
   */
  async embed(xs: Float32Array): Promise<Float32Array> {
    const state = this.#trained();
    const { inputSize, width } = this.network;
    const n = xs.length / inputSize;
    if (!Number.isInteger(n)) {
      throw new CairnError('shape_mismatch', `Expected rows of ${inputSize} numbers, got ${xs.length} numbers.`);
    }
    this.#program ??= this.#executor.compile(embeddingProgram(this.network, 'symbolic'), { state });
    const program = await this.#program;
    const out = new Float32Array(n * width);
    for (let at = 0; at < n; at += CHUNK) {
      const rows = Math.min(CHUNK, n - at);
      const data = xs.slice(at * inputSize, (at + rows) * inputSize);
      const { embedding } = await program.run({ x: { data, shape: [rows, inputSize], dtype: 'f32' } });
      out.set(embedding!.data as Float32Array, at * width);
    }
    return out;
  }

  /**
   * Bits of embeddings: signs of a random rotation of the embedding less the mean over the rows of `fit` (less nothing where
   * those rows were no network inputs). `ceil(width / 32)` words a row; rows of one manifold differ in few bits.
   */
  async hash(xs: Float32Array): Promise<Uint32Array> {
    const r = await this.embed(xs);
    const { width } = this.network;
    this.#rotation ??= orthogonal()(this.#rng.fork('rotation'), [width, width]) as Float64Array;
    const mean = this.#mean ?? new Float32Array(width);
    const words = Math.ceil(width / 32);
    const out = new Uint32Array((r.length / width) * words);
    for (let row = 0; row < r.length / width; row++) {
      for (let bit = 0; bit < width; bit++) {
        let sum = 0;
        for (let k = 0; k < width; k++) sum += this.#rotation[bit * width + k]! * (r[row * width + k]! - mean[k]!);
        if (sum > 0) out[row * words + (bit >>> 5)]! |= 1 << (bit & 31);
      }
    }
    return out;
  }

  /**
   * Names queries from one or a few examples of each class: nearest prototype by cosine.
   * @param support `[k, inputSize]`
   * @param query `[n, inputSize]`
   * @param ids class of every support row; default: every row is a class of its own, numbered from 0
   */
  async oneShot(support: Float32Array, query: Float32Array, ids?: ArrayLike<number>): Promise<OneShot> {
    const known = await this.embed(support);
    return nearestPrototype(known, await this.embed(query), this.network.width, ids);
  }

  /** The embedding as a plain .onnx file: `x [batch, inputSize] -> embedding [batch, width]`. */
  toOnnx(): Uint8Array<ArrayBuffer> {
    return exportOnnx(embeddingProgram(this.network, 'symbolic'), this.#trained());
  }

  async dispose(): Promise<void> {
    const program = this.#program;
    this.#program = undefined;
    if (program) await (await program).dispose();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose();
  }

  #trained(): ModelState {
    if (this.#state === undefined) {
      throw new CairnError('not_trained', 'Expected a trained manifold hash, got one without weights.', {
        hint: 'Call fit first.',
      });
    }
    return this.#state;
  }
}

/**
 * The class of each query embedding by its nearest prototype: the normalised mean of the support rows of a class.
 * @param support `[k, width]` unit rows
 * @param query `[n, width]` unit rows
 */
export function nearestPrototype(
  support: Float32Array,
  query: Float32Array,
  width: number,
  ids?: ArrayLike<number>,
): OneShot {
  const k = support.length / width;
  if (k < 1 || (ids !== undefined && ids.length !== k)) {
    throw new CairnError('shape_mismatch', `Expected one id for each of ${k} support rows, got ${ids?.length ?? 0}.`);
  }
  const names = ids === undefined ? Array.from({ length: k }, (_, i) => i) : [...new Set(Array.from(ids))];
  const prototypes = new Float64Array(names.length * width);
  for (let i = 0; i < k; i++) {
    const to = ids === undefined ? i : names.indexOf(ids[i]!);
    for (let j = 0; j < width; j++) prototypes[to * width + j]! += support[i * width + j]!;
  }
  for (let c = 0; c < names.length; c++) {
    const row = prototypes.subarray(c * width, (c + 1) * width);
    const length = Math.sqrt(row.reduce((s, v) => s + v * v, 0)) || 1;
    for (let j = 0; j < width; j++) row[j]! /= length;
  }
  const n = query.length / width;
  const id = new Int32Array(n);
  const cosine = new Float32Array(n);
  for (let q = 0; q < n; q++) {
    let best = -Infinity;
    for (let c = 0; c < names.length; c++) {
      let dot = 0;
      for (let j = 0; j < width; j++) dot += prototypes[c * width + j]! * query[q * width + j]!;
      if (dot > best) {
        best = dot;
        id[q] = names[c]!;
      }
    }
    cosine[q] = best;
  }
  return { id, cosine };
}

function meanRow(rows: Float32Array, width: number): Float32Array {
  const mean = new Float32Array(width);
  const n = rows.length / width;
  for (let i = 0; i < rows.length; i++) mean[i % width]! += rows[i]! / n;
  return mean;
}
