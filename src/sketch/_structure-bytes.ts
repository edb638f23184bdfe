// Binary form of a structure: tables of module names, weights and group lists, then objects in post-order, then a CRC.
import { CairnError } from '../errors.ts';
import { crc32 } from '../tensor/index.ts';
import { ByteReader, ByteWriter } from './_bytes.ts';
import type { OneHotGroup, StructureEdge, StructureObject } from './types.ts';

const MAGIC = 0x52545343; // "CSTR"
const VERSION = 1;
const MAX_OBJECTS = 1 << 16;
const MAX_COLUMNS = 1 << 22;

/** What a structure consists of. */
export interface StructureParts {
  readonly objects: readonly StructureObject[];
  readonly outputs: readonly StructureEdge[];
}

/** Index of a value in a table that grows as values are met. */
class Table<T> {
  readonly values: T[] = [];
  readonly #index = new Map<string | number, number>();

  at(key: string | number, value: T): number {
    const known = this.#index.get(key);
    if (known !== undefined) return known;
    this.values.push(value);
    this.#index.set(key, this.values.length - 1);
    return this.values.length - 1;
  }
}

/** Serialises; equal structures give equal bytes. */
export function structureToBytes({ objects, outputs }: StructureParts): Uint8Array {
  const modules = new Table<string>();
  const weights = new Table<number>();
  const groups = new Table<readonly OneHotGroup[]>();
  const body = new ByteWriter();
  const edges = (list: readonly StructureEdge[], from: number): void => {
    body.varint(list.length);
    for (const { object, weight } of list) {
      body.varint(from - object);
      body.varint(weights.at(weight, weight));
    }
  };
  objects.forEach((o, i) => {
    body.varint(modules.at(o.module, o.module));
    body.varint(o.size);
    body.varint(o.exponent);
    body.u8((o.signature ? 1 : 0) | (o.bag ? 2 : 0));
    body.varint(groups.at(o.groups.map((g) => `${g.start},${g.size},${g.prior?.join(' ') ?? ''}`).join(';'), o.groups));
    edges(o.inputs, i);
  });
  edges(outputs, objects.length);
  const out = new ByteWriter();
  out.u32(MAGIC);
  out.u8(VERSION);
  out.varint(modules.values.length);
  const text = new TextEncoder();
  for (const name of modules.values) {
    const bytes = text.encode(name);
    out.varint(bytes.length);
    out.raw(bytes);
  }
  out.varint(weights.values.length);
  for (const w of weights.values) out.f64(w);
  out.varint(groups.values.length);
  for (const list of groups.values) writeGroups(out, list);
  out.varint(objects.length);
  out.raw(body.finish());
  out.u32(crc32(out.finish()));
  return out.finish();
}

function writeGroups(out: ByteWriter, list: readonly OneHotGroup[]): void {
  out.varint(list.length);
  for (const g of list) {
    out.varint(g.start);
    out.varint(g.size);
    out.u8(g.prior === undefined ? 0 : 1);
    for (const p of g.prior ?? []) out.f64(p);
  }
}

/** Reads a structure; anything malformed is an error, never a wrong structure or a large allocation. */
export function structureFromBytes(bytes: Uint8Array): StructureParts {
  const code = 'structure_bytes';
  if (bytes.length < 12) {
    throw new CairnError(code, `Expected at least 12 bytes of a structure, got ${bytes.length}.`);
  }
  const body = bytes.subarray(0, bytes.length - 4);
  const tail = new DataView(bytes.buffer, bytes.byteOffset + body.length, 4);
  const r = new ByteReader(body, code);
  if (r.u32() !== MAGIC) r.fail('the mark of a structure');
  if (r.u8() !== VERSION) r.fail(`version ${VERSION}`);
  if (tail.getUint32(0, true) !== crc32(body)) r.fail('a matching checksum');
  const text = new TextDecoder('utf-8', { fatal: true });
  const list = <T>(limit: number, read: () => T): T[] => {
    const count = r.varint(Math.min(limit, r.left));
    return Array.from({ length: count }, read);
  };
  const modules = list(MAX_OBJECTS, () => {
    const raw = r.raw(r.varint(1020));
    try {
      return text.decode(raw);
    } catch {
      return r.fail('a module name in UTF-8');
    }
  });
  const weights = list(MAX_OBJECTS * 4, () => {
    const w = r.f64();
    return w > 0 && w <= 1.000001 ? w : r.fail('a weight between 0 and 1');
  });
  const groups = list(MAX_OBJECTS, () => list(65536, () => readGroup(r)));
  const pick = <T>(table: readonly T[]): T => table[r.varint(table.length - 1)] ?? r.fail('an entry of a table');
  const edges = (from: number): StructureEdge[] =>
    list(MAX_OBJECTS, () => {
      const object = from - r.varint(from);
      return { object: object < from ? object : r.fail('an earlier object'), weight: pick(weights) };
    });
  const count = r.varint(Math.min(MAX_OBJECTS, r.left));
  const objects: StructureObject[] = [];
  let columns = 0;
  for (let i = 0; i < count; i++) {
    const module = pick(modules);
    const size = r.varint(65535);
    const exponent = r.varint(1000);
    const flags = r.u8();
    const own = pick(groups);
    if (own.some((g) => g.start + g.size > size)) r.fail('groups inside the attributes');
    columns += size;
    if (columns > MAX_COLUMNS) r.fail(`at most ${MAX_COLUMNS} unknowns`);
    const shape = { signature: (flags & 1) !== 0, bag: (flags & 2) !== 0, inputs: edges(i) };
    objects.push({ module, size, exponent, groups: own, ...shape });
  }
  const outputs = edges(count);
  if (r.left > 0) r.fail('the end');
  return { objects, outputs };
}

function readGroup(r: ByteReader): OneHotGroup {
  const start = r.varint(65535);
  const size = r.varint(65535);
  if (size < 2) r.fail('a group of at least two classes');
  if (r.u8() === 0) return { start, size };
  if (r.left < 8 * size) r.fail('a prior for every class');
  const prior = Array.from({ length: size }, () => r.f64());
  if (!prior.every((p) => p > 0 && p <= 1)) r.fail('a prior between 0 and 1');
  return { start, size, prior };
}
