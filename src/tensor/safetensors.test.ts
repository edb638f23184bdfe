import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { CairnError } from '../errors.ts';
import { fromBfloat, toBfloat } from './bfloat.ts';
import { fromHalf, toHalf } from './dtype.ts';
import { openSafetensors, readSafetensorsFile, writeSafetensorsFile } from './safetensors-file.ts';
import { readSafetensors, type StoredTensor, writeSafetensors } from './safetensors.ts';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'safetensors-'));
});
afterAll(() => rm(folder, { recursive: true }));

const everything: Record<string, StoredTensor> = {
  a: { data: Float64Array.of(1.5, -2), shape: [2, 1], dtype: 'f64' },
  b: { data: BigInt64Array.of(-(2n ** 63n), 7n), shape: [2], dtype: 'i64' },
  scalar: { data: Float32Array.of(3.25), shape: [], dtype: 'f32' },
  empty: { data: new Float32Array(0), shape: [4, 0], dtype: 'f32' },
  c: { data: Int32Array.of(-5), shape: [1], dtype: 'i32' },
  d: { data: Uint32Array.of(4294967295), shape: [1], dtype: 'u32' },
  e: { data: Int16Array.of(-3, 4, 5), shape: [3], dtype: 'i16' },
  f: { data: Int8Array.of(-3), shape: [1], dtype: 'i8' },
  g: { data: Uint8Array.of(200, 1), shape: [2], dtype: 'u8' },
  h: { data: Uint8Array.of(0, 1, 1), shape: [3], dtype: 'bool' },
  half: { data: Uint16Array.of(0x3c00), shape: [1], dtype: 'f16' },
  brain: { data: Uint16Array.of(0x3f80), shape: [1], dtype: 'bf16' },
  'ü "quoted"': { data: Float32Array.of(1), shape: [1], dtype: 'f32' },
  ['__proto__']: { data: Float32Array.of(9), shape: [1], dtype: 'f32' },
};

test('every dtype survives a round trip, also empty and rank-0 tensors', () => {
  const { tensors, metadata } = readSafetensors(writeSafetensors(everything, { step: '7' }), { raw: true });
  expect(metadata).toEqual({ step: '7' });
  expect(Object.fromEntries(tensors)).toEqual(everything);
});

test('16-bit floats become f32 on load', () => {
  const { tensors } = readSafetensors(writeSafetensors(everything));
  expect(tensors.get('half')).toEqual({ data: Float32Array.of(1), shape: [1], dtype: 'f32' });
  expect(tensors.get('brain')).toEqual({ data: Float32Array.of(1), shape: [1], dtype: 'f32' });
});

test('the layout is byte-exact: padded header, 8-aligned data', () => {
  const bytes = writeSafetensors({ x: { data: Float32Array.of(1), shape: [1], dtype: 'f32' } });
  const header = '{"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}  ';
  expect(header.length % 8).toBe(0);
  expect([...bytes]).toEqual([
    header.length,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    ...new TextEncoder().encode(header),
    0,
    0,
    0x80,
    0x3f,
  ]);
});

test('random tensors survive a round trip and equal inputs give equal bytes', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.float32Array({ maxLength: 20 })), (record) => {
      const list = Object.entries(record).filter(([k]) => k !== '__metadata__');
      const tensors = list.map(([k, data]) => [k, { data, shape: [data.length], dtype: 'f32' }] as const);
      const bytes = writeSafetensors(tensors);
      const back = readSafetensors(bytes).tensors;
      expect(back.size).toBe(tensors.length);
      for (const [k, t] of tensors) expect(back.get(k)).toEqual(t);
      expect(writeSafetensors(tensors.toReversed())).toEqual(bytes);
    }),
  );
});

function file(header: string, data: number, length = BigInt(new TextEncoder().encode(header).length)): Uint8Array {
  const json = new TextEncoder().encode(header);
  const out = new Uint8Array(8 + json.length + data);
  new DataView(out.buffer).setBigUint64(0, length, true);
  out.set(json, 8);
  return out;
}

const t = (dtype: string, shape: unknown, offsets: unknown): string =>
  JSON.stringify({ dtype, shape, data_offsets: offsets });

test.each([
  ['short file', new Uint8Array(5), /at least 8 bytes/],
  ['header over 100 MB', file('{}', 0, 100_000_001n), /header of at most/],
  ['absurd header length', file('{}', 0, 2n ** 64n - 1n), /header of at most/],
  ['header beyond the file', file('{}', 0, 1000n), /file of 10 bytes/],
  ['no JSON', file('{"a":', 0), /JSON header/],
  ['not UTF-8', new Uint8Array([1, 0, 0, 0, 0, 0, 0, 0, 0xff]), /JSON header/],
  ['list header', file('[]', 0), /JSON object/],
  ['unknown dtype', file(`{"x":${t('F8_E4M3', [1], [0, 1])}}`, 1), /got "F8_E4M3" in tensor `x`/],
  ['inherited dtype', file(`{"x":${t('constructor', [1], [0, 1])}}`, 1), /Expected one of F64/],
  ['duplicate', file(`{"x":${t('U8', [1], [0, 1])},"\\u0078":${t('U8', [1], [1, 2])}}`, 2), /"x" twice/],
  ['overlap', file(`{"x":${t('U8', [2], [0, 2])},"y":${t('U8', [2], [1, 3])}}`, 3), /overlap/],
  ['gap', file(`{"x":${t('U8', [1], [1, 2])}}`, 2), /gap/],
  ['unused tail', file(`{"x":${t('U8', [1], [0, 1])}}`, 2), /Expected 1 bytes of data, got 2/],
  ['out of range', file(`{"x":${t('U8', [9], [0, 9])}}`, 1), /within 0\.\.1/],
  ['reversed offsets', file(`{"x":${t('U8', [1], [1, 0])}}`, 1), /within/],
  ['size mismatch', file(`{"x":${t('F32', [2], [0, 4])}}`, 4), /Expected 4 bytes.*got 8/],
  ['overflowing shape', file(`{"x":${t('F32', [9e15, 9e15], [0, 4])}}`, 4), /bytes by the offsets/],
  ['negative size', file(`{"x":${t('F32', [-1, -1], [0, 4])}}`, 4), /non-negative/],
  ['fractional offset', file(`{"x":${t('U8', [1], [0, 0.5])}}`, 1), /data_offsets/],
  ['metadata of numbers', file('{"__metadata__":{"a":1}}', 0), /texts/],
  ['deep nesting', file(`${'['.repeat(200_000)}${']'.repeat(200_000)}`, 0), /Expected a JSON/],
])('rejects: %s', (_, bytes, message) => {
  expect(() => readSafetensors(bytes)).toThrow(message);
  expect(() => readSafetensors(bytes)).toThrow(CairnError);
});

test('a cut or damaged file is rejected with a CairnError or reads within its size', () => {
  const whole = writeSafetensors(everything, { note: 'x' });
  const check = (bytes: Uint8Array): void => {
    try {
      let total = 0;
      for (const x of readSafetensors(bytes).tensors.values()) total += x.data.byteLength;
      expect(total).toBeLessThanOrEqual(2 * bytes.length);
    } catch (error) {
      expect(CairnError.isInstance(error)).toBe(true);
    }
  };
  for (let n = 0; n < whole.length; n++) expect(() => readSafetensors(whole.subarray(0, n))).toThrow(CairnError);
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { minLength: 1, maxLength: 6 }), (edits) => {
      const damaged = whole.slice();
      for (const [at, byte] of edits) damaged[at] = byte;
      check(damaged);
    }),
    { numRuns: 500 },
  );
  fc.assert(
    fc.property(fc.json(), fc.nat(64), (json, n) => check(file(json, n))),
    { numRuns: 500 },
  );
});

test('the writer names what does not fit', () => {
  const x = { data: Float32Array.of(1), shape: [2], dtype: 'f32' } as const;
  expect(() => writeSafetensors({ x })).toThrow('Expected 2 elements by the shape [2] of `x`, got 1.');
  expect(() => writeSafetensors({ x: { data: Float64Array.of(1), shape: [1], dtype: 'f32' } })).toThrow(/Float32Array/);
  expect(() => writeSafetensors({ __metadata__: { ...x, shape: [1] } })).toThrow(/distinct/);
});

test('files: atomic write leaves no temporary, lazy reads equal whole reads', async () => {
  const path = join(folder, 'model.safetensors');
  await writeSafetensorsFile(path, everything, { a: 'b' });
  await writeSafetensorsFile(path, everything, { a: 'c' });
  expect(await readdir(folder)).toEqual(['model.safetensors']);
  const whole = await readSafetensorsFile(path);
  expect(whole.metadata).toEqual({ a: 'c' });
  const lazy = await openSafetensors(path);
  for (const [name, tensor] of whole.tensors) expect(await lazy.read(name)).toEqual(tensor);
  await expect(lazy.read('nope')).rejects.toThrow(/got "nope"/);
  await lazy.close();
  await writeFile(path, 'hello world');
  await expect(openSafetensors(path)).rejects.toThrow(CairnError);
  await expect(readSafetensorsFile(join(folder, 'absent'))).rejects.toThrow(/Expected a safetensors file/);
  await expect(writeSafetensorsFile(join(folder, 'no', 'such', 'x'), everything)).rejects.toThrow(/Expected to write/);
});

test('16-bit floats: every bit pattern survives, rounding is to nearest even', () => {
  for (let bits = 0; bits < 65536; bits++) {
    const h = fromHalf(bits);
    if (Number.isNaN(h)) expect(Number.isNaN(fromHalf(toHalf(h)))).toBe(true);
    else if (toHalf(h) !== bits) expect.unreachable(`half ${bits}`);
    const b = fromBfloat(bits);
    if (Number.isNaN(b)) expect(Number.isNaN(fromBfloat(toBfloat(b)))).toBe(true);
    else if (toBfloat(b) !== bits) expect.unreachable(`bfloat ${bits}`);
  }
  expect(fromHalf(toHalf(1 + 2 ** -11))).toBe(1);
  expect(fromHalf(toHalf(1 + 3 * 2 ** -11))).toBe(1 + 2 ** -9);
  expect(fromHalf(toHalf(65519))).toBe(65504);
  expect(fromHalf(toHalf(65520))).toBe(Number.POSITIVE_INFINITY);
  expect(fromHalf(toHalf(2 ** -25))).toBe(0);
  expect(fromHalf(toHalf(1.0001 * 2 ** -25))).toBe(2 ** -24);
  expect(fromBfloat(toBfloat(1 + 2 ** -8))).toBe(1);
});
