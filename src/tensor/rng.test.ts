import { describe, expect, it } from 'vitest';
import { Rng, philox } from './rng.ts';

const hex = (a: Uint32Array): string => Array.from(a, (x) => x.toString(16).padStart(8, '0')).join(' ');

describe('philox', () => {
  it.each([
    [[0, 0, 0, 0], [0, 0], '6627e8d5 e169c58d bc57ac4c 9b00dbd8'],
    [[0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff], [0xffffffff, 0xffffffff], '408f276d 41c83b0e a20bc7c6 6d5451fd'],
    [[0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344], [0xa4093822, 0x299f31d0], 'd16cfe09 94fdcceb 5001e420 24126ea1'],
  ] as const)('matches the published vector for counter %s', (counter, key, expected) => {
    const out = new Uint32Array(4);
    philox([counter[0], counter[1], counter[2], counter[3]], [key[0], key[1]], out);
    expect(hex(out)).toBe(expected);
  });
});

describe('Rng', () => {
  it('repeats from a seed, and forks do not depend on what was drawn', () => {
    const a = new Rng(7);
    for (let i = 0; i < 5; i++) a.u32();
    expect(a.fork('x').u32()).toBe(new Rng(7).fork('x').u32());
    expect(a.fork('x').u32()).not.toBe(a.fork('y').u32());
    expect(new Rng(1).fork(3).u32()).not.toBe(new Rng(1).fork('3').u32());
  });

  it('continues from a saved state, mid-block and with a cached normal', () => {
    for (let draws = 0; draws < 9; draws++) {
      const a = new Rng('s');
      for (let i = 0; i < draws; i++) a.u32();
      a.normal();
      const b = new Rng('s').restore(a.state());
      expect([b.normal(), b.u32(), b.u32()]).toEqual([a.normal(), a.u32(), a.u32()]);
    }
  });

  it('has the right moments', () => {
    const rng = new Rng(11);
    const n = 40_000;
    let s = 0;
    let s2 = 0;
    let g = 0;
    for (let i = 0; i < n; i++) {
      const z = rng.normal();
      s += z;
      s2 += z * z;
      g += rng.gamma(2.5);
    }
    expect(Math.abs(s / n)).toBeLessThan(5 / Math.sqrt(n));
    expect(Math.abs(s2 / n - 1)).toBeLessThan(5 * Math.sqrt(2 / n));
    expect(Math.abs(g / n - 2.5)).toBeLessThan(5 * Math.sqrt(2.5 / n));
  });

  it('draws integers without bias and refuses nonsense', () => {
    const rng = new Rng(5);
    const counts = new Array<number>(7).fill(0);
    for (let i = 0; i < 70_000; i++) counts[rng.integer(7)]!++;
    const chi2 = counts.reduce((t, c) => t + (c - 10_000) ** 2 / 10_000, 0);
    expect(chi2).toBeLessThan(25);
    expect(() => rng.integer(0)).toThrow('Expected an integer between 1 and 2^32, got 0.');
  });

  it('makes permutations', () => {
    expect(Array.from(new Rng(2).permutation(50)).sort((a, b) => a - b)).toEqual(
      Array.from({ length: 50 }, (_, i) => i),
    );
  });
});
