import { expect, test } from 'vitest';
import { Library } from './library.ts';
import { poolOf } from './candidates.ts';
import type { ErrorCertificate } from './certificate.ts';

const certificate: ErrorCertificate = {
  how: 'exact',
  samples: 60,
  errors: 0,
  epsilon: 0.25,
  delta: 0.01,
  logHypotheses: 5,
};

function library(): Library {
  const made = new Library(['a', 'b', 'c']);
  made.freeze('xor', 'boolean', { kind: 'table', inputs: [0, 1], table: 6 }, 60, certificate); // reference 3
  made.freeze('both', 'boolean', { kind: 'table', inputs: [2, 3], table: 8 }, 60, certificate); // reference 4
  return made;
}

test('modules read features and earlier modules, and know what lies below them', () => {
  const lib = library();
  expect(lib.modules().map((m) => [m.name, m.reference, m.depth])).toEqual([
    ['xor', 3, 1],
    ['both', 4, 2],
  ]);
  const memo = new Map<number, number>();
  expect(lib.evaluate(4, [1, 0, 1], memo)).toBe(1);
  expect([...memo]).toEqual([
    [3, 1],
    [4, 1],
  ]);
  expect(lib.evaluate(4, [1, 1, 1], new Map())).toBe(0);
  expect(lib.below(4).map((m) => m.name)).toEqual(['xor', 'both']);
});

test('a module cannot read itself or what comes after it', () => {
  const lib = library();
  for (const late of [5, 9, -1]) {
    const model = { kind: 'copy', input: late, negate: false } as const;
    expect(() => lib.freeze('late', 'boolean', model, 1, certificate)).toThrow(/may not read itself/);
  }
  expect(() => lib.module(7)).toThrow(/Expected a frozen module, got reference 7/);
  lib.verify();
});

test('what is too deep or retired is no candidate; use brings a module and those below it back', () => {
  const lib = library();
  expect(poolOf(lib, 16)).toEqual([0, 1, 2, 3, 4]);
  expect(poolOf(lib, 2)).toEqual([0, 1, 2, 3]);
  lib.touch(3, 10);
  expect(lib.retireUnreadSince(5)).toBe(1);
  expect(poolOf(lib, 16)).toEqual([0, 1, 2, 3]);
  lib.touch(4, 20);
  expect(lib.retireUnreadSince(15)).toBe(0);
  expect(poolOf(lib, 16)).toEqual([0, 1, 2, 3, 4]);
});
