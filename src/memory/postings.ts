// The codec of posting lists: sorted sets of small integers as delta-varints, as a bitmap, or as the delta-varints of what
// is missing, whichever is shortest. A list that nearly every event is in costs almost nothing.
import { CairnError } from '../errors.ts';

const GAPS = 0;
const BITMAP = 1;
const COMPLEMENT = 2;

/**
 * Packs strictly rising integers of [0, span).
 *
 * @param values sorted, no repeats
 * @param span one more than the largest value that can occur
 * @throws CairnError `bad_posting` when the values do not rise or leave the span.
 * @example
 * decodePostings(encodePostings([1, 2, 900], 1024), 1024); // Uint32Array [1, 2, 900]
 */
export function encodePostings(values: Uint32Array | readonly number[], span: number): Uint8Array {
  let previous = -1;
  let gapBytes = 0;
  let missingBytes = 0;
  for (let i = 0; i < values.length; i++) {
    const v = values[i]!;
    if (!(v > previous) || v >= span || !Number.isInteger(v)) {
      throw new CairnError('bad_posting', `Expected rising integers below ${span}, got ${v} after ${previous}.`);
    }
    gapBytes += varintLength(v - previous - 1);
    // Missing values between two present ones: the first costs its distance, the others one byte each.
    const hole = v - previous - 1;
    missingBytes += hole === 0 ? 0 : hole - 1 + 2;
    previous = v;
  }
  const last = previous;
  const bitmapBytes = (last + 8) >>> 3;
  missingBytes += 3;
  if (values.length > 0 && missingBytes < gapBytes && missingBytes < bitmapBytes) {
    const packed = packComplement(values, last);
    if (packed.length < 1 + Math.min(gapBytes, bitmapBytes)) return packed;
  }
  if (values.length > 0 && bitmapBytes < gapBytes) {
    const out = new Uint8Array(1 + bitmapBytes);
    out[0] = BITMAP;
    for (let i = 0; i < values.length; i++) out[1 + (values[i]! >>> 3)]! |= 1 << (values[i]! & 7);
    return out;
  }
  const out = new Uint8Array(1 + gapBytes);
  out[0] = GAPS;
  packGaps(values, out, 1);
  return out;
}

/** The list that `encodePostings` packed. Throws `bad_posting` on bytes that no list packs to. */
export function decodePostings(bytes: Uint8Array, span: number): Uint32Array {
  switch (bytes[0]) {
    case GAPS:
      return unpackGaps(bytes, 1, span);
    case BITMAP: {
      const out = new Uint32Array(popCount(bytes, 1));
      let n = 0;
      for (let i = 1; i < bytes.length; i++) {
        for (let rest = bytes[i]!; rest !== 0; rest &= rest - 1)
          out[n++] = ((i - 1) << 3) + (31 - Math.clz32(rest & -rest));
      }
      if (n > 0 && out[n - 1]! >= span) throw damaged();
      return out;
    }
    case COMPLEMENT: {
      const [last, start] = readVarint(bytes, 1);
      if (last >= span) throw damaged();
      const missing = unpackGaps(bytes, start, last);
      const out = new Uint32Array(last + 1 - missing.length);
      let n = 0;
      let m = 0;
      for (let v = 0; v <= last; v++) {
        if (m < missing.length && missing[m] === v) m++;
        else out[n++] = v;
      }
      return out;
    }
    default:
      throw damaged();
  }
}

/** Whether a packed list holds a value, without unpacking it. */
export function postingsContain(bytes: Uint8Array, value: number): boolean {
  if (bytes[0] === BITMAP) return ((bytes[1 + (value >>> 3)] ?? 0) & (1 << (value & 7))) !== 0;
  if (bytes[0] === GAPS) return gapsContain(bytes, 1, value);
  const [last, start] = readVarint(bytes, 1);
  return value <= last && !gapsContain(bytes, start, value);
}

function gapsContain(bytes: Uint8Array, start: number, value: number): boolean {
  let at = -1;
  for (let offset = start; offset < bytes.length && at < value;) {
    const [gap, next] = readVarint(bytes, offset);
    at += gap + 1;
    offset = next;
  }
  return at === value;
}

function damaged(): CairnError {
  return new CairnError('bad_posting', 'Expected a packed posting list, got other bytes.', {
    hint: 'Run `cairn doctor` to check the file; restore it from a copy if the check fails.',
  });
}

function packComplement(values: Uint32Array | readonly number[], last: number): Uint8Array {
  const missing: number[] = [];
  let next = 0;
  for (let i = 0; i < values.length; i++) {
    for (; next < values[i]!; next++) missing.push(next);
    next++;
  }
  let size = 1 + varintLength(last);
  let previous = -1;
  for (const v of missing) {
    size += varintLength(v - previous - 1);
    previous = v;
  }
  const out = new Uint8Array(size);
  out[0] = COMPLEMENT;
  packGaps(missing, out, writeVarint(out, 1, last));
  return out;
}

function packGaps(values: Uint32Array | readonly number[], out: Uint8Array, start: number): void {
  let offset = start;
  let previous = -1;
  for (let i = 0; i < values.length; i++) {
    offset = writeVarint(out, offset, values[i]! - previous - 1);
    previous = values[i]!;
  }
}

function unpackGaps(bytes: Uint8Array, start: number, span: number): Uint32Array {
  let count = 0;
  for (let i = start; i < bytes.length; i++) if (bytes[i]! < 128) count++;
  const out = new Uint32Array(count);
  let offset = start;
  let value = -1;
  for (let n = 0; n < count; n++) {
    let gap = 0;
    let scale = 1;
    for (;;) {
      const byte = bytes[offset++]!;
      gap += (byte & 127) * scale;
      if (byte < 128) break;
      scale *= 128;
    }
    value += gap + 1;
    if (value >= span) throw damaged();
    out[n] = value;
  }
  if (offset !== bytes.length) throw damaged();
  return out;
}

function popCount(bytes: Uint8Array, start: number): number {
  let n = 0;
  for (let i = start; i < bytes.length; i++) for (let rest = bytes[i]!; rest !== 0; rest &= rest - 1) n++;
  return n;
}

export function varintLength(value: number): number {
  let n = 1;
  for (let rest = value; rest >= 128; rest = Math.floor(rest / 128)) n++;
  return n;
}

/** Writes an unsigned integer below 2^53, seven bits a byte, lowest first; returns the next offset. */
export function writeVarint(out: Uint8Array, offset: number, value: number): number {
  let at = offset;
  let rest = value;
  while (rest >= 128) {
    out[at++] = (rest % 128) | 128;
    rest = Math.floor(rest / 128);
  }
  out[at++] = rest;
  return at;
}

/** Reads one varint: [value, next offset]. */
export function readVarint(bytes: Uint8Array, offset: number): [number, number] {
  let value = 0;
  let scale = 1;
  for (let at = offset; at < bytes.length && at < offset + 8; at++) {
    const byte = bytes[at]!;
    value += (byte & 127) * scale;
    if (byte < 128) return [value, at + 1];
    scale *= 128;
  }
  throw damaged();
}
