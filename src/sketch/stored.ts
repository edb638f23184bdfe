// Sketches at rest: quantised, cut short, written to bytes. What is stored is the content (the part that the structure
// does not already know) unless the structure is to be discovered later. Rounding is half away from zero.
import { CairnError } from '../errors.ts';
import { Rng } from '../tensor/index.ts';
import { crc32 } from '../tensor/index.ts';
import { ByteReader, ByteWriter, hash64 } from './_bytes.ts';
import type { Encoded } from './sketcher.ts';
import { type SketchSpec, type SketchDim } from './types.ts';

/** A sketch at rest. Immutable by convention. */
export interface StoredSketch {
  readonly kind: 'stored';
  /** What the maps were made from; `store` says how many bits a number takes. */
  readonly spec: SketchSpec;
  /** `content`: without markers and prior means; `full`: with them, for `discover`. */
  readonly part: 'content' | 'full';
  /** Structure this sketch was made with. */
  readonly structureHash: string;
  /** d' ≤ d numbers kept. */
  readonly kept: number;
  /** 0: the first coordinates in their order; otherwise the seed of the order in which coordinates are kept. */
  readonly order: number;
  /** Value of one step of a code; 1 for f32. */
  readonly step: number;
  /** Root mean square of the rounding error per number, measured when it was stored. */
  readonly noise: number;
  /** [kept] codes; f32 values for `f32`. */
  readonly codes: Int8Array | Float32Array;
}

/** Codes reach from -limit to limit. */
const LIMIT = { i8: 127, i4: 7 } as const;

/** Bits of one stored number. */
export function bitsOf(store: SketchSpec['store']): 32 | 8 | 4 {
  return store === 'f32' ? 32 : store === 'i8' ? 8 : 4;
}

/** Options of `quantise`. */
export interface QuantiseOptions {
  /** Overrides the specification. */
  readonly store?: SketchSpec['store'] | undefined;
  /** `full` keeps markers and means: needed when the structure will not be at hand (`discover`). */
  readonly part?: 'content' | 'full' | undefined;
}

/**
 * Rounds an encoded event to the bits of its store.
 * @example
 * const stored = quantise(encode(event, spec));
 * toBytes(stored).length; // 1,068 at d = 1024 and 8 bits
 */
export function quantise(encoded: Encoded, options: QuantiseOptions = {}): StoredSketch {
  const store = options.store ?? encoded.spec.store;
  const part = options.part ?? 'content';
  const source = part === 'content' ? encoded.content : encoded.values;
  const shape = { structureHash: encoded.structure.hash, part, order: 0, kept: source.length };
  const spec = store === encoded.spec.store ? encoded.spec : { ...encoded.spec, store };
  return { kind: 'stored', spec, ...shape, ...roundTo(source, store) };
}

/** Step, codes and measured noise for the given numbers. */
export function roundTo(
  source: ArrayLike<number>,
  store: SketchSpec['store'],
): Pick<StoredSketch, 'step' | 'codes' | 'noise'> {
  if (store === 'f32') {
    const codes = new Float32Array(source.length);
    let error = 0;
    for (let i = 0; i < source.length; i++) {
      codes[i] = source[i]!;
      error += (codes[i]! - source[i]!) ** 2;
    }
    return { step: 1, codes, noise: Math.fround(Math.sqrt(error / source.length)) };
  }
  const step = Math.fround(store === 'i8' ? stepOfMaximum(source, LIMIT.i8) : stepOfLeastError(source, LIMIT.i4));
  const codes = new Int8Array(source.length);
  const error = step > 0 ? roundInto(source, step, LIMIT[store], codes) : 0;
  return { step, codes, noise: Math.fround(Math.sqrt(error / source.length)) };
}

function stepOfMaximum(source: ArrayLike<number>, limit: number): number {
  let max = 0;
  for (let i = 0; i < source.length; i++) {
    const v = source[i]!;
    if (v > max) max = v;
    else if (-v > max) max = -v;
  }
  return max / limit;
}

/** With few levels clipping the rare large numbers costs less than a coarse step: the best of twelve steps. */
function stepOfLeastError(source: ArrayLike<number>, limit: number): number {
  let best = stepOfMaximum(source, limit);
  if (best === 0) return 0;
  let power = 0;
  for (let i = 0; i < source.length; i++) power += source[i]! * source[i]!;
  const rms = Math.sqrt(power / source.length);
  const codes = new Int8Array(source.length);
  let least = roundInto(source, best, limit, codes);
  for (let k = 0; k < 12; k++) {
    const step = rms * (0.28 + 0.025 * k);
    const error = roundInto(source, step, limit, codes);
    if (error < least) {
      least = error;
      best = step;
    }
  }
  return best;
}

/** Rounds half away from zero; returns the summed squared error. */
function roundInto(source: ArrayLike<number>, step: number, limit: number, codes: Int8Array): number {
  let error = 0;
  for (let i = 0; i < source.length; i++) {
    const value = source[i]!;
    const v = value / step;
    // Truncation towards zero after half a step away from it rounds half away from zero.
    let code = v < 0 ? (v - 0.5) | 0 : (v + 0.5) | 0;
    if (code > limit) code = limit;
    else if (code < -limit) code = -limit;
    codes[i] = code;
    const rest = code * step - value;
    error += rest * rest;
  }
  return error;
}

/** The stored numbers as values. @returns [kept] */
export function dequantise({ codes, step }: StoredSketch): Float64Array {
  const out = new Float64Array(codes.length);
  for (let i = 0; i < out.length; i++) out[i] = codes[i]! * step;
  return out;
}

/** Which coordinates of the d a stored sketch keeps, in the order of its codes. */
export function keptCoordinates(stored: Pick<StoredSketch, 'spec' | 'kept' | 'order'>): Uint32Array {
  if (stored.order === 0) {
    const out = new Uint32Array(stored.kept);
    for (let i = 0; i < out.length; i++) out[i] = i;
    return out;
  }
  return permutationOf(stored.spec, stored.order).subarray(0, stored.kept);
}

function permutationOf(spec: SketchSpec, order: number): Uint32Array {
  return new Rng(`erase:${order}`).permutation(spec.dim);
}

/** Keeps only the first `dims` numbers, a multiple of 32: everything can still be read, with larger errors. */
export function truncate(stored: StoredSketch, dims: number): StoredSketch {
  if (!Number.isInteger(dims) || dims < 32 || dims % 32 !== 0 || dims > stored.kept) {
    throw new CairnError('sketch_kept', `Expected a multiple of 32 up to ${stored.kept} numbers, got ${dims}.`, {
      hint: 'Erasure goes one way: keep fewer numbers than now.',
    });
  }
  return { ...stored, kept: dims, codes: stored.codes.slice(0, dims) };
}

/** Keeps `dims` random coordinates instead of a prefix; equal seeds keep equal coordinates. */
export function eraseRandom(stored: StoredSketch, dims: number, seed: number): StoredSketch {
  if (stored.order !== 0 || stored.kept !== stored.spec.dim) return truncate(stored, dims);
  const order = (seed >>> 0) + 1 > 0xffffffff ? 1 : (seed >>> 0) + 1;
  const permutation = permutationOf(stored.spec, order);
  const codes = stored.codes.slice();
  for (let i = 0; i < codes.length; i++) codes[i] = stored.codes[permutation[i]!]!;
  return truncate({ ...stored, order, codes }, dims);
}

const MAGIC = 0x544b5343; // "CSKT"
const VERSION = 1;
const HEADER = 44;

/** A name of the maps: sketches with different names cannot be mixed. */
export function specHash(spec: SketchSpec): string {
  const known = specHashes.get(spec);
  if (known !== undefined) return known;
  const made = hash64(new TextEncoder().encode(`${spec.family}:${spec.dim}:${spec.signatures ? 1 : 0}:${spec.seed}`));
  specHashes.set(spec, made);
  return made;
}

const specHashes = new WeakMap<SketchSpec, string>();

/** 44 bytes of header, then the codes (two per byte for 4 bits), little-endian. */
export function toBytes(stored: StoredSketch): Uint8Array {
  const w = new ByteWriter();
  w.u32(MAGIC);
  w.u8(VERSION);
  w.u8(bitsOf(stored.spec.store));
  w.u8(stored.part === 'full' ? 1 : 0);
  w.u8(0);
  w.u32(stored.spec.dim | (stored.kept << 16));
  w.u32(stored.order);
  w.hex(specHash(stored.spec));
  w.hex(stored.structureHash);
  w.f32(stored.step);
  w.f32(stored.noise);
  const payload = packCodes(stored);
  w.u32(crc32(payload, crc32(w.finish())));
  w.raw(payload);
  return w.finish();
}

function packCodes({ codes, spec }: StoredSketch): Uint8Array {
  if (codes instanceof Float32Array) {
    const out = new ByteWriter();
    for (const v of codes) out.f32(v);
    return out.finish();
  }
  if (spec.store === 'i8') return new Uint8Array(codes.buffer, codes.byteOffset, codes.length).slice();
  return Uint8Array.from(
    { length: codes.length / 2 },
    (_, i) => (codes[2 * i]! & 15) | ((codes[2 * i + 1]! & 15) << 4),
  );
}

/**
 * Reads what `toBytes` wrote.
 * @throws CairnError `sketch_bytes` for damaged data, `sketch_spec` for a sketch of another store
 */
export function fromBytes(bytes: Uint8Array, spec: SketchSpec): StoredSketch {
  const r = new ByteReader(bytes, 'sketch_bytes');
  if (r.u32() !== MAGIC) r.fail('the mark of a sketch');
  if (r.u8() !== VERSION) r.fail(`version ${VERSION}`);
  const bits = r.u8();
  const store = bits === 32 ? 'f32' : bits === 8 ? 'i8' : bits === 4 ? 'i4' : r.fail('32, 8 or 4 bits');
  const flags = r.u8();
  if (flags > 1 || r.u8() !== 0) r.fail('known flags');
  const sizes = r.u32();
  const dim = sizes & 0xffff;
  const kept = sizes >>> 16;
  const order = r.u32();
  const specName = r.hex(8);
  const structureHash = r.hex(8);
  const step = r.f32();
  const noise = r.f32();
  const crc = r.u32();
  if (kept > dim || kept % 2 !== 0 || r.left !== (kept * bits) / 8) r.fail(`${kept} numbers of ${bits} bits`);
  if (crc !== crc32(bytes.subarray(HEADER), crc32(bytes.subarray(0, HEADER - 4)))) r.fail('a matching checksum');
  if (!(step >= 0 && step < Infinity && noise >= 0 && noise < Infinity)) r.fail('a finite step');
  if (dim !== spec.dim || specName !== specHash(spec)) {
    throw new CairnError('sketch_spec', `Expected a sketch of the store ${specHash(spec)}, got one of ${specName}.`, {
      hint: 'Open the store with the seed and size it was made with.',
    });
  }
  const codes = unpackCodes(r.raw(r.left), store);
  if (codes instanceof Float32Array && !codes.every((v) => Number.isFinite(v))) r.fail('finite numbers');
  const part = flags === 1 ? 'full' : 'content';
  return { kind: 'stored', spec: withStore(spec, dim, store), part, structureHash, kept, order, step, noise, codes };
}

function withStore(spec: SketchSpec, dim: number, store: SketchSpec['store']): SketchSpec {
  return spec.store === store && spec.dim === dim ? spec : { ...spec, store };
}

function unpackCodes(payload: Uint8Array, store: SketchSpec['store']): Int8Array | Float32Array {
  if (store === 'i8') return new Int8Array(payload.buffer, payload.byteOffset, payload.length).slice();
  if (store === 'i4') {
    const nibble = (i: number): number => (payload[i >> 1]! >>> (i & 1 ? 4 : 0)) & 15;
    return Int8Array.from({ length: payload.length * 2 }, (_, i) => (nibble(i) << 28) >> 28);
  }
  const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
  return Float32Array.from({ length: payload.length / 4 }, (_, i) => view.getFloat32(4 * i, true));
}

/** Bytes that a sketch takes at rest, header included. */
export function storedBytes(store: SketchSpec['store'], kept: SketchDim | number): number {
  return HEADER + (kept * bitsOf(store)) / 8;
}
