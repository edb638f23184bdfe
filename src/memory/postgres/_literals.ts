// Values as PostgreSQL reads them: array literals for batches through unnest, signatures as bit strings, and text without
// the one character that the server does not store.
import { SIGNATURE_WORDS } from '../signature.ts';

/** An array literal of numbers. */
export function numbers(values: ArrayLike<number>): string {
  return `{${Array.prototype.join.call(values, ',')}}`;
}

/** An array literal of bytea. */
export function blobs(values: readonly Uint8Array[]): string {
  return `{${values.map((v) => `"\\\\x${hex(v)}"`).join(',')}}`;
}

/** An array literal of text. */
export function texts(values: readonly string[]): string {
  return `{${values.map((v) => `"${toText(v).replace(/["\\]/g, '\\$&')}"`).join(',')}}`;
}

/** An array literal of bit(256). */
export function signatures(values: readonly Uint32Array[]): string {
  return `{${values.map(toBits).join(',')}}`;
}

/**
 * A signature as a bit string: sixteen groups of sixteen bits, the group of table t first-bit-highest, so that
 * `substring(sig from 16 * t + 1 for 16)::bit(16)::int` is the key of table t.
 */
export function toBits(words: Uint32Array): string {
  let out = 'x';
  for (let w = 0; w < SIGNATURE_WORDS; w++) {
    const word = words[w]!;
    out += (word & 0xffff).toString(16).padStart(4, '0') + (word >>> 16).toString(16).padStart(4, '0');
  }
  return out;
}

/** The signature that the server shows as 256 digits. */
export function fromBits(text: string): Uint32Array {
  return Uint32Array.from({ length: SIGNATURE_WORDS }, (_, w) => {
    const low = Number.parseInt(text.slice(w * 32, w * 32 + 16), 2);
    const high = Number.parseInt(text.slice(w * 32 + 16, w * 32 + 32), 2);
    return (low | (high << 16)) >>> 0;
  });
}

/** The server stores no NUL in text: it is written as U+FFFE 0, and U+FFFE as U+FFFE 1. */
export function toText(value: string): string {
  return value.replace(/[\0\ufffe]/g, (c) => (c === '\0' ? '\ufffe0' : '\ufffe1'));
}

export function fromText(value: string): string {
  return value.includes('\ufffe')
    ? value.replace(/\ufffe([01])/g, (_, d: string) => (d === '0' ? '\0' : '\ufffe'))
    : value;
}

/** The numbers of an array literal. */
export function fromNumbers(text: string): number[] {
  return text.length <= 2 ? [] : text.slice(1, -1).split(',').map(Number);
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('hex');
}

/** An array literal with NULL where a value is undefined. */
export function optional(values: readonly (number | undefined)[]): string {
  return `{${values.map((v) => v ?? 'NULL').join(',')}}`;
}

/** An array literal of bytea with NULL where a value is undefined. */
export function optionalBlobs(values: readonly (Uint8Array | undefined)[]): string {
  return `{${values.map((v) => (v === undefined ? 'NULL' : `"\\\\x${hex(v)}"`)).join(',')}}`;
}

/** UTF-16, big-endian: in the order of these bytes names stand as JavaScript sorts them. */
export function toSortable(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'utf16le').swap16());
}

export function fromSortable(bytes: Uint8Array): string {
  return Buffer.from(bytes).swap16().toString('utf16le');
}

/** The server's bytes as an array of their own. */
export function toBytes(value: Uint8Array): Uint8Array {
  return new Uint8Array(value);
}
