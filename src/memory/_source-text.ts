// The kept text of a source: chunks of 64 KiB, each packed on its own, so that a byte range is read, or blanked, without the
// rest. What a chunk row holds is decided here for every store.
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import { CairnError } from '../errors.ts';
import { isSealed, seal } from './_segments.ts';

/** Bytes of text per chunk. */
export const CHUNK = 65_536;
const BLANK = 0x20;
const PLAIN = 0;
const DEFLATED = 1;

/** One form byte, the bytes as they are or deflated, whichever is shorter, and a checksum. */
export function packChunk(text: Uint8Array): Uint8Array {
  const packed = deflateRawSync(text, { level: 6 });
  const shorter = packed.length < text.length;
  const body = shorter ? packed : text;
  const out = new Uint8Array(body.length + 5);
  out[0] = shorter ? DEFLATED : PLAIN;
  out.set(body, 1);
  return seal(out);
}

/** The text of a chunk row; throws `store_corrupt` on a damaged one. */
export function unpackChunk(row: Uint8Array): Uint8Array {
  if (row.length < 5 || !isSealed(row)) {
    throw new CairnError('store_corrupt', 'Expected an intact piece of a source text, got a damaged one.', {
      hint: 'The events are readable; put the text of this source again.',
    });
  }
  const body = row.subarray(1, row.length - 4);
  return row[0] === DEFLATED ? new Uint8Array(inflateRawSync(body)) : new Uint8Array(body);
}

/** The chunks of a text, in order. */
export function* chunksOf(text: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < text.length; at += CHUNK) yield text.subarray(at, at + CHUNK);
}

/** Chunk numbers that a byte range touches. */
export function chunksIn(lo: number, hi: number): number[] {
  const chunks: number[] = [];
  for (let chunk = Math.floor(lo / CHUNK); chunk * CHUNK < hi; chunk++) chunks.push(chunk);
  return chunks;
}

/** A range put together from its chunks. */
export function sliceOf(chunks: ReadonlyMap<number, Uint8Array>, lo: number, hi: number): Uint8Array {
  const out = new Uint8Array(Math.max(0, hi - lo));
  for (const [chunk, text] of chunks) {
    const from = Math.max(lo, chunk * CHUNK);
    const to = Math.min(hi, chunk * CHUNK + text.length);
    if (from < to) out.set(text.subarray(from - chunk * CHUNK, to - chunk * CHUNK), from - lo);
  }
  return out;
}

/** A chunk with the bytes of a range of the text overwritten by spaces. */
export function blankRange(text: Uint8Array, chunk: number, lo: number, hi: number): Uint8Array {
  const out = text.slice();
  out.fill(BLANK, Math.max(0, lo - chunk * CHUNK), Math.min(text.length, Math.max(0, hi - chunk * CHUNK)));
  return out;
}
