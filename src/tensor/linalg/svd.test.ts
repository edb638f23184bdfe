import { Matrix as MlMatrix, pseudoInverse, SingularValueDecomposition } from 'ml-matrix';
import { describe, expect, it } from 'vitest';
import { Rng } from '../rng.ts';
import {
  cond,
  expm,
  identity,
  lanczos,
  lstsq,
  matrix,
  type Matrix,
  norm,
  norm2,
  pinv,
  powerIteration,
  qr,
  randomizedSvd,
  rank,
  svd,
  transpose,
} from './index.ts';
import { difference, hilbert, maxAbs, product, randomMatrix, toRows } from './_testing.ts';

function diagonal(values: ArrayLike<number>): Matrix {
  const n = values.length;
  const out = matrix(n, n);
  for (let i = 0; i < n; i++) out.data[i * n + i] = values[i]!;
  return out;
}

describe('svd', () => {
  it('has small residuals for tall, wide, square, empty and rank-deficient matrices', () => {
    const rng = new Rng(1);
    const cases: Matrix[] = [
      [7, 4],
      [4, 7],
      [20, 20],
      [1, 1],
      [0, 0],
      [40, 3],
      [1, 6],
    ].map(([m, n]) => randomMatrix(rng, m!, n!));
    cases.push(product(randomMatrix(rng, 9, 3), randomMatrix(rng, 3, 8)), matrix(4, 4), hilbert(10));
    for (const a of cases) {
      const { u, s, vt } = svd(a);
      expect(maxAbs(difference(product(product(u, diagonal(s)), vt), a))).toBeLessThan(1e-13 * (1 + maxAbs(a)));
      expect(maxAbs(difference(product(transpose(u), u), identity(s.length)))).toBeLessThan(1e-13);
      expect(maxAbs(difference(product(vt, transpose(vt)), identity(s.length)))).toBeLessThan(1e-13);
      for (let i = 1; i < s.length; i++) expect(s[i]).toBeLessThanOrEqual(s[i - 1]!);
    }
    expect(() => svd(matrix(1, 1, [NaN]))).toThrow('Expected finite entries');
  });

  it('keeps small singular values accurate and survives extreme scales', () => {
    const rng = new Rng(2);
    const wanted = [1e90, 1, 1e-8, 1e-50].map((v) => v * 1e60);
    const s = svd(product(diagonal(wanted), identity(4))).s;
    wanted.forEach((w, i) => expect(s[i]! / w).toBeCloseTo(1, 12));
    const { q } = qr(randomMatrix(rng, 5, 5));
    const graded = svd(product(q, diagonal([1, 1e-3, 1e-6, 1e-9, 1e-12]))).s;
    [1, 1e-3, 1e-6, 1e-9, 1e-12].forEach((w, i) => expect(graded[i]! / w).toBeCloseTo(1, 9));
    expect(cond(hilbert(6)) / 14951058.6424659).toBeCloseTo(1, 6);
  });

  it('gives rank, pseudo-inverse, condition and norms', () => {
    const rng = new Rng(3);
    const low = product(randomMatrix(rng, 8, 3), randomMatrix(rng, 3, 6));
    expect(rank(low)).toBe(3);
    const p = pinv(low);
    expect(maxAbs(difference(product(product(low, p), low), low))).toBeLessThan(1e-12);
    expect(maxAbs(difference(product(product(p, low), p), p))).toBeLessThan(1e-12);
    expect(cond(diagonal([4, 2]))).toBe(2);
    expect(cond(matrix(2, 2, [1, 1, 1, 1]))).toBeGreaterThan(1e15);
    const a = matrix(2, 2, [1, -2, 3, 4]);
    expect([norm(a, '1'), norm(a, 'inf'), norm(a, 'fro')]).toEqual([6, 7, Math.sqrt(30)]);
    expect(norm(matrix(1, 2, [3e200, 4e200]), 'fro')).toBeCloseTo(5e200, -190);
    expect(norm2(matrix(2, 2, [0, 3, 0, 0]))).toBe(3);
  });

  it('solves least squares, with least norm when the columns do not suffice or depend', () => {
    const rng = new Rng(4);
    const a = randomMatrix(rng, 12, 5);
    const b = randomMatrix(rng, 12, 2);
    const x = lstsq(a, b);
    expect(maxAbs(product(transpose(a), difference(product(a, x), b)))).toBeLessThan(1e-12);
    for (const bad of [randomMatrix(rng, 3, 6), product(randomMatrix(rng, 9, 2), randomMatrix(rng, 2, 4))]) {
      const c = randomMatrix(rng, bad.rows, 1);
      expect(maxAbs(difference(lstsq(bad, c), product(pinv(bad), c)))).toBeLessThan(1e-12);
    }
  });

  it('agrees with ml-matrix on 100 random matrices', () => {
    const rng = new Rng(5);
    for (let k = 0; k < 100; k++) {
      const [m, n] = [1 + rng.integer(12), 1 + rng.integer(12)];
      const a = randomMatrix(rng, m, n);
      const ml = new MlMatrix(toRows(a));
      const peer = new SingularValueDecomposition(ml, { autoTranspose: true }).diagonal;
      const ours = svd(a).s;
      ours.forEach((s, i) => expect(Math.abs(s - peer[i]!)).toBeLessThan(1e-9 * ours[0]!));
      const inverse = matrix(n, m, pseudoInverse(ml).to1DArray());
      expect(maxAbs(difference(pinv(a), inverse)) / maxAbs(inverse)).toBeLessThan(1e-9);
    }
  });
});

describe('expm', () => {
  it('equals the series, rotations, diagonal exponentials, and inverts with the sign', () => {
    const rng = new Rng(6);
    const a = randomMatrix(rng, 6, 6);
    let term = identity(6);
    const series = identity(6);
    for (let k = 1; k < 60; k++) {
      term = matrix(
        6,
        6,
        product(term, a).data.map((v) => v / k),
      );
      for (let i = 0; i < 36; i++) series.data[i] = series.data[i]! + term.data[i]!;
    }
    expect(maxAbs(difference(expm(a), series)) / maxAbs(series)).toBeLessThan(1e-12);
    const angle = 50;
    const turn = expm(matrix(2, 2, [0, -angle, angle, 0]));
    expect(
      maxAbs(difference(turn, matrix(2, 2, [Math.cos(angle), -Math.sin(angle), Math.sin(angle), Math.cos(angle)]))),
    ).toBeLessThan(1e-12);
    const minus = matrix(
      6,
      6,
      a.data.map((v) => -v),
    );
    expect(maxAbs(difference(product(expm(a), expm(minus)), identity(6)))).toBeLessThan(1e-11);
    expect(expm(matrix(0, 0)).data.length).toBe(0);
    expect(expm(diagonal([-800, 1])).data[0]).toBeCloseTo(0, 12);
  });
});

describe('implicit operators', () => {
  const rng = new Rng(7);
  const { q } = qr(randomMatrix(rng, 60, 60));
  const values = Float64Array.from({ length: 60 }, (_, i) => (i === 0 ? -9 : 8 * 0.7 ** i));
  const a = product(product(q, diagonal(values)), transpose(q));
  const apply = (v: Float64Array): Float64Array => product(a, matrix(60, 1, v)).data;

  it('power iteration finds the eigenvalue of largest magnitude', () => {
    const found = powerIteration(apply, 60, new Rng(1));
    expect(found.value).toBeCloseTo(-9, 9);
    expect(found.residual).toBeLessThan(1e-8);
  });

  it('Lanczos finds the leading eigenvalues with a residual that bounds their error, also after a breakdown', () => {
    const found = lanczos(apply, 60, 5, new Rng(2));
    [...values]
      .slice(0, 5)
      .forEach((v, i) => expect(Math.abs(found.values[i]! - v)).toBeLessThan(1e-8 + found.residuals[i]!));
    const image = product(a, found.vectors);
    const scaled = matrix(
      60,
      5,
      found.vectors.data.map((v, k) => v * found.values[k % 5]!),
    );
    expect(maxAbs(difference(image, scaled))).toBeLessThan(1e-6);
    expect([...lanczos((v) => v.map((x) => 2 * x), 10, 3, new Rng(3)).values]).toEqual(
      [2, 2, 2].map((v) => expect.closeTo(v, 12)),
    );
    expect(() => lanczos(apply, 60, 0, new Rng(4))).toThrow('Expected 1 <= count');
  });

  it('randomised singular values match the full ones where they fall fast', () => {
    const full = svd(a);
    const some = randomizedSvd(a, 6, new Rng(5));
    some.s.forEach((s, i) => expect(s / full.s[i]!).toBeCloseTo(1, 6));
    expect(some.u.cols).toBe(6);
    expect(some.vt.rows).toBe(6);
  });
});
