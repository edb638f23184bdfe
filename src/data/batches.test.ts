import { expect, test } from 'vitest';
import { Rng } from '../tensor/index.ts';
import { epochBatches, randomWindows } from './batches.ts';

test('an epoch shows every example at most once, in an order of its own', () => {
  const batches = epochBatches({ count: 103, batchSize: 10, rng: new Rng(7) });
  expect(batches.stepsPerEpoch).toBe(10);
  const epoch = (e: number): number[] => Array.from({ length: 10 }, (_, i) => [...batches.at(10 * e + i)]).flat();
  for (const e of [0, 1]) expect(new Set(epoch(e)).size).toBe(100);
  expect(epoch(0)).not.toEqual(epoch(1));
});

test('a step is the same whatever was asked before', () => {
  const a = epochBatches({ count: 50, batchSize: 7, rng: new Rng(7) });
  const b = epochBatches({ count: 50, batchSize: 7, rng: new Rng(7) });
  a.at(0);
  expect(a.at(33)).toEqual(b.at(33));
  expect(a.at(3)).toEqual(b.at(3));
});

test('sizes are checked', () => {
  expect(() => epochBatches({ count: 3, batchSize: 4, rng: new Rng(7) })).toThrow(
    'Expected a batch size from 1 to 3, got 4.',
  );
  expect(() => randomWindows({ tokens: new Int32Array(4), batch: 1, length: 4, rng: new Rng(7) })).toThrow(
    /more than 4 tokens/,
  );
});

test('targets are the next tokens and every position can be drawn', () => {
  const tokens = Int32Array.from({ length: 12 }, (_, i) => i);
  const windows = randomWindows({ tokens, batch: 3, length: 4, rng: new Rng(7) });
  const seen = new Set<number>();
  for (let step = 0; step < 60; step++) {
    const { x, y } = windows.at(step);
    expect([...y]).toEqual(Array.from(x, (t) => t + 1));
    for (const t of y) seen.add(t);
  }
  expect(seen.size).toBe(11);
  expect(windows.at(9)).toEqual(randomWindows({ tokens, batch: 3, length: 4, rng: new Rng(7) }).at(9));
});
