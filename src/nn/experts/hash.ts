// Locality-sensitive hashes as plain data: near vectors share a bucket. Random hyperplanes cut by direction (`angular`) or by
// side (`halfspace`); `euclidean` cuts random projections into cells (Datar et al. 2004). Fixed numbers, never trained; one
// form in the graph, one on the host.
import { CairnError } from '../../errors.ts';
import { type Builder, type ModelState, normal, type Rng, type Tensor, zeros } from '../../tensor/index.ts';

export type HashMetric = 'angular' | 'halfspace' | 'euclidean';

/** Tables of buckets over vectors `[inDim]`. Parameters (not trained) `planes [tables, inDim, hashes]`, `offset [tables, hashes]`. */
export interface LshHash {
  readonly inDim: number;
  /** Buckets of a table: 2^hashes with hyperplanes, cells^hashes with `euclidean`. */
  readonly buckets: number;
  readonly tables: number;
  readonly metric: HashMetric;
  /** Hyperplanes or projections of a table. */
  readonly hashes: number;
}

/** Sizes of a hash. With `euclidean`, `hashes` is free (default 1) as long as `buckets` is a power of that degree. */
export interface LshHashSettings {
  readonly inDim: number;
  readonly buckets: number;
  readonly tables?: number;
  readonly metric?: HashMetric;
  readonly hashes?: number;
}

/**
 * Checks and completes the sizes of a hash.
 * @throws CairnError `bad_experts`
 * @example
 * lshHash({ inDim: 6, buckets: 16 }).hashes; // 4
 */
export function lshHash(settings: LshHashSettings): LshHash {
  const { inDim, buckets, tables = 1, metric = 'angular' } = settings;
  for (const [name, n] of Object.entries({ inDim, buckets, tables })) {
    if (!Number.isInteger(n) || n < 1) throw bad(`\`${name}\` of at least 1`, n);
  }
  if (metric === 'euclidean') {
    const hashes = settings.hashes ?? 1;
    if (!Number.isInteger(hashes) || hashes < 1) throw bad('`hashes` of at least 1', hashes);
    if (Math.round(buckets ** (1 / hashes)) ** hashes !== buckets) {
      throw bad(`\`buckets\` to be a whole number to the power ${hashes}`, buckets);
    }
    return { inDim, buckets, tables, metric, hashes };
  }
  const hashes = Math.log2(buckets);
  if (!Number.isInteger(hashes)) throw bad('`buckets` to be a power of two', buckets);
  if (settings.hashes !== undefined && settings.hashes !== hashes)
    throw bad(`\`hashes\` to be ${hashes} for ${buckets} buckets`, settings.hashes);
  return { inDim, buckets, tables, metric, hashes };
}

function bad(expected: string, got: number): CairnError {
  return new CairnError('bad_experts', `Expected ${expected}, got ${got}.`);
}

/** Buckets of rows in the graph: x `[..., inDim]` to i32 `[..., tables]`. No gradient flows through. */
export function hashBuckets(b: Builder, hash: LshHash, x: Tensor): Tensor {
  const { inDim, tables, hashes, buckets } = hash;
  if (hashes === 0) return b.constant(0, [], 'i32').expand([...x.shape.slice(0, -1), tables]);
  const fixed = { trainable: false, decay: false };
  const planes = b.param(b.path('planes'), [tables, inDim, hashes], normal(1), fixed);
  const offset = b.param(b.path('offset'), [tables, hashes], zeros, fixed);
  const input = (hash.metric === 'angular' ? unit(x) : x).stopGradient();
  const all = tables * hashes;
  const at = input.matmul(planes.transpose([1, 0, 2]).reshape([inDim, all])).add(offset.reshape([all]));
  const base = baseOf(hash);
  const digit = hash.metric === 'euclidean' ? at.floor().mod(base) : at.gt(0).cast(x.dtype);
  const place = b.once(`places|${tables}|${hashes}|${base}`, () => {
    const data = new Float64Array(all * tables);
    for (let i = 0; i < all; i++) data[i * tables + Math.floor(i / hashes)] = base ** (i % hashes);
    return b.constant(data, [all, tables], x.dtype);
  });
  return digit
    .matmul(place)
    .min(buckets - 1)
    .cast('i32');
}

/** `x / |x|` over the last axis; zero stays zero. */
function unit(x: Tensor): Tensor {
  return x.div(x.mul(x).sum(-1, true).add(1e-12).sqrt());
}

function baseOf(hash: LshHash): number {
  return hash.metric === 'euclidean' ? Math.round(hash.buckets ** (1 / hash.hashes)) : 2;
}

/** The numbers of a hash. */
export interface HashPlanes {
  /** `[tables, inDim, hashes]` */
  readonly weight: Float64Array;
  /** `[tables, hashes]` */
  readonly offset: Float64Array;
}

/** Random directions, standard normal, and no offsets: hyperplanes through the origin. */
export function drawPlanes(hash: LshHash, rng: Rng): HashPlanes {
  const weight = new Float64Array(hash.tables * hash.inDim * hash.hashes);
  rng.fillNormal(weight);
  return { weight, offset: new Float64Array(hash.tables * hash.hashes) };
}

/**
 * Random directions laid where the data are: each hyperplane goes through the middle of two random rows, which keeps buckets
 * balanced and no row on a border; with `euclidean` the cells of a projection divide the range of the rows.
 * @param data rows `[N, inDim]`, at least one
 */
export function fitPlanes(hash: LshHash, data: ArrayLike<number>, rng: Rng): HashPlanes {
  const { inDim, tables, hashes } = hash;
  const rows = data.length / inDim;
  if (!Number.isInteger(rows) || rows === 0) {
    throw new CairnError('shape_mismatch', `Expected rows of ${inDim} numbers, got ${data.length} numbers.`);
  }
  const { weight, offset } = drawPlanes(hash, rng.fork('directions'));
  const pick = rng.fork('anchors');
  for (let t = 0; t < tables; t++) {
    for (let r = 0; r < hashes; r++) {
      const project = (row: number): number => projection(hash, weight, data, row, t, r);
      if (hash.metric !== 'euclidean') {
        offset[t * hashes + r] = -(project(pick.integer(rows)) + project(pick.integer(rows))) / 2;
        continue;
      }
      const all = Float64Array.from({ length: rows }, (_, i) => project(i));
      const [low, high] = [all.reduce((a, v) => Math.min(a, v)), all.reduce((a, v) => Math.max(a, v))];
      // A margin keeps rows a little outside the range from wrapping around to the other end.
      const margin = 0.02 * (high - low);
      const scale = baseOf(hash) / Math.max(high - low + 2 * margin, 1e-12);
      for (let i = 0; i < inDim; i++) weight[(t * inDim + i) * hashes + r]! *= scale;
      offset[t * hashes + r] = (margin - low) * scale;
    }
  }
  return { weight, offset };
}

function projection(
  hash: LshHash,
  weight: Float64Array,
  data: ArrayLike<number>,
  row: number,
  t: number,
  r: number,
): number {
  const { inDim, hashes } = hash;
  let [sum, squares] = [0, 0];
  for (let i = 0; i < inDim; i++) {
    const v = data[row * inDim + i]!;
    sum += v * weight[(t * inDim + i) * hashes + r]!;
    squares += v * v;
  }
  return hash.metric === 'angular' ? sum / Math.sqrt(squares + 1e-12) : sum;
}

/** Buckets of rows on the host: `[N * tables]`, row by row; the same as `hashBuckets` but for rounding at the borders. */
export function bucketsOf(hash: LshHash, planes: HashPlanes, data: ArrayLike<number>): Int32Array {
  const { inDim, tables, hashes } = hash;
  const rows = data.length / inDim;
  const base = baseOf(hash);
  const out = new Int32Array(rows * tables);
  for (let row = 0; row < rows; row++) {
    for (let t = 0; t < tables; t++) {
      let [bucket, place] = [0, 1];
      for (let r = 0; r < hashes; r++) {
        const at = projection(hash, planes.weight, data, row, t, r) + planes.offset[t * hashes + r]!;
        const cell = Math.floor(at);
        bucket += place * (hash.metric === 'euclidean' ? cell - base * Math.floor(cell / base) : at > 0 ? 1 : 0);
        place *= base;
      }
      out[row * tables + t] = bucket;
    }
  }
  return out;
}

/** Puts the numbers of a hash under `<prefix>.planes` and `<prefix>.offset`; f32, or f64 on request. */
export function storePlanes(
  state: ModelState,
  prefix: string,
  hash: LshHash,
  planes: HashPlanes,
  dtype: 'f32' | 'f64' = 'f32',
): void {
  const of = (data: Float64Array): Float32Array | Float64Array => (dtype === 'f32' ? Float32Array.from(data) : data);
  const { tables, inDim, hashes } = hash;
  state.set(`${prefix}.planes`, { data: of(planes.weight), shape: [tables, inDim, hashes], dtype });
  state.set(`${prefix}.offset`, { data: of(planes.offset), shape: [tables, hashes], dtype });
}

/**
 * Buckets that ignore nearness: a hash of the bits of each row, the control that shows what nearness is worth.
 * @param data rows `[N, inDim]`
 * @returns `[N * tables]`, row by row
 */
export function randomBuckets(
  sizes: Pick<LshHash, 'inDim' | 'buckets' | 'tables'>,
  data: ArrayLike<number>,
  salt = 0,
): Int32Array {
  const { inDim, buckets, tables } = sizes;
  const rows = data.length / inDim;
  const out = new Int32Array(rows * tables);
  const bits = new Uint32Array(Float32Array.from(data).buffer);
  for (let row = 0; row < rows; row++) {
    for (let t = 0; t < tables; t++) {
      let h = 2166136261;
      for (let i = 0; i < inDim; i++) {
        h = Math.imul(h ^ bits[row * inDim + i]!, 16777619);
        h ^= h >>> 15;
        h = Math.imul(h, (salt * tables + t) * 2 + 1);
        h ^= h >>> 13;
      }
      h = Math.imul(h ^ (h >>> 16), 0x2c1b3c6d);
      out[row * tables + t] = ((h ^ (h >>> 15)) >>> 0) % buckets;
    }
  }
  return out;
}

/** Rows in each bucket of one table. */
export function bucketLoads(buckets: Int32Array, count: number): Int32Array {
  const loads = new Int32Array(count);
  for (const bucket of buckets) loads[bucket]!++;
  return loads;
}
