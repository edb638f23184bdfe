// The Walsh-Hadamard transform in place, without the factor 1/√d: only additions, in an order that never changes.

/**
 * x ← H x with entries ±1, for a power-of-two length. Radix-4 passes halve the memory traffic of the textbook loop.
 * @param x [d], in place
 */
export function fwht(x: Float64Array): void {
  const d = x.length;
  let h = 1;
  for (; h * 4 <= d; h *= 4) {
    const h2 = 2 * h;
    const h3 = 3 * h;
    for (let i = 0; i < d; i += 4 * h) {
      for (let j = i; j < i + h; j++) {
        const a = x[j]!;
        const b = x[j + h]!;
        const c = x[j + h2]!;
        const e = x[j + h3]!;
        const p = a + b;
        const q = a - b;
        const r = c + e;
        const s = c - e;
        x[j] = p + r;
        x[j + h] = q + s;
        x[j + h2] = p - r;
        x[j + h3] = q - s;
      }
    }
  }
  if (h < d) {
    for (let j = 0; j < h; j++) {
      const a = x[j]!;
      const b = x[j + h]!;
      x[j] = a + b;
      x[j + h] = a - b;
    }
  }
}
