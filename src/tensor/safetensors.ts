// The safetensors container: named tensors in one file, read without trust in its header. Not a model format: names and
// metadata are the caller's. Layout: u64 LE header length | JSON header | data, contiguous, row-major, little endian.
import { CairnError } from '../errors.ts';
import { fromBfloat } from './bfloat.ts';
import { fromHalf } from './dtype.ts';

/** Element types of a file, in Cairn's spelling; `i64` is a BigInt64Array, `bool` one byte each, 16-bit floats raw bits. */
export type StoredDtype = 'f64' | 'f32' | 'f16' | 'bf16' | 'i64' | 'i32' | 'i16' | 'i8' | 'u8' | 'u32' | 'bool';

export type StoredArray =
  | Float64Array
  | Float32Array
  | BigInt64Array
  | Int32Array
  | Int16Array
  | Int8Array
  | Uint8Array
  | Uint16Array
  | Uint32Array;

/** One tensor of a file. A host tensor of an executor is one as well. */
export interface StoredTensor {
  readonly data: StoredArray;
  readonly shape: readonly number[];
  readonly dtype: StoredDtype;
}

export interface Safetensors {
  readonly tensors: Map<string, StoredTensor>;
  readonly metadata: Readonly<Record<string, string>>;
}

/** Where one tensor lies; `begin` and `end` are bytes relative to the start of the data. */
export interface TensorEntry {
  readonly name: string;
  readonly dtype: StoredDtype;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}

const MAX_HEADER = 100_000_000;
const MAX_RANK = 64;

const TYPES = {
  F64: { dtype: 'f64', size: 8, make: (b) => new Float64Array(b) },
  I64: { dtype: 'i64', size: 8, make: (b) => new BigInt64Array(b) },
  F32: { dtype: 'f32', size: 4, make: (b) => new Float32Array(b) },
  I32: { dtype: 'i32', size: 4, make: (b) => new Int32Array(b) },
  U32: { dtype: 'u32', size: 4, make: (b) => new Uint32Array(b) },
  F16: { dtype: 'f16', size: 2, make: (b) => new Uint16Array(b) },
  BF16: { dtype: 'bf16', size: 2, make: (b) => new Uint16Array(b) },
  I16: { dtype: 'i16', size: 2, make: (b) => new Int16Array(b) },
  I8: { dtype: 'i8', size: 1, make: (b) => new Int8Array(b) },
  U8: { dtype: 'u8', size: 1, make: (b) => new Uint8Array(b) },
  BOOL: { dtype: 'bool', size: 1, make: (b) => new Uint8Array(b) },
} as const satisfies Record<string, { dtype: StoredDtype; size: number; make: (buffer: ArrayBuffer) => StoredArray }>;

type FileDtype = keyof typeof TYPES;
const FILE_DTYPES = Object.keys(TYPES).filter((k): k is FileDtype => k in TYPES);

const ARRAY_OF: Record<StoredDtype, string> = {
  f64: 'Float64Array',
  i64: 'BigInt64Array',
  f32: 'Float32Array',
  i32: 'Int32Array',
  u32: 'Uint32Array',
  f16: 'Uint16Array',
  bf16: 'Uint16Array',
  i16: 'Int16Array',
  i8: 'Int8Array',
  u8: 'Uint8Array',
  bool: 'Uint8Array',
};

function fault(message: string, hint = 'Check that the file is complete and is a safetensors file.'): CairnError {
  return new CairnError('bad_safetensors', message, { hint });
}

function fileDtype(dtype: StoredDtype): FileDtype {
  const found = FILE_DTYPES.find((k) => TYPES[k].dtype === dtype);
  if (!found) {
    throw fault(`Expected one of ${FILE_DTYPES.map((k) => TYPES[k].dtype).join(', ')}, got dtype "${String(dtype)}".`);
  }
  return found;
}

const sizeOf = (dtype: StoredDtype): number => TYPES[fileDtype(dtype)].size;

/** Length in bytes of the JSON header, from the first 8 bytes of a file. */
export function headerLength(first: Uint8Array): number {
  if (first.length < 8) throw fault(`Expected at least 8 bytes, got ${first.length}.`);
  const n = new DataView(first.buffer, first.byteOffset, 8).getBigUint64(0, true);
  if (n > BigInt(MAX_HEADER)) throw fault(`Expected a header of at most ${MAX_HEADER} bytes, got ${n}.`);
  return Number(n);
}

/** The keys of the outermost object of a JSON text that is known to parse; JSON.parse itself drops duplicates. */
function topLevelKeys(json: string): string[] {
  const keys: string[] = [];
  let depth = 0;
  for (let i = 0; i < json.length; i++) {
    const c = json[i];
    if (c === '{' || c === '[') depth++;
    else if (c === '}' || c === ']') depth--;
    else if (c === '"') {
      const start = i++;
      while (json[i] !== '"') i += json[i] === '\\' ? 2 : 1;
      if (depth !== 1) continue;
      let next = i + 1;
      while (' \t\n\r'.includes(json[next] ?? 'x')) next++;
      if (json[next] === ':') keys.push(String(JSON.parse(json.slice(start, i + 1))));
    }
  }
  return keys;
}

const isRecord = (x: unknown): x is Record<string, unknown> => typeof x === 'object' && x !== null && !Array.isArray(x);
const isCount = (x: unknown): x is number => typeof x === 'number' && Number.isSafeInteger(x) && x >= 0;
const isFileDtype = (x: unknown): x is FileDtype => typeof x === 'string' && Object.hasOwn(TYPES, x);

function parseEntry(name: string, value: unknown, dataLength: number): TensorEntry {
  const where = `tensor \`${name}\``;
  if (!isRecord(value))
    throw fault(`Expected an object for ${where}, got ${Array.isArray(value) ? 'a list' : typeof value}.`);
  const { dtype, shape, data_offsets: offsets } = value;
  if (!isFileDtype(dtype))
    throw fault(
      `Expected one of ${FILE_DTYPES.join(', ')}, got ${String(JSON.stringify(dtype)).slice(0, 60)} in ${where}.`,
    );
  if (!Array.isArray(shape) || shape.length > MAX_RANK || !shape.every(isCount)) {
    throw fault(
      `Expected a shape of at most ${MAX_RANK} non-negative integers in ${where}, got ${String(JSON.stringify(shape)).slice(0, 60)}.`,
    );
  }
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isCount)) {
    throw fault(`Expected data_offsets [begin, end] in ${where}, got ${String(JSON.stringify(offsets)).slice(0, 60)}.`);
  }
  const [begin, end] = offsets as [number, number];
  if (begin > end || end > dataLength) {
    throw fault(
      `Expected offsets within 0..${dataLength} in ${where}, got [${begin}, ${end}].`,
      'The file may be truncated: fetch it again.',
    );
  }
  const bytes = shape.reduce((n, d) => n * d, TYPES[dtype].size);
  if (bytes !== end - begin)
    throw fault(`Expected ${end - begin} bytes by the offsets of ${where}, got ${bytes} by its shape and dtype.`);
  return { name, dtype: TYPES[dtype].dtype, shape, begin, end };
}

/**
 * Parses and checks a header against the number of data bytes that follow it. Entries come back in file order.
 * @throws CairnError `bad_safetensors` on any fault: overlaps, gaps, sizes that do not match, duplicates, unknown dtypes.
 */
export function parseHeader(
  header: Uint8Array,
  dataLength: number,
): { entries: TensorEntry[]; metadata: Record<string, string> } {
  let text: string;
  let json: unknown;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(header);
    json = JSON.parse(text);
  } catch (cause) {
    throw new CairnError('bad_safetensors', 'Expected a JSON header, got bytes that do not parse.', {
      hint: 'Check that the file is a safetensors file.',
      cause,
    });
  }
  if (!isRecord(json)) throw fault('Expected a JSON object as header, got something else.');
  const seen = new Set<string>();
  for (const key of topLevelKeys(text)) {
    if (seen.has(key)) throw fault(`Expected distinct tensor names, got "${key.slice(0, 100)}" twice.`);
    seen.add(key);
  }
  const metadata: Record<string, string> = {};
  const entries: TensorEntry[] = [];
  for (const [name, value] of Object.entries(json)) {
    if (name !== '__metadata__') {
      entries.push(parseEntry(name, value, dataLength));
      continue;
    }
    if (!isRecord(value)) throw fault('Expected `__metadata__` to be an object of texts.');
    for (const [k, v] of Object.entries(value)) {
      if (typeof v !== 'string')
        throw fault(`Expected texts in \`__metadata__\`, got ${typeof v} at "${k.slice(0, 100)}".`);
      Object.defineProperty(metadata, k, { value: v, enumerable: true, configurable: true, writable: true });
    }
  }
  entries.sort((a, b) => a.begin - b.begin || a.end - b.end);
  let at = 0;
  for (const e of entries) {
    if (e.begin !== at)
      throw fault(
        `Expected tensor \`${e.name}\` to begin at byte ${at}, got ${e.begin} (${e.begin < at ? 'overlap' : 'gap'}).`,
      );
    at = e.end;
  }
  if (at !== dataLength) throw fault(`Expected ${at} bytes of data, got ${dataLength}.`);
  return { entries, metadata };
}

/** Turns the raw bytes of one tensor into an array; 16-bit floats become f32 unless `raw`. */
export function decodeEntry(entry: TensorEntry, bytes: Uint8Array, raw = false): StoredTensor {
  const copy = new Uint8Array(bytes.length);
  copy.set(bytes);
  const { shape, dtype } = entry;
  const data = TYPES[fileDtype(dtype)].make(copy.buffer);
  if (raw || !(data instanceof Uint16Array)) return { data, shape, dtype };
  const widen = dtype === 'bf16' ? fromBfloat : fromHalf;
  return { data: Float32Array.from(data, widen), shape, dtype: 'f32' };
}

/**
 * Reads a whole file from memory. f16 and bf16 tensors become f32 unless `raw` is set.
 * @throws CairnError `bad_safetensors`; memory use is bounded by a small multiple of the file's size.
 * @example
 * const file = writeSafetensors({ w: { data: Float32Array.of(1, 2), shape: [2], dtype: 'f32' } });
 * readSafetensors(file).tensors.get('w')?.data; // Float32Array [1, 2]
 */
export function readSafetensors(bytes: Uint8Array, options: { raw?: boolean } = {}): Safetensors {
  const n = headerLength(bytes.subarray(0, 8));
  if (n > bytes.length - 8)
    throw fault(
      `Expected a header of ${n} bytes, got a file of ${bytes.length} bytes.`,
      'The file may be truncated: fetch it again.',
    );
  const body = bytes.subarray(8 + n);
  const { entries, metadata } = parseHeader(bytes.subarray(8, 8 + n), body.length);
  const tensors = new Map(entries.map((e) => [e.name, decodeEntry(e, body.subarray(e.begin, e.end), options.raw)]));
  return { tensors, metadata };
}

/**
 * Writes tensors into the bytes of one file: names ordered by element size, then name, so that every tensor is aligned;
 * the data start at a multiple of 8. Equal inputs give equal bytes.
 * @throws CairnError `bad_safetensors` when shape and data disagree.
 */
export function writeSafetensors(
  tensors: Iterable<readonly [string, StoredTensor]> | Readonly<Record<string, StoredTensor>>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array {
  const list = Symbol.iterator in tensors ? [...tensors] : Object.entries(tensors);
  const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
  list.sort((a, b) => sizeOf(b[1].dtype) - sizeOf(a[1].dtype) || compare(a[0], b[0]));
  const header: [string, unknown][] = [];
  if (Object.keys(metadata).length > 0) {
    header.push(['__metadata__', Object.fromEntries(Object.entries(metadata).sort((a, b) => compare(a[0], b[0])))]);
  }
  const names = new Set<string>(['__metadata__']);
  let end = 0;
  for (const [name, t] of list) {
    if (names.has(name)) throw fault(`Expected distinct tensor names other than __metadata__, got "${name}".`);
    names.add(name);
    if (t.data.constructor.name !== ARRAY_OF[t.dtype]) {
      throw fault(`Expected ${ARRAY_OF[t.dtype]} for dtype ${t.dtype} of \`${name}\`, got ${t.data.constructor.name}.`);
    }
    const count = t.shape.reduce((n, d) => n * d, 1);
    if (count !== t.data.length)
      throw fault(
        `Expected ${count} elements by the shape [${t.shape.join(',')}] of \`${name}\`, got ${t.data.length}.`,
      );
    const begin = end;
    end += t.data.byteLength;
    header.push([name, { dtype: fileDtype(t.dtype), shape: t.shape, data_offsets: [begin, end] }]);
  }
  const parts = header.map(([k, v]) => `${JSON.stringify(k)}:${JSON.stringify(v)}`);
  const json = new TextEncoder().encode(`{${parts.join(',')}}`);
  const n = Math.ceil(json.length / 8) * 8;
  if (n > MAX_HEADER) throw fault(`Expected a header of at most ${MAX_HEADER} bytes, got ${n}.`);
  const out = new Uint8Array(8 + n + end);
  new DataView(out.buffer).setBigUint64(0, BigInt(n), true);
  out.fill(0x20, 8, 8 + n);
  out.set(json, 8);
  let at = 8 + n;
  for (const [, t] of list) {
    out.set(new Uint8Array(t.data.buffer, t.data.byteOffset, t.data.byteLength), at);
    at += t.data.byteLength;
  }
  return out;
}
