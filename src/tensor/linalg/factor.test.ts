import { Matrix as MlMatrix, CholeskyDecomposition, LuDecomposition, QrDecomposition, determinant } from 'ml-matrix';
import { describe, expect, it } from 'vitest';
import { Rng } from '../rng.ts';
import { cholesky, choleskySolve, det, identity, inverse, logDet, lu, matrix, qr, solve, transpose } from './index.ts';
import { difference, hilbert, maxAbs, product, randomMatrix, toRows } from './_testing.ts';

describe('cholesky', () => {
  it('has a small residual on random positive definite matrices', () => {
    const rng = new Rng(1);
    for (const n of [0, 1, 2, 5, 33, 80]) {
      const b = randomMatrix(rng, n, n + 3);
      const a = product(b, transpose(b));
      const l = cholesky(a);
      expect(maxAbs(difference(product(l, transpose(l)), a))).toBeLessThanOrEqual(
        10 * (n + 1) * 2.3e-16 * (1 + maxAbs(a)),
      );
      const x = randomMatrix(rng, n, 2);
      expect(maxAbs(difference(choleskySolve(l, product(a, x)), x))).toBeLessThan(1e-6);
      if (n > 0) expect(logDet(l)).toBeCloseTo(Math.log(det(a)), 8);
    }
  });

  it('factors Hilbert matrices and names the pivot that fails', () => {
    const h = hilbert(8);
    const l = cholesky(h);
    expect(maxAbs(difference(product(l, transpose(l)), h))).toBeLessThan(1e-15);
    expect(() => cholesky(matrix(2, 2, [1, 2, 2, 1]))).toThrow('Expected a positive pivot in row 1, got -3.');
    expect(() => cholesky(matrix(2, 3))).toThrow('Expected a square matrix for cholesky, got 2 x 3.');
  });
});

describe('lu', () => {
  it('solves, inverts and takes determinants', () => {
    const rng = new Rng(2);
    for (const n of [1, 2, 7, 40]) {
      const a = randomMatrix(rng, n, n);
      const x = randomMatrix(rng, n, 3);
      expect(maxAbs(difference(solve(a, product(a, x)), x))).toBeLessThan(1e-9);
      expect(maxAbs(difference(product(a, inverse(a)), identity(n)))).toBeLessThan(1e-9);
    }
    expect(det(matrix(0, 0))).toBe(1);
    expect(det(matrix(2, 2, [0, 1, 1, 0]))).toBe(-1);
    expect(lu(matrix(2, 2, [1, 1, 1, 1])).zeroPivot).toBe(1);
    expect(() => solve(matrix(1, 1, [0]), matrix(1, 1, [1]))).toThrow('zero pivot in column 0');
  });
});

describe('qr', () => {
  it('has orthonormal columns, an upper triangle and a diagonal that is not negative', () => {
    const rng = new Rng(3);
    for (const [m, n] of [
      [5, 3],
      [3, 5],
      [1, 1],
      [0, 0],
      [30, 30],
      [60, 7],
    ] as const) {
      const a = randomMatrix(rng, m, n);
      for (const full of [false, true]) {
        const f = qr(a, { full });
        expect(maxAbs(difference(product(f.q, f.r), a))).toBeLessThan(1e-13);
        expect(maxAbs(difference(product(transpose(f.q), f.q), identity(f.q.cols)))).toBeLessThan(1e-13);
        for (let i = 0; i < f.r.rows; i++) {
          for (let j = 0; j < Math.min(i, n); j++) expect(f.r.data[i * n + j]).toBe(0);
          if (i < n) expect(f.r.data[i * n + i]).toBeGreaterThanOrEqual(0);
        }
      }
    }
  });

  it('survives zero columns and tiny numbers', () => {
    const f = qr(matrix(3, 2, [0, 1e-200, 0, 2e-200, 0, 0]));
    expect(maxAbs(difference(product(f.q, f.r), matrix(3, 2, [0, 1e-200, 0, 2e-200, 0, 0])))).toBeLessThan(1e-214);
  });
});

describe('agreement with ml-matrix on 100 random matrices', () => {
  it('cholesky, solve, det, inverse, qr', () => {
    const rng = new Rng(4);
    for (let k = 0; k < 100; k++) {
      const n = 1 + rng.integer(12);
      const a = randomMatrix(rng, n, n);
      const ml = new MlMatrix(toRows(a));
      const scale = maxAbs(inverse(a));
      expect(det(a)).toBeCloseTo(determinant(ml), 9);
      const peer = new LuDecomposition(ml).solve(MlMatrix.eye(n)).to1DArray();
      expect(maxAbs(difference(inverse(a), matrix(n, n, peer))) / scale).toBeLessThan(1e-9);
      const spd = product(a, transpose(a));
      for (let i = 0; i < n; i++) spd.data[i * n + i] = spd.data[i * n + i]! + 0.5;
      const peerL = new CholeskyDecomposition(new MlMatrix(toRows(spd))).lowerTriangularMatrix.to1DArray();
      expect(maxAbs(difference(cholesky(spd), matrix(n, n, peerL)))).toBeLessThan(1e-9 * maxAbs(spd));
      const r = new QrDecomposition(ml).upperTriangularMatrix.to1DArray().map(Math.abs);
      expect(maxAbs(difference(matrix(n, n, qr(a).r.data.map(Math.abs)), matrix(n, n, r)))).toBeLessThan(1e-9);
    }
  });
});
