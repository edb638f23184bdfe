// Reading and writing of small binary records: varints, checks of length and a 64-bit name of a byte string.
import { CairnError } from '../errors.ts';

function murmur(bytes: Uint8Array, seed: number): number {
  let h = seed | 0;
  for (let i = 0; i < bytes.length; i += 4) {
    let k = 0;
    for (let b = 0; b < 4 && i + b < bytes.length; b++) k |= bytes[i + b]! << (8 * b);
    k = Math.imul(k, 0xcc9e2d51);
    k = (k << 15) | (k >>> 17);
    h ^= Math.imul(k, 0x1b873593);
    h = (h << 13) | (h >>> 19);
    h = (Math.imul(h, 5) + 0xe6546b64) | 0;
  }
  h ^= bytes.length;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** 16 hexadecimal digits: two MurmurHash3 words with different seeds. Names things; proves nothing. */
export function hash64(bytes: Uint8Array): string {
  const hex = (n: number): string => n.toString(16).padStart(8, '0');
  return hex(murmur(bytes, 0x6361_6972)) + hex(murmur(bytes, 0x6e5f_7363));
}

/** Appends numbers to a growing buffer. */
export class ByteWriter {
  #bytes = new Uint8Array(256);
  #view = new DataView(this.#bytes.buffer);
  length = 0;

  #room(n: number): void {
    if (this.length + n <= this.#bytes.length) return;
    const bigger = new Uint8Array(Math.max(this.#bytes.length * 2, this.length + n));
    bigger.set(this.#bytes.subarray(0, this.length));
    this.#bytes = bigger;
    this.#view = new DataView(bigger.buffer);
  }

  u8(v: number): void {
    this.#room(1);
    this.#view.setUint8(this.length++, v);
  }

  u32(v: number): void {
    this.#room(4);
    this.#view.setUint32(this.length, v, true);
    this.length += 4;
  }

  f32(v: number): void {
    this.#room(4);
    this.#view.setFloat32(this.length, v, true);
    this.length += 4;
  }

  /** Pairs of hexadecimal digits as bytes. */
  hex(text: string): void {
    for (let i = 0; i < text.length; i += 2) this.u8(Number.parseInt(text.slice(i, i + 2), 16));
  }

  f64(v: number): void {
    this.#room(8);
    this.#view.setFloat64(this.length, v, true);
    this.length += 8;
  }

  /** Seven bits a byte, low first; v < 2^31. */
  varint(v: number): void {
    let rest = v;
    while (rest >= 128) {
      this.u8((rest & 127) | 128);
      rest >>>= 7;
    }
    this.u8(rest);
  }

  raw(bytes: Uint8Array): void {
    this.#room(bytes.length);
    this.#bytes.set(bytes, this.length);
    this.length += bytes.length;
  }

  finish(): Uint8Array {
    return this.#bytes.slice(0, this.length);
  }
}

const HEX = Array.from({ length: 256 }, (_, b) => b.toString(16).padStart(2, '0'));

/** Reads numbers and never runs past the end; every fault is one CairnError with the given code. */
export class ByteReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #code: string;
  #at = 0;

  constructor(bytes: Uint8Array, code: string) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#code = code;
  }

  fail(what: string): never {
    throw new CairnError(this.#code, `Expected ${what} at byte ${this.#at}, got other data.`, {
      hint: 'The record is damaged or of another version; restore it from a backup.',
    });
  }

  #take(n: number): number {
    if (this.#at + n > this.#bytes.length) this.fail(`${n} more bytes`);
    const at = this.#at;
    this.#at += n;
    return at;
  }

  get left(): number {
    return this.#bytes.length - this.#at;
  }

  u8(): number {
    return this.#view.getUint8(this.#take(1));
  }

  u32(): number {
    return this.#view.getUint32(this.#take(4), true);
  }

  f32(): number {
    return this.#view.getFloat32(this.#take(4), true);
  }

  hex(bytes: number): string {
    const raw = this.raw(bytes);
    let text = '';
    for (let i = 0; i < raw.length; i++) text += HEX[raw[i]!]!;
    return text;
  }

  f64(): number {
    return this.#view.getFloat64(this.#take(8), true);
  }

  varint(limit: number): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.u8();
      value += (byte & 127) * 2 ** shift;
      if (byte < 128) {
        if (value > limit) this.fail(`a number up to ${limit}`);
        return value;
      }
    }
    return this.fail('a shorter number');
  }

  raw(n: number): Uint8Array {
    const at = this.#take(n);
    return this.#bytes.subarray(at, at + n);
  }
}
