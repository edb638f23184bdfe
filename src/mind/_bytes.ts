// Compact bytes: varints, texts, numbers on a scale of halvings. The reader checks every length, so that damaged bytes give an error and
// never a crash or a large allocation.
import { CairnError } from '../errors.ts';

export class ByteWriter {
  #bytes = new Uint8Array(256);
  #length = 0;

  u8(value: number): this {
    if (this.#length === this.#bytes.length) {
      const grown = new Uint8Array(2 * this.#bytes.length);
      grown.set(this.#bytes);
      this.#bytes = grown;
    }
    this.#bytes[this.#length++] = value;
    return this;
  }

  /** A non-negative integer below 2^53, seven bits a byte. */
  varint(value: number): this {
    let rest = Math.max(0, Math.round(value));
    while (rest >= 128) {
      this.u8((rest % 128) + 128);
      rest = Math.floor(rest / 128);
    }
    return this.u8(rest);
  }

  /** A number 0..1 in one byte, to 3 % over 24 halvings below 1; 0 and `undefined` are told apart. */
  scaled(value: number | undefined): this {
    if (value === undefined) return this.u8(0);
    if (!(value > 0)) return this.u8(1);
    return this.u8(2 + Math.min(252, Math.max(0, Math.round(-10.5 * Math.log2(value)))));
  }

  /** Any number in two bytes, to 0.4 %: the upper half of its f32. */
  half(value: number | undefined): this {
    const [bits] = new Uint32Array(Float32Array.of(value ?? NaN).buffer);
    const upper = Math.min(0xffff, (bits! + (value === undefined ? 0 : 0x8000)) >>> 16);
    return this.u8(upper & 255).u8(upper >>> 8);
  }

  text(value: string): this {
    return this.blob(new TextEncoder().encode(value));
  }

  blob(value: Uint8Array): this {
    this.varint(value.length);
    for (const byte of value) this.u8(byte);
    return this;
  }

  toBytes(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }
}

export class ByteReader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get done(): boolean {
    return this.#at === this.#bytes.length;
  }

  u8(): number {
    const byte = this.#bytes[this.#at++];
    if (byte === undefined) throw damaged(`at least ${this.#at} bytes`, `${this.#bytes.length}`);
    return byte;
  }

  varint(): number {
    let value = 0;
    let scale = 1;
    for (let i = 0; i < 8; i++) {
      const byte = this.u8();
      value += (byte & 127) * scale;
      if (byte < 128) return value;
      scale *= 128;
    }
    throw damaged('an integer of at most 8 bytes', 'more');
  }

  /** An integer below `limit`. */
  below(limit: number): number {
    const value = this.varint();
    if (value < limit) return value;
    throw damaged(`a number below ${limit}`, `${value}`);
  }

  scaled(): number | undefined {
    const code = this.u8();
    if (code === 0) return undefined;
    return code === 1 ? 0 : 2 ** (-(code - 2) / 10.5);
  }

  half(): number | undefined {
    const upper = this.u8() + 256 * this.u8();
    const [value] = new Float32Array(Uint32Array.of(upper << 16).buffer);
    return Number.isNaN(value) ? undefined : value;
  }

  text(): string {
    return new TextDecoder().decode(this.blob());
  }

  blob(): Uint8Array {
    const length = this.varint();
    if (length > this.#bytes.length - this.#at)
      throw damaged(`${length} more bytes`, `${this.#bytes.length - this.#at}`);
    const part = this.#bytes.slice(this.#at, this.#at + length);
    this.#at += length;
    return part;
  }
}

function damaged(expected: string, got: string): CairnError {
  return new CairnError('bad_receipt', `Expected ${expected}, got ${got}.`, {
    hint: 'The stored receipt is damaged; the rest of the event can still be read.',
  });
}
