// The inner loops of comparing one signature with all of a chunk: first 128 bits of every item, side by side for vector
// instructions, then the other 128 of those that are near. The functions here are the readable ones; those in WebAssembly
// (_signature-wasm.ts) do the same on the same bytes, 16 items at a time.
import { hamming } from './signature.ts';

/** Items of one chunk, in blocks of 16. */
export const CHUNK = 16_384;
export const BLOCK = 16;
/** Bytes of a signature that come first: byte j of the 16 items of a block stand in a row. */
export const HEAD = 16;
/** The other bytes, item by item. */
export const REST = 16;
/** Where the parts of a chunk begin, from its start: heads, rests, and one distance per item. */
export const RESTS = CHUNK * HEAD;
export const DISTANCES = CHUNK * (HEAD + REST);
export const CHUNK_BYTES = DISTANCES + CHUNK;
/** Before the first chunk: the query's signature, and a list of found items, 4 bytes each. */
export const QUERY = 0;
export const FOUND = 64;
export const FIRST_CHUNK = FOUND + CHUNK * 4;

/** A found item: its place in the chunk in the low bits, its distance of 256 bits above. */
export const PLACE_BITS = 14;
/** A count of a chunk takes this many bits. */
export const COUNT_BITS = 16;

export interface SignatureKernel {
  /** The bytes that the functions work on. They may move when it grows. */
  readonly bytes: () => Uint8Array;
  readonly grow: (bytes: number) => void;
  /**
   * Writes the distances of the heads of so many blocks of a chunk. Returns how many are at most `within`, and from bit 16 on
   * how many are less.
   */
  readonly measure: (chunk: number, blocks: number, within: number) => number;
  /** How many of those distances are at most `within`. */
  readonly count: (chunk: number, blocks: number, within: number) => number;
  /** Lists the items within whose distance of 256 bits is at most `cut`; returns how many they are. */
  readonly collect: (chunk: number, blocks: number, within: number, cut: number) => number;
}

/** The kernel in plain TypeScript. */
export function plainKernel(): SignatureKernel {
  let bytes = new Uint8Array(FIRST_CHUNK);
  const measure = (chunk: number, blocks: number, within: number): number => {
    let counts = 0;
    for (let place = 0; place < blocks * BLOCK; place++) {
      const at = chunk + headOf(place);
      let sum = 0;
      for (let j = 0; j < HEAD; j++) sum += bitsOfByte(bytes[at + j * BLOCK]! ^ bytes[QUERY + j]!);
      bytes[chunk + DISTANCES + place] = sum;
      counts += (sum <= within ? 1 : 0) + (sum < within ? 1 << COUNT_BITS : 0);
    }
    return counts;
  };
  const count = (chunk: number, blocks: number, within: number): number => {
    let n = 0;
    for (let place = 0; place < blocks * BLOCK; place++) if (bytes[chunk + DISTANCES + place]! <= within) n++;
    return n;
  };
  const collect = (chunk: number, blocks: number, within: number, cut: number): number => {
    const words = new Uint32Array(bytes.buffer);
    let n = 0;
    for (let place = 0; place < blocks * BLOCK; place++) {
      const head = bytes[chunk + DISTANCES + place]!;
      if (head > within) continue;
      const rest = (chunk + RESTS + place * REST) >>> 2;
      const distance = head + hamming(words, words, (QUERY + HEAD) >>> 2, rest, REST >>> 2);
      if (distance <= cut) words[(FOUND >>> 2) + n++] = place | (distance << PLACE_BITS);
    }
    return n;
  };
  const grow = (size: number): void => {
    if (size <= bytes.length) return;
    const larger = new Uint8Array(size);
    larger.set(bytes);
    bytes = larger;
  };
  return { bytes: () => bytes, grow, measure, count, collect };
}

/** Where the first byte of an item's head stands in its chunk; the next ones follow 16 bytes apart. */
export function headOf(place: number): number {
  return (place >>> 4) * (BLOCK * HEAD) + (place & 15);
}

function bitsOfByte(v: number): number {
  const pairs = v - ((v >>> 1) & 0x55);
  const fours = (pairs & 0x33) + ((pairs >>> 2) & 0x33);
  return (fours + (fours >>> 4)) & 0x0f;
}
