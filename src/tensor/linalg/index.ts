// Small dense linear algebra in f64, row-major, for sizes up to a few hundred.
export { cholesky, choleskySolve, logDet, solveLowerInPlace, solveLowerTransposedInPlace } from './cholesky.ts';
export { det, inverse, lu, luSolve, solve, type Lu } from './lu.ts';
export { identity, LinalgError, matrix, transpose, type Matrix } from './matrix.ts';
export { qr, type Qr } from './qr.ts';
export { eigSym, type EigSym } from './eig-sym.ts';
export { gram, matmul, matmulTransposed } from './matmul.ts';
export { expm } from './expm.ts';
export { lanczos, powerIteration, randomizedSvd, type SymmetricOperator } from './krylov.ts';
export { norm } from './norms.ts';
export { cond, lstsq, norm2, pinv, rank, svd, type Svd } from './svd.ts';
