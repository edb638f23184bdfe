// Latent semantic features of prompts without any weights shipped: hashed tokens, inverse document frequencies and the leading
// singular vectors, all fitted on one's own unlabelled prompts. Lexical: a paraphrase in other words lands elsewhere.
import { CairnError } from '../../errors.ts';
import type { Rng } from '../../tensor/index.ts';
import type { Encoder } from '../encoder.ts';
import { HashedCounts, type HashKind } from './hashed-counts.ts';
import { rightSingularVectors, type SparseRows } from './sparse.ts';
import { Surface, SURFACE_SIZE } from './surface.ts';

export interface LsaOptions {
  readonly rng: Rng;
  /** Default `unicode-v1`; `ascii-v1` has words, pairs and windows only, as published. */
  readonly kind?: HashKind;
  /** 2^bits hash cells. Default 15. */
  readonly bits?: number;
  /** Latent dimensions at most. Default 128. */
  readonly dim?: number;
  /** Weight of one standard deviation of the surface numbers beside the unit latent vector. Default 0.1; `ascii-v1` 0. */
  readonly surface?: number;
  /** Prompts the basis is fitted on at most (a random subset of more). Default 20,000. */
  readonly maxPrompts?: number;
}

/** Everything an encoder consists of; arrays as they are stored. */
export interface LsaParts {
  readonly kind: HashKind;
  readonly bits: number;
  /** Latent dimensions. */
  readonly latent: number;
  readonly surfaceWeight: number;
  /** Fitting prompts. */
  readonly prompts: number;
  /** [R] hash cells that have a row, ascending. */
  readonly cells: Int32Array;
  /** [R] inverse document frequency of each. */
  readonly idf: Float32Array;
  /** [R, latent] basis in 8 bits, times `scale` of its row. */
  readonly basis: Int8Array;
  /** [R] */
  readonly scale: Float32Array;
  /** [SURFACE_SIZE] mean and spread of the surface numbers over the fitting prompts. */
  readonly surfaceMean: Float32Array;
  readonly surfaceSpread: Float32Array;
}

/** Fewer fitting prompts than this give no basis worth having: a fixed random projection is used until more come. */
export const FEW_PROMPTS = 50;
const PROJECTION_DIM = 128;
const PROJECTION_ENTRIES = 8;
const SPREAD_LIMIT = 4;

/** Features of prompts: [latent] of unit length (zero for a text without a known token), then the weighted surface numbers. */
export class LsaEncoder implements Encoder<string> {
  readonly id: string;
  readonly dim: number;
  readonly flop: number;
  readonly parts: LsaParts;
  readonly #counts: HashedCounts;
  readonly #row: Int32Array; // [2^bits] row of a cell, -1 without
  readonly #rows: Float32Array; // [R, latent] idf x basis
  readonly #surface = new Surface();
  readonly #measured = new Float64Array(SURFACE_SIZE);
  readonly #sum: Float64Array;
  /** Places in `#rows` of the tokens of a text that have a row, and their weights. */
  readonly #known: Int32Array;
  readonly #weights: Float64Array;

  constructor(parts: LsaParts) {
    const { bits, latent, cells } = parts;
    if (
      parts.basis.length !== cells.length * latent ||
      parts.idf.length !== cells.length ||
      parts.scale.length !== cells.length
    ) {
      throw new CairnError(
        'bad_features',
        `Expected ${cells.length} rows of ${latent} numbers, got ${parts.basis.length}.`,
        {
          hint: 'Fit the features again.',
        },
      );
    }
    this.parts = parts;
    this.id = `lsa/${parts.kind}/${bits}/${latent}${parts.surfaceWeight > 0 ? '+surface' : ''}`;
    this.dim = latent + (parts.surfaceWeight > 0 ? SURFACE_SIZE : 0);
    this.flop = 2 * 512 * latent; // of a prompt of some hundred words
    this.#counts = new HashedCounts(parts.kind, bits);
    this.#row = new Int32Array(2 ** bits).fill(-1);
    this.#rows = new Float32Array(parts.basis.length);
    for (let r = 0; r < cells.length; r++) {
      this.#row[cells[r]!] = r;
      const unit = parts.scale[r]!;
      for (let d = 0; d < latent; d++) this.#rows[r * latent + d] = parts.basis[r * latent + d]! * unit;
    }
    this.#sum = new Float64Array(latent);
    this.#known = new Int32Array(cells.length);
    this.#weights = new Float64Array(cells.length);
  }

  /** True when there were too few prompts for a basis and tokens are projected at random. */
  get projected(): boolean {
    return this.parts.cells.length === 0;
  }

  embed(text: string, out: Float32Array, offset: number): void {
    const { latent, surfaceWeight } = this.parts;
    const sum = this.#sum;
    sum.fill(0);
    const counts = this.#counts;
    counts.count(text);
    if (this.projected) this.#project();
    else {
      let norm = 0;
      let known = 0;
      for (let i = 0; i < counts.size; i++) {
        const cell = counts.touched[i]!;
        const row = this.#row[cell]!;
        if (row < 0) continue;
        const weight = (1 + Math.log(counts.counts[cell]!)) * this.parts.idf[row]!;
        norm += weight * weight;
        this.#known[known] = row * latent;
        this.#weights[known++] = weight;
      }
      addRows(this.#rows, latent, this.#known, this.#weights, known, sum);
      if (norm > 0) for (let d = 0, unit = 1 / Math.sqrt(norm); d < latent; d++) sum[d] = sum[d]! * unit;
    }
    let length = 0;
    for (let d = 0; d < latent; d++) length += sum[d]! * sum[d]!;
    const unit = 1 / (Math.sqrt(length) + 1e-9);
    for (let d = 0; d < latent; d++) out[offset + d] = sum[d]! * unit;
    if (surfaceWeight === 0) return;
    this.#surface.measure(text, this.#measured);
    for (let s = 0; s < SURFACE_SIZE; s++) {
      const z =
        counts.size === 0 ? 0 : (this.#measured[s]! - this.parts.surfaceMean[s]!) / this.parts.surfaceSpread[s]!;
      out[offset + latent + s] = surfaceWeight * Math.max(-SPREAD_LIMIT, Math.min(SPREAD_LIMIT, z));
    }
  }

  /** Every occurring cell adds its weight with a fixed sign to a few fixed coordinates. */
  #project(): void {
    const { counts, touched, size } = this.#counts;
    for (let i = 0; i < size; i++) {
      const weight = 1 + Math.log(counts[touched[i]!]!);
      for (let e = 0; e < PROJECTION_ENTRIES; e++) {
        const h = spread(touched[i]! * PROJECTION_ENTRIES + e);
        const d = h % PROJECTION_DIM;
        this.#sum[d] = this.#sum[d]! + (h & 0x40000000 ? weight : -weight);
      }
    }
  }
}

/** sum += weight x row over the rows, in their order; four at a time, so that a sum is loaded and stored a quarter as often. */
function addRows(
  rows: Float32Array,
  latent: number,
  places: Int32Array,
  weights: Float64Array,
  count: number,
  sum: Float64Array,
): void {
  let i = 0;
  for (; i + 4 <= count; i += 4) {
    const a = places[i]!;
    const b = places[i + 1]!;
    const c = places[i + 2]!;
    const e = places[i + 3]!;
    const wa = weights[i]!;
    const wb = weights[i + 1]!;
    const wc = weights[i + 2]!;
    const we = weights[i + 3]!;
    for (let d = 0; d < latent; d++) {
      sum[d] = sum[d]! + wa * rows[a + d]! + wb * rows[b + d]! + wc * rows[c + d]! + we * rows[e + d]!;
    }
  }
  for (; i < count; i++) {
    const a = places[i]!;
    const w = weights[i]!;
    for (let d = 0; d < latent; d++) sum[d] = sum[d]! + w * rows[a + d]!;
  }
}

/**
 * Fits features on unlabelled prompts.
 * @example
 * const encoder = fitLsa(prompts, { rng: new Rng(7) });
 * embedAll(encoder, ['How many apples are left?']); // [1, encoder.dim]
 */
export function fitLsa(texts: readonly string[], options: LsaOptions): LsaEncoder {
  const kind = options.kind ?? 'unicode-v1';
  const bits = options.bits ?? 15;
  const limit = options.maxPrompts ?? 20_000;
  const chosen = texts.length > limit ? options.rng.fork('subset').choice(texts.length, limit).sort() : undefined;
  const sample = chosen ? Array.from(chosen, (i) => texts[i]!) : texts;
  const surfaceWeight = options.surface ?? (kind === 'ascii-v1' ? 0 : 0.1);
  const surface = surfaceMoments(sample);
  const common = { kind, bits, surfaceWeight, prompts: texts.length, ...surface } as const;
  const none = {
    cells: new Int32Array(0),
    idf: new Float32Array(0),
    basis: new Int8Array(0),
    scale: new Float32Array(0),
  };
  const few: LsaParts = { ...common, latent: PROJECTION_DIM, ...none };
  if (sample.length < FEW_PROMPTS) return new LsaEncoder(few);
  const { y, cells, idf } = weightedRows(sample, new HashedCounts(kind, bits));
  const want = Math.min(options.dim ?? 128, sample.length - 1, cells.length);
  if (want < 1) return new LsaEncoder(few);
  const { vectors, k } = rightSingularVectors(y, want, options.rng.fork('lsa'));
  if (k < 1) return new LsaEncoder(few);
  return new LsaEncoder({ ...common, latent: k, cells, idf, ...toEightBits(vectors, k) });
}

/** Rows of tf x idf of unit length; columns are the cells that at least two texts have. */
function weightedRows(
  texts: readonly string[],
  counts: HashedCounts,
): { y: SparseRows; cells: Int32Array; idf: Float32Array } {
  const size = 2 ** counts.bits;
  const df = new Int32Array(size);
  const rowStart = new Int32Array(texts.length + 1);
  let found = new Int32Array(1 << 16);
  let tf = new Float64Array(1 << 16);
  let end = 0;
  for (const [i, text] of texts.entries()) {
    counts.count(text);
    if (end + counts.size > found.length) {
      found = grown(found, end + counts.size, Int32Array);
      tf = grown(tf, end + counts.size, Float64Array);
    }
    for (let t = 0; t < counts.size; t++) {
      const cell = counts.touched[t]!;
      df[cell] = df[cell]! + 1;
      found[end] = cell;
      tf[end++] = 1 + Math.log(counts.counts[cell]!);
    }
    rowStart[i + 1] = end;
  }
  const cells = Int32Array.from({ length: size }, (_, c) => c).filter((c) => df[c]! >= 2);
  const column = new Int32Array(size).fill(-1);
  cells.forEach((cell, r) => (column[cell] = r));
  const idf = Float32Array.from(cells, (cell) => Math.log((1 + texts.length) / (1 + df[cell]!)));
  const kept = {
    rowStart: new Int32Array(texts.length + 1),
    column: new Int32Array(end),
    value: new Float64Array(end),
  };
  let to = 0;
  for (let i = 0; i < texts.length; i++) {
    const from = to;
    let norm = 0;
    for (let e = rowStart[i]!; e < rowStart[i + 1]!; e++) {
      const c = column[found[e]!]!;
      if (c < 0) continue;
      const value = tf[e]! * idf[c]!;
      norm += value * value;
      kept.column[to] = c;
      kept.value[to++] = value;
    }
    const unit = norm > 0 ? 1 / Math.sqrt(norm) : 0;
    for (let e = from; e < to; e++) kept.value[e] = kept.value[e]! * unit;
    kept.rowStart[i + 1] = to;
  }
  return { y: { rows: texts.length, cols: cells.length, ...kept }, cells, idf };
}

/** Rows in 8 bits with a scale each. */
function toEightBits(vectors: Float64Array, k: number): { basis: Int8Array; scale: Float32Array } {
  const rows = vectors.length / k;
  const basis = new Int8Array(vectors.length);
  const scale = new Float32Array(rows);
  for (let r = 0; r < rows; r++) {
    let top = 0;
    for (let d = 0; d < k; d++) top = Math.max(top, Math.abs(vectors[r * k + d]!));
    scale[r] = top / 127;
    if (top > 0) for (let d = 0; d < k; d++) basis[r * k + d] = Math.round((vectors[r * k + d]! / top) * 127);
  }
  return { basis, scale };
}

function surfaceMoments(texts: readonly string[]): { surfaceMean: Float32Array; surfaceSpread: Float32Array } {
  const surface = new Surface();
  const row = new Float64Array(SURFACE_SIZE);
  const sum = new Float64Array(SURFACE_SIZE);
  const squares = new Float64Array(SURFACE_SIZE);
  for (const text of texts) {
    surface.measure(text, row);
    for (let s = 0; s < SURFACE_SIZE; s++) {
      sum[s] = sum[s]! + row[s]!;
      squares[s] = squares[s]! + row[s]! ** 2;
    }
  }
  const n = Math.max(1, texts.length);
  const variance = (s: number): number => Math.max(0, squares[s]! / n - (sum[s]! / n) ** 2);
  return {
    surfaceMean: Float32Array.from(sum, (v) => v / n),
    // A number that never varied says nothing: an infinite spread makes it zero.
    surfaceSpread: Float32Array.from(sum, (_, s) => (variance(s) > 1e-12 ? Math.sqrt(variance(s)) : Infinity)),
  };
}

function grown<A extends Int32Array | Float64Array>(a: A, least: number, make: new (n: number) => A): A {
  const out = new make(Math.max(2 * a.length, least));
  out.set(a);
  return out;
}

function spread(x: number): number {
  let h = Math.imul(x ^ 0x9e3779b9, 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) & 0x7fffffff;
}
