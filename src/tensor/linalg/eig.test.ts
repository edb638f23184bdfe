import { EigenvalueDecomposition, Matrix as MlMatrix } from 'ml-matrix';
import { describe, expect, it } from 'vitest';
import { Rng } from '../rng.ts';
import { eigSym, gram, identity, matmul, matmulTransposed, matrix, qr, transpose } from './index.ts';
import { difference, hilbert, maxAbs, product, randomMatrix, toRows } from './_testing.ts';

describe('eigSym', () => {
  it('has small residuals on both paths', () => {
    const rng = new Rng(5);
    for (const n of [0, 1, 2, 3, 20, 32, 33, 64, 120]) {
      const b = randomMatrix(rng, n, n);
      const a = matrix(
        n,
        n,
        Float64Array.from(b.data, (v, k) => v + b.data[(k % n) * n + Math.floor(k / n)]!),
      );
      const { values, vectors } = eigSym(a);
      const scaled = matrix(
        n,
        n,
        Float64Array.from(vectors.data, (v, k) => v * values[k % n]!),
      );
      expect(maxAbs(difference(product(a, vectors), scaled))).toBeLessThan(1e-12 * (n + 1));
      expect(maxAbs(difference(product(transpose(vectors), vectors), identity(n)))).toBeLessThan(1e-13 * (n + 1));
      for (let i = 1; i < n; i++) expect(values[i]).toBeGreaterThanOrEqual(values[i - 1]!);
    }
  });

  it('keeps repeated and zero eigenvalues', () => {
    const rng = new Rng(6);
    for (const n of [8, 50]) {
      const { q } = qr(randomMatrix(rng, n, n));
      const wanted = Float64Array.from({ length: n }, (_, i) => (i < n / 2 ? 0 : 3));
      const a = product(
        matrix(
          n,
          n,
          Float64Array.from(q.data, (v, k) => v * wanted[k % n]!),
        ),
        transpose(q),
      );
      const { values } = eigSym(a);
      wanted.forEach((w, i) => expect(values[i]).toBeCloseTo(w, 12));
    }
    expect([...eigSym(identity(40)).values]).toEqual(Array.from({ length: 40 }, () => 1));
    expect([...eigSym(matrix(3, 3)).values]).toEqual([0, 0, 0]);
  });

  it('finds the small eigenvalues of a Hilbert matrix and fixes signs', () => {
    const { values, vectors } = eigSym(hilbert(6));
    expect(values[0]! / 1.0827994845655498e-7).toBeCloseTo(1, 7);
    for (let j = 0; j < 6; j++) {
      const column = Array.from({ length: 6 }, (_, i) => vectors.data[i * 6 + j]!);
      expect(Math.max(...column)).toBe(Math.max(...column.map(Math.abs)));
    }
  });

  it('agrees with ml-matrix on 100 random symmetric matrices', () => {
    const rng = new Rng(7);
    for (let k = 0; k < 100; k++) {
      const n = 1 + rng.integer(40);
      const b = randomMatrix(rng, n, n);
      const a = product(b, transpose(b));
      const peer = new EigenvalueDecomposition(new MlMatrix(toRows(a)), { assumeSymmetric: true }).realEigenvalues;
      const ours = eigSym(a).values;
      const scale = Math.max(...ours);
      peer.sort((x, y) => x - y).forEach((v, i) => expect(Math.abs(v - ours[i]!) / scale).toBeLessThan(1e-9));
    }
  });
});

describe('matmul', () => {
  it('equals the textbook product for every remainder of the tiles', () => {
    const rng = new Rng(8);
    for (const [m, k, n] of [
      [0, 3, 2],
      [1, 1, 1],
      [4, 4, 4],
      [5, 7, 6],
      [9, 300, 10],
      [17, 2, 3],
      [3, 0, 2],
    ] as const) {
      const a = randomMatrix(rng, m, k);
      const b = randomMatrix(rng, k, n);
      expect(maxAbs(difference(matmul(a, b), product(a, b)))).toBeLessThan(1e-12);
      expect(maxAbs(difference(matmulTransposed(a, transpose(b)), product(a, b)))).toBeLessThan(1e-12);
      expect(maxAbs(difference(gram(a), product(a, transpose(a))))).toBeLessThan(1e-12);
    }
    expect(() => matmul(matrix(2, 3), matrix(2, 3))).toThrow('Expected inner sizes to agree, got 2x3 times 2x3.');
  });
});
