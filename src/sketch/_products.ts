// Dense products of a row-major matrix with one vector, four rows at a time: the inner loops of recovery.

/**
 * out ← M x.
 * @param m [out.length, x.length]
 */
export function multiply(m: Float64Array, x: Float64Array, out: Float64Array): void {
  const rows = out.length;
  const n = x.length;
  let r = 0;
  for (; r + 3 < rows; r += 4) {
    const a = r * n;
    const b = a + n;
    const c = b + n;
    const d = c + n;
    let sa = 0;
    let sb = 0;
    let sc = 0;
    let sd = 0;
    for (let j = 0; j < n; j++) {
      const v = x[j]!;
      sa += m[a + j]! * v;
      sb += m[b + j]! * v;
      sc += m[c + j]! * v;
      sd += m[d + j]! * v;
    }
    out[r] = sa;
    out[r + 1] = sb;
    out[r + 2] = sc;
    out[r + 3] = sd;
  }
  for (; r < rows; r++) {
    let s = 0;
    for (let j = 0; j < n; j++) s += m[r * n + j]! * x[j]!;
    out[r] = s;
  }
}

/**
 * out ← Mᵀ y.
 * @param m [y.length, out.length]
 */
export function multiplyTransposed(m: Float64Array, y: Float64Array, out: Float64Array): void {
  const rows = y.length;
  const n = out.length;
  out.fill(0);
  let r = 0;
  for (; r + 3 < rows; r += 4) {
    const a = r * n;
    const b = a + n;
    const c = b + n;
    const d = c + n;
    const va = y[r]!;
    const vb = y[r + 1]!;
    const vc = y[r + 2]!;
    const vd = y[r + 3]!;
    for (let j = 0; j < n; j++) {
      out[j] = out[j]! + (va * m[a + j]! + vb * m[b + j]! + (vc * m[c + j]! + vd * m[d + j]!));
    }
  }
  for (; r < rows; r++) {
    const v = y[r]!;
    for (let j = 0; j < n; j++) out[j] = out[j]! + v * m[r * n + j]!;
  }
}
