// The matrix exponential by scaling and squaring with the Padé approximant of degree 13. After Higham, "The Scaling and
// Squaring Method for the Matrix Exponential Revisited" (2005).
import { identity, matrix, type Matrix, squareSize } from './matrix.ts';
import { matmul } from './matmul.ts';
import { norm } from './norms.ts';
import { solve } from './lu.ts';

/** Largest 1-norm for which the approximant alone is accurate to rounding. */
const THETA = 5.371920351148152;

/** Coefficients of the numerator: (26 − k)! 13! / (26! k! (13 − k)!) scaled to whole numbers. */
const B = [
  64764752532480000, 32382376266240000, 7771770303897600, 1187353796428800, 129060195264000, 10559470521600,
  670442572800, 33522128640, 1323241920, 40840800, 960960, 16380, 182, 1,
];

/**
 * e^A.
 * @example
 * expm(matrix(1, 1, [1])).data[0]; // 2.718…
 */
export function expm(a: Matrix): Matrix {
  const n = squareSize(a, 'expm');
  const size = norm(a, '1');
  const squarings = size > THETA ? Math.ceil(Math.log2(size / THETA)) : 0;
  const x = combine(n, [[a, 2 ** -squarings]]);
  const x2 = matmul(x, x);
  const x4 = matmul(x2, x2);
  const x6 = matmul(x4, x2);
  const one = identity(n);
  const [b0, b1, b2, b3, b4, b5, b6, b7, b8, b9, b10, b11, b12, b13] = B as [
    number,
    number,
    number,
    number,
    number,
    number,
    number,
    number,
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const oddHigh = matmul(
    x6,
    combine(n, [
      [x6, b13],
      [x4, b11],
      [x2, b9],
    ]),
  );
  const odd = matmul(
    x,
    combine(n, [
      [oddHigh, 1],
      [x6, b7],
      [x4, b5],
      [x2, b3],
      [one, b1],
    ]),
  );
  const evenHigh = matmul(
    x6,
    combine(n, [
      [x6, b12],
      [x4, b10],
      [x2, b8],
    ]),
  );
  const even = combine(n, [
    [evenHigh, 1],
    [x6, b6],
    [x4, b4],
    [x2, b2],
    [one, b0],
  ]);
  let result = solve(
    combine(n, [
      [even, 1],
      [odd, -1],
    ]),
    combine(n, [
      [even, 1],
      [odd, 1],
    ]),
  );
  for (let k = 0; k < squarings; k++) result = matmul(result, result);
  return result;
}

function combine(n: number, terms: readonly (readonly [Matrix, number])[]): Matrix {
  const out = matrix(n, n);
  for (const [m, factor] of terms) {
    for (let i = 0; i < out.data.length; i++) out.data[i] = out.data[i]! + factor * m.data[i]!;
  }
  return out;
}
