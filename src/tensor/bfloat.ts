// Conversions between f32 and bfloat16 bits, round to nearest even. Storage only: nothing computes in bfloat16 here.

const scratch = new DataView(new ArrayBuffer(4));

/** bfloat16 bits -> number. */
export function fromBfloat(bits: number): number {
  scratch.setUint32(0, (bits & 0xffff) * 65536);
  return scratch.getFloat32(0);
}

/** Number (rounded to f32 first) -> bfloat16 bits. */
export function toBfloat(x: number): number {
  scratch.setFloat32(0, x);
  const b = scratch.getUint32(0);
  if ((b & 0x7fffffff) > 0x7f800000) return ((b >>> 16) | 0x40) & 0xffff;
  return ((b + 0x7fff + ((b >>> 16) & 1)) >>> 16) & 0xffff;
}
