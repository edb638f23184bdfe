import { describe, expect, it } from 'vitest';
import * as fc from 'fast-check';
import { CairnError } from '../errors.ts';
import { crc32 } from '../tensor/index.ts';
import { ByteReader, ByteWriter } from './_bytes.ts';
import { Node } from './_trace.ts';
import { decodeReceipt, encodeReceipt, receiptUsage } from './receipt.ts';

function trace(): Node {
  const leaf = (i: number): Node => {
    const node = new Node(
      'read',
      i % 2 === 0
        ? { by: 'only', chosen: 'read/ink', path: ['read/ink'] }
        : {
            by: 'router',
            chosen: 'read/small',
            path: ['read/small', 'read/large'],
            cluster: i % 4,
            expectedError: 0.01,
            interval: [0.005, 0.02],
            expectedCost: 1234,
            runnerUp: { module: 'read/large', expectedError: 0.004, expectedCost: 9999 },
          },
    );
    node.module = i % 2 === 0 ? 'read/ink' : 'read/large';
    node.confidence = i % 2 === 0 ? 1 : 0.75 + i / 1000;
    if (i % 2 === 1)
      node.addAttempt({ module: 'read/small', outcome: 'unsure', confidence: 0.5, usage: { flop: 15_700, ms: 0.1 } });
    node.addAttempt({
      module: node.module,
      outcome: 'answered',
      confidence: node.confidence,
      usage: { flop: i % 2 === 0 ? 784 : 2_000_000, ms: 0.25 },
    });
    return node;
  };
  const root = new Node('solve', { by: 'cheapest', chosen: 'solve/a', path: ['solve/a', 'solve/b'] });
  const shared = leaf(1);
  const middle = new Node('middle', { by: 'only', chosen: 'middle/a', path: ['middle/a'] });
  middle.module = 'middle/a';
  middle.inputs = [
    ...Array.from({ length: 81 }, (_, i) => ({ node: leaf(i), weight: 1 })),
    { node: shared, weight: 0.5 },
  ];
  const lost = leaf(3);
  root.module = 'solve/b';
  root.addAttempt({
    module: 'solve/a',
    outcome: 'abstained',
    usage: { flop: 0, ms: 1 },
    calls: [
      { node: lost, weight: 1 },
      { node: shared, weight: 1 },
    ],
  });
  root.addAttempt({ module: 'solve/b', outcome: 'answered', usage: { flop: 10, ms: 2 } });
  root.inputs = [
    { node: shared, weight: 0 },
    { node: middle, weight: 1 },
  ];
  return root;
}

describe('receipts', () => {
  it('keep who answered, why, at what cost, and stay small', () => {
    const root = trace();
    const bytes = encodeReceipt(root, Uint8Array.of(1, 2, 3));
    expect(bytes.length).toBeLessThan(500);
    const { call, payload } = decodeReceipt(bytes);
    expect([...payload]).toEqual([1, 2, 3]);
    expect([call.task, call.module, call.inputs.length, call.lost.length]).toEqual(['solve', 'solve/b', 2, 2]);
    expect(call.attempts.map((a) => [a.module, a.outcome])).toEqual([
      ['solve/a', 'abstained'],
      ['solve/b', 'answered'],
    ]);
    const cells = call.inputs[1]!.call.inputs;
    expect(cells).toHaveLength(82);
    expect(cells[81]!.call).toBe(call.inputs[0]!.call);
    expect(cells[81]!.call).toBe(call.lost[1]);
    expect([cells[0]!.weight, cells[81]!.weight, call.inputs[0]!.weight]).toEqual([1, 0.5, 0]);
    cells.slice(0, 81).forEach(({ call: cell }, i) => {
      expect(cell.module).toBe(i % 2 === 0 ? 'read/ink' : 'read/large');
      const doubt = i % 2 === 0 ? 0 : 0.25 - i / 1000;
      expect(Math.abs(1 - cell.confidence! - doubt)).toBeLessThanOrEqual(0.035 * doubt);
      expect(cell.attempts.at(-1)!.confidence).toBe(cell.confidence);
      if (i % 2 === 1) {
        expect(cell.route.runnerUp!.module).toBe('read/large');
        expect(cell.route.expectedError! / 0.01).toBeCloseTo(1, 1);
        expect(cell.route.cluster).toBe(i % 4);
        expect(cell.route.expectedCost! / 1234).toBeCloseTo(1, 1);
        expect(cell.attempts[0]!.confidence).toBeCloseTo(0.5, 1);
      }
    });
    const reads = 41 * 784 + 42 * 2_015_700;
    expect(receiptUsage(call).flop).toBe(10 + reads);
  });

  it('damaged bytes give an error, never a crash', () => {
    const bytes = encodeReceipt(trace(), new Uint8Array(5));
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: bytes.length - 1 }),
        fc.integer({ min: 1, max: 255 }),
        fc.boolean(),
        (at, flip, cut) => {
          const damaged = cut ? bytes.slice(0, at) : Uint8Array.from(bytes, (b, i) => (i === at ? b ^ flip : b));
          try {
            decodeReceipt(damaged);
          } catch (error) {
            expect(CairnError.isInstance(error)).toBe(true);
          }
        },
      ),
      { numRuns: 400 },
    );
  });
});

describe('bytes', () => {
  it('varints, probabilities, costs and texts come back', () => {
    const numbers = [0, 1, 127, 128, 300, 2 ** 31, 2 ** 40, 2 ** 52];
    const writer = new ByteWriter();
    for (const n of numbers) writer.varint(n);
    for (const p of [undefined, 0, 1, 0.25]) writer.scaled(p);
    for (const c of [undefined, 0, 1e-5, 4_642_698]) writer.half(c);
    const reader = new ByteReader(writer.text('añ').toBytes());
    expect(numbers.map(() => reader.varint())).toEqual(numbers);
    expect([reader.scaled(), reader.scaled(), reader.scaled(), reader.scaled()]).toEqual([undefined, 0, 1, 0.25]);
    expect([reader.half(), reader.half()]).toEqual([undefined, 0]);
    expect(reader.half()! / 1e-5).toBeCloseTo(1, 2);
    expect(reader.half()! / 4_642_698).toBeCloseTo(1, 2);
    expect(reader.text()).toBe('añ');
    expect(reader.done).toBe(true);
    expect(() => reader.u8()).toThrow('Expected at least');
  });

  it('crc32 of the check text', () => {
    expect(crc32(new TextEncoder().encode('123456789'))).toBe(0xcbf43926);
  });
});
