import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { packZip } from './_testing.ts';
import { readZip } from './zip.ts';

test('whatever was packed comes back, stored or deflated, with a comment behind or not', () => {
  const file = fc.record({
    name: fc.string({ minLength: 1, maxLength: 12 }),
    data: fc.uint8Array({ maxLength: 300 }),
    method: fc.constantFrom(0 as const, 8 as const),
  });
  fc.assert(
    fc.property(fc.array(file, { maxLength: 6 }), fc.constantFrom('', 'a comment'), (files, comment) => {
      const entries = readZip(packZip(files, comment));
      expect(entries.map((e) => e.name)).toEqual(files.map((f) => Buffer.from(f.name).toString()));
      expect(entries.map((e) => [...e.read()])).toEqual(files.map((f) => [...f.data]));
    }),
  );
});

test('damage is named and nothing damaged is handed out', () => {
  const good = packZip([{ name: 'a.txt', data: Buffer.from('hello hello hello'), method: 8 }]);
  const changed = (at: number, value: number): Buffer => {
    const copy = Buffer.from(good);
    copy[at] = value;
    return copy;
  };
  expect(() => readZip(Buffer.from('no archive'))).toThrow(/Expected a ZIP archive, got 10 bytes/);
  expect(() => readZip(good.subarray(0, good.length - 1))).toThrow(/end record/);
  const directory = good.readUInt32LE(good.length - 6);
  expect(() => readZip(changed(directory, 0))).toThrow(/Expected 1 directory records, got 0/);
  expect(() => readZip(changed(directory + 8, 1))).toThrow(/without encryption/);
  expect(() => readZip(changed(directory + 16, good[directory + 16]! ^ 1))[0]!.read()).toThrow(/checksum of "a.txt"/);
  expect(() => readZip(changed(directory + 24, 3))[0]!.read()).toThrow(/a.txt/);
  expect(() => readZip(changed(directory + 10, 9))[0]!.read()).toThrow(/method 9/);
  expect(() => readZip(good, { maxEntryBytes: 5 })).toThrow(/at most 5 bytes/);
});
