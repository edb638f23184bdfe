// A concept book as bytes and back: features as integers on their grid, moments as f64, and where each named point is.
import { ByteReader, ByteWriter } from '../../sketch/index.ts';
import { FEATURE_GRID, FeatureMap, type FeatureSpec } from './features.ts';
import { Moments } from './moments.ts';

export type BookId = string | number;

/** A point that is kept with its name. */
export interface KeptPoint {
  readonly phi: Float64Array;
  readonly id: BookId | undefined;
}

export interface BookState {
  readonly features: Required<FeatureSpec>;
  readonly noise: number;
  readonly buffer: number;
  readonly maxRank: number | undefined;
  readonly seed: string | number;
  readonly next: number;
  readonly concepts: readonly { id: number; moments: Moments; recent: readonly KeptPoint[] }[];
  readonly waiting: (KeptPoint & { passes: number })[];
  readonly places: ReadonlyMap<BookId, number>;
}

const MAGIC = 0x314b4243; // 'CBK1'
const MOST = 2 ** 30;

export function writeBook(state: BookState): Uint8Array {
  const out = new ByteWriter();
  out.u32(MAGIC);
  const { dim, degree, constant, scale, limit, seed } = state.features;
  for (const n of [dim, degree, constant ? 1 : 0, limit, state.buffer, state.maxRank ?? 0, state.next]) out.varint(n);
  out.f64(scale);
  out.f64(state.noise);
  writeId(out, seed);
  writeId(out, state.seed);
  out.varint(state.concepts.length);
  for (const { id, moments, recent } of state.concepts) {
    out.varint(id);
    moments.write(out);
    out.varint(recent.length);
    for (const point of recent) writePoint(out, point);
  }
  out.varint(state.waiting.length);
  for (const point of state.waiting) {
    out.varint(point.passes);
    writePoint(out, point);
  }
  const places = [...state.places].sort(([a], [b]) => compareIds(a, b));
  out.varint(places.length);
  for (const [id, place] of places) {
    writeId(out, id);
    out.varint(place + 1);
  }
  return out.finish();
}

export function readBook(bytes: Uint8Array): BookState {
  const from = new ByteReader(bytes, 'bad_concepts');
  if (from.u32() !== MAGIC) from.fail('the mark of a concept book');
  const [dim, degree, constant, limit, buffer, maxRank, next] = Array.from({ length: 7 }, () => from.varint(MOST));
  const scale = from.f64();
  const noise = from.f64();
  const seed = readId(from);
  const features = { dim: dim!, degree: degree!, constant: constant === 1, scale, limit: limit!, seed };
  const bookSeed = readId(from);
  const { size } = new FeatureMap(features);
  const several = <T>(read: () => T): T[] => {
    const count = from.varint(MOST);
    if (count > from.left) from.fail('fewer records');
    return Array.from({ length: count }, read);
  };
  const concepts = several(() => ({
    id: from.varint(MOST),
    moments: Moments.read(from, size),
    recent: several(() => readPoint(from, size)),
  }));
  const waiting = several(() => ({ passes: from.varint(MOST), ...readPoint(from, size) }));
  const places = new Map(several(() => [readId(from), from.varint(MOST) - 1] as const));
  if (from.left > 0) from.fail('the end');
  return {
    features,
    noise,
    buffer: buffer!,
    maxRank: maxRank === 0 ? undefined : maxRank!,
    seed: bookSeed,
    next: next!,
    concepts,
    waiting,
    places,
  };
}

function writePoint(out: ByteWriter, { phi, id }: KeptPoint): void {
  out.u8(id === undefined ? 0 : 1);
  if (id !== undefined) writeId(out, id);
  for (const v of phi) out.u32((v / FEATURE_GRID) | 0);
}

function readPoint(from: ByteReader, size: number): KeptPoint {
  const id = from.u8() === 0 ? undefined : readId(from);
  return { id, phi: Float64Array.from({ length: size }, () => (from.u32() | 0) * FEATURE_GRID) };
}

function writeId(out: ByteWriter, id: BookId): void {
  const bytes = new TextEncoder().encode(`${id}`);
  out.u8(typeof id === 'number' ? 1 : 0);
  out.varint(bytes.length);
  out.raw(bytes);
}

function readId(from: ByteReader): BookId {
  const number = from.u8() === 1;
  const text = new TextDecoder().decode(from.raw(from.varint(MOST)));
  return number ? Number(text) : text;
}

function compareIds(a: BookId, b: BookId): number {
  if (typeof a !== typeof b) return typeof a === 'number' ? -1 : 1;
  return a < b ? -1 : a > b ? 1 : 0;
}
