// A 32-bit fingerprint of the bits of an array (the four lanes of Yann Collet's xxHash32 over 32-bit words). Every round is
// a bijection of the word it takes in, so a change within one word, a flipped bit above all, always changes the result.
// Not for cryptography.
import type { HostTensor, ModelState, TypedArray } from '../../tensor/index.ts';

const P1 = 0x9e3779b1;
const P2 = 0x85ebca77;
const P3 = 0xc2b2ae3d;
const P4 = 0x27d4eb2f;
const P5 = 0x165667b1;

const mix = (lane: number, word: number): number => {
  const x = (lane + Math.imul(word, P2)) | 0;
  return Math.imul((x << 13) | (x >>> 19), P1);
};
const turn = (x: number, by: number): number => (x << by) | (x >>> (32 - by));

/**
 * Fingerprint of an array's bytes, an unsigned 32-bit number.
 * @example
 * fingerprint(Float32Array.of(1, 2)) === fingerprint(Float32Array.of(1, 2)); // true
 */
export function fingerprint(data: TypedArray): number {
  const bytes = data.byteLength;
  const words =
    data.byteOffset % 4 === 0
      ? new Uint32Array(data.buffer, data.byteOffset, bytes >>> 2)
      : new Uint32Array(new Uint8Array(data.buffer, data.byteOffset, bytes & ~3).slice().buffer);
  let a = (P1 + P2) | 0;
  let b = P2 | 0;
  let c = 0;
  let d = -P1 | 0;
  const whole = words.length & ~3;
  for (let i = 0; i < whole; i += 4) {
    a = mix(a, words[i]!);
    b = mix(b, words[i + 1]!);
    c = mix(c, words[i + 2]!);
    d = mix(d, words[i + 3]!);
  }
  let h = (turn(a, 1) + turn(b, 7) + turn(c, 12) + turn(d, 18) + bytes) | 0;
  for (let i = whole; i < words.length; i++) h = Math.imul(turn((h + Math.imul(words[i]!, P3)) | 0, 17), P4);
  for (const byte of new Uint8Array(data.buffer, data.byteOffset + (bytes & ~3), bytes & 3)) {
    h = Math.imul(turn((h + Math.imul(byte, P5)) | 0, 11), P1);
  }
  h = Math.imul(h ^ (h >>> 15), P2);
  h = Math.imul(h ^ (h >>> 13), P3);
  return (h ^ (h >>> 16)) >>> 0;
}

/** Fingerprints by name. */
export type Fingerprints = ReadonlyMap<string, number>;

/** One fingerprint an entry of a state, in the order of its names. */
export function fingerprintState(state: ModelState): Fingerprints {
  return new Map(state.names().map((name) => [name, fingerprint(state.borrow(name).data)]));
}

/** One fingerprint an output of a program. */
export function fingerprintOutputs(outputs: Readonly<Record<string, HostTensor>>): Fingerprints {
  return new Map(Object.entries(outputs).map(([name, t]) => [name, fingerprint(t.data)]));
}

/** The first name whose fingerprints differ, or that only one of them has. */
export function firstDifference(a: Fingerprints, b: Fingerprints): string | undefined {
  for (const [name, value] of a) if (b.get(name) !== value) return name;
  for (const name of b.keys()) if (!a.has(name)) return name;
  return undefined;
}
