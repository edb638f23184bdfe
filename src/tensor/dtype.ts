// Element types of tensors and the typed arrays that hold them on the host. f16 is stored as its bits in a Uint16Array,
// bool as 0 and 1 in a Uint8Array. i64 is not an element type: it exists only inside the ONNX writer.
import { CairnError } from '../errors.ts';

export type Dtype = 'f32' | 'f64' | 'f16' | 'i32' | 'u32' | 'bool';
export type TypedArray = Float32Array | Float64Array | Int32Array | Uint32Array | Uint8Array | Uint16Array;

export const dtypes: readonly Dtype[] = ['f32', 'f64', 'f16', 'i32', 'u32', 'bool'];

const bytes: Readonly<Record<Dtype, number>> = { f32: 4, f64: 8, f16: 2, i32: 4, u32: 4, bool: 1 };

/** Bytes of one element. */
export function byteSize(dtype: Dtype): number {
  return bytes[dtype];
}

/** True for the types that have gradients. */
export function isFloat(dtype: Dtype): boolean {
  return dtype === 'f32' || dtype === 'f64' || dtype === 'f16';
}

/** A zeroed array for `count` elements. */
export function allocate(dtype: Dtype, count: number): TypedArray {
  switch (dtype) {
    case 'f32':
      return new Float32Array(count);
    case 'f64':
      return new Float64Array(count);
    case 'f16':
      return new Uint16Array(count);
    case 'i32':
      return new Int32Array(count);
    case 'u32':
      return new Uint32Array(count);
    case 'bool':
      return new Uint8Array(count);
    default:
      return dtype satisfies never;
  }
}

/** The element type a typed array holds: Uint8Array is bool, Uint16Array is f16. */
export function dtypeOf(data: TypedArray): Dtype {
  if (data instanceof Float32Array) return 'f32';
  if (data instanceof Float64Array) return 'f64';
  if (data instanceof Int32Array) return 'i32';
  if (data instanceof Uint32Array) return 'u32';
  if (data instanceof Uint8Array) return 'bool';
  if (data instanceof Uint16Array) return 'f16';
  throw new CairnError('bad_array', `Expected a typed array of f32, f64, f16, i32, u32 or bool, got ${typeof data}.`);
}

const scratchF32 = new Float32Array(1);
const scratchU32 = new Uint32Array(scratchF32.buffer);

/** The bits of the f16 nearest to `x` (ties to even). */
export function toHalf(x: number): number {
  scratchF32[0] = x;
  const bits = scratchU32[0]!;
  const sign = (bits >>> 16) & 0x8000;
  const exponent = (bits >>> 23) & 0xff;
  const mantissa = bits & 0x7fffff;
  if (exponent === 0xff) return sign | 0x7c00 | (mantissa === 0 ? 0 : 0x200);
  const e = exponent - 112;
  if (e >= 31) return sign | 0x7c00;
  if (e <= 0) {
    if (e < -10) return sign;
    const full = mantissa | 0x800000;
    const shift = 14 - e;
    const half = full >>> shift;
    const rest = full & ((1 << shift) - 1);
    const middle = 1 << (shift - 1);
    return sign | (half + (rest > middle || (rest === middle && (half & 1) === 1) ? 1 : 0));
  }
  const half = (e << 10) | (mantissa >>> 13);
  const rest = mantissa & 0x1fff;
  return sign | (half + (rest > 0x1000 || (rest === 0x1000 && (half & 1) === 1) ? 1 : 0));
}

/** The value of f16 bits. */
export function fromHalf(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >>> 10) & 31;
  const mantissa = bits & 0x3ff;
  if (exponent === 0) return sign * mantissa * 2 ** -24;
  if (exponent === 31) return mantissa === 0 ? sign * Infinity : NaN;
  return sign * (1 + mantissa / 1024) * 2 ** (exponent - 15);
}

/** Copies values into the array type of `dtype`, with f16 bits where asked. */
export function convert(data: TypedArray, from: Dtype, to: Dtype): TypedArray {
  const out = allocate(to, data.length);
  for (let i = 0; i < data.length; i++) {
    const x = from === 'f16' ? fromHalf(data[i]!) : data[i]!;
    out[i] = to === 'f16' ? toHalf(x) : to === 'bool' ? (x === 0 ? 0 : 1) : x;
  }
  return out;
}
