import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CairnError } from '../errors.ts';
import { encodeModel, ProtoWriter, type OnnxAttribute, type OnnxModel, type OnnxTensor } from './onnx-proto.ts';
import { decodeModel } from './onnx-read.ts';

const name = fc.string({ unit: 'grapheme', maxLength: 12 });
const tensor: fc.Arbitrary<OnnxTensor> = fc
  .record({ name, dims: fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 4 }) })
  .chain(({ name: n, dims }) => {
    const size = dims.reduce((a, b) => a * b, 1) * 4;
    return fc
      .uint8Array({ minLength: size, maxLength: size })
      .map((raw) => ({ name: n, elemType: 1, dims, raw: new Uint8Array(raw) }));
  });
const float = fc.float({ noNaN: true });
const attribute: fc.Arbitrary<OnnxAttribute> = fc.oneof(
  fc.record({ kind: fc.constant('int' as const), value: fc.maxSafeInteger() }),
  fc.record({ kind: fc.constant('float' as const), value: float }),
  fc.record({ kind: fc.constant('string' as const), value: name }),
  fc.record({ kind: fc.constant('ints' as const), value: fc.array(fc.maxSafeInteger(), { maxLength: 5 }) }),
  fc.record({ kind: fc.constant('floats' as const), value: fc.array(float, { maxLength: 5 }) }),
  fc.record({ kind: fc.constant('tensor' as const), value: tensor }),
);
const value = fc.record({
  name,
  elemType: fc.constantFrom(1, 6, 7, 9, 11),
  dims: fc.array(fc.oneof(fc.nat(300), fc.constant('batch')), { maxLength: 4 }),
});
const model: fc.Arbitrary<OnnxModel> = fc.record({
  irVersion: fc.nat(20),
  producer: name,
  opsets: fc.array(fc.record({ domain: name, version: fc.nat(30) }), { maxLength: 3 }),
  graphName: name,
  nodes: fc.array(
    fc.record({
      opType: fc.constantFrom('Add', 'MatMul', 'ReduceSum'),
      domain: fc.constantFrom('', 'com.microsoft'),
      name,
      inputs: fc.array(name, { maxLength: 3 }),
      outputs: fc.array(name, { maxLength: 3 }),
      attributes: fc.dictionary(fc.stringMatching(/^[a-z]{1,8}$/), attribute, { maxKeys: 4, noNullPrototype: true }),
    }),
    { maxLength: 5 },
  ),
  initializers: fc.array(tensor, { maxLength: 4 }),
  inputs: fc.array(value, { maxLength: 3 }),
  outputs: fc.array(value, { maxLength: 3 }),
  metadata: fc.dictionary(fc.stringMatching(/^[a-z.]{1,8}$/), name, { maxKeys: 3, noNullPrototype: true }),
});

describe('ONNX bytes', () => {
  it('writes the bytes that the wire format prescribes', () => {
    const w = new ProtoWriter(4);
    w.int(1, 150).text(2, 'testing').int(3, -1).float(4, 1);
    expect(Buffer.from(w.finish()).toString('hex')).toBe('089601120774657374696e6718ffffffffffffffffff01250000803f');
  });

  it('moves nested messages of every length class into place', () => {
    for (const size of [0, 1, 127, 128, 16383, 16384, 2097152]) {
      const w = new ProtoWriter(1);
      w.message(1, (m) => m.message(2, (inner) => inner.bytes(3, new Uint8Array(size).fill(7)))).int(9, 5);
      const bytes = w.finish();
      expect(bytes[bytes.length - 1]).toBe(5);
      expect(bytes.filter((b) => b === 7).length).toBeGreaterThanOrEqual(size);
    }
  });

  it('reads back what it wrote', () => {
    const roundTrip = (m: OnnxModel): void => {
      expect(decodeModel(encodeModel(m))).toEqual(m);
    };
    fc.assert(fc.property(model, roundTrip), { numRuns: 200 });
  });

  it('answers malformed bytes with CairnErrors only', () => {
    const throwsOnlyCairn = (bytes: Uint8Array): void => {
      try {
        decodeModel(bytes);
      } catch (e) {
        expect(CairnError.isInstance(e), String(e)).toBe(true);
      }
    };
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), throwsOnlyCairn), { numRuns: 500 });
    fc.assert(
      fc.property(model, fc.nat(), fc.integer({ min: 0, max: 255 }), fc.nat(), (m, at, byte, cut) => {
        const bytes = encodeModel(m);
        bytes[at % bytes.length] = byte;
        throwsOnlyCairn(bytes);
        throwsOnlyCairn(bytes.subarray(0, cut % bytes.length));
      }),
      { numRuns: 500 },
    );
    expect(() => decodeModel(new Uint8Array())).toThrow('Expected a model with a graph, got none.');
    expect(() => decodeModel(Uint8Array.of(0x3a, 0x7f))).toThrow('Expected at most 0 bytes, got a field of 127.');
  });

  it('refuses integers that no double holds', () => {
    expect(() => new ProtoWriter().int(1, 2 ** 53)).toThrow('Expected a safe integer, got 9007199254740992.');
  });
});
