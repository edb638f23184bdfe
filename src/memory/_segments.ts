// Byte forms of what indexing needs per event: a pending row (signature, keys) until enough have come together, then one
// segment row of 40 bytes per event. Both end in a CRC-32.
import { CairnError } from '../errors.ts';
import { crc32 } from '../tensor/index.ts';
import { SIGNATURE_WORDS } from './signature.ts';

/** Events that are folded into one segment row; 400 of them fill one page. */
export const SEGMENT = 400;
/** Bytes per event: 6 of its id, 2 of its centre, 32 of its signature. */
const SLOT = 40;
const GONE = 0xffff;

/** What the index keeps of one event. */
export interface IndexEntry {
  /** First 48 bits of the id. */
  readonly prefix: number;
  readonly centre: number;
  readonly signature: Uint32Array; // [8]
}

export interface PendingEntry extends IndexEntry {
  readonly keys: Float64Array;
}

/** The first 48 bits of an id as a number. */
export function prefixOf(id: Uint8Array): number {
  return (
    new DataView(id.buffer, id.byteOffset).getUint32(0) * 65536 + new DataView(id.buffer, id.byteOffset).getUint16(4)
  );
}

export function packPending(entry: PendingEntry): Uint8Array {
  const out = new Uint8Array(SLOT + entry.keys.length * 7 + 4);
  const view = new DataView(out.buffer);
  writeSlot(view, 0, entry);
  for (let i = 0; i < entry.keys.length; i++) writeKey(view, SLOT + i * 7, entry.keys[i]!);
  return seal(out);
}

export function unpackPending(bytes: Uint8Array): PendingEntry {
  const view = unseal(bytes);
  const n = Math.floor((bytes.length - SLOT - 4) / 7);
  const keys = new Float64Array(n);
  for (let i = 0; i < n; i++) keys[i] = readKey(view, SLOT + i * 7);
  return { ...readSlot(view, 0)!, keys };
}

/** Writes a key below 2^53 as 7 bytes. */
export function writeKey(view: DataView, at: number, key: number): void {
  view.setUint32(at, key >>> 0, true);
  const high = Math.floor(key / 4294967296);
  view.setUint16(at + 4, high & 0xffff, true);
  view.setUint8(at + 6, high >>> 16);
}

export function readKey(view: DataView, at: number): number {
  return view.getUint32(at, true) + (view.getUint16(at + 4, true) + view.getUint8(at + 6) * 65536) * 4294967296;
}

/** Visits the events of a segment without making an object of each; `words` holds the signature of the visited one. */
export function eachOfSegment(
  bytes: Uint8Array,
  visit: (place: number, prefix: number, centre: number, words: Uint32Array) => void,
): void {
  const view = unseal(bytes);
  const words = new Uint32Array(SIGNATURE_WORDS);
  const places = placesOf(bytes);
  for (let place = 0; place < places; place++) {
    const at = place * SLOT;
    const centre = view.getUint16(at + 6, true);
    if (centre === GONE) continue;
    for (let i = 0; i < SIGNATURE_WORDS; i++) words[i] = view.getUint32(at + 8 + i * 4, true);
    visit(place, view.getUint32(at) * 65536 + view.getUint16(at + 4), centre, words);
  }
}

/** Places of a segment row, empty ones included. */
export function placesOf(bytes: Uint8Array): number {
  return Math.floor((bytes.length - 4) / SLOT);
}

/** A segment of consecutive references; an empty place stands for an event that is gone. */
export function packSegment(entries: readonly (IndexEntry | undefined)[]): Uint8Array {
  const out = new Uint8Array(entries.length * SLOT + 4);
  const view = new DataView(out.buffer);
  entries.forEach((entry, i) => writeSlot(view, i * SLOT, entry));
  return seal(out);
}

export function unpackSegment(bytes: Uint8Array): (IndexEntry | undefined)[] {
  const view = unseal(bytes);
  return Array.from({ length: placesOf(bytes) }, (_, i) => readSlot(view, i * SLOT));
}

function writeSlot(view: DataView, at: number, entry: IndexEntry | undefined): void {
  if (entry === undefined) {
    view.setUint16(at + 6, GONE, true);
    return;
  }
  view.setUint32(at, Math.floor(entry.prefix / 65536));
  view.setUint16(at + 4, entry.prefix % 65536);
  view.setUint16(at + 6, entry.centre, true);
  for (let i = 0; i < SIGNATURE_WORDS; i++) view.setUint32(at + 8 + i * 4, entry.signature[i]!, true);
}

function readSlot(view: DataView, at: number): IndexEntry | undefined {
  const centre = view.getUint16(at + 6, true);
  if (centre === GONE) return undefined;
  const prefix = view.getUint32(at) * 65536 + view.getUint16(at + 4);
  const signature = Uint32Array.from({ length: SIGNATURE_WORDS }, (_, i) => view.getUint32(at + 8 + i * 4, true));
  return { prefix, centre, signature };
}

/** Writes the checksum of all but the last four bytes into them. */
export function seal(bytes: Uint8Array): Uint8Array {
  const body = bytes.subarray(0, bytes.length - 4);
  new DataView(bytes.buffer, bytes.byteOffset).setUint32(body.length, crc32(body), true);
  return bytes;
}

/** Checks what `seal` wrote. */
export function isSealed(bytes: Uint8Array): boolean {
  if (bytes.length < 4) return false;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return view.getUint32(bytes.length - 4, true) === crc32(bytes.subarray(0, bytes.length - 4));
}

function unseal(bytes: Uint8Array): DataView {
  if (!isSealed(bytes)) {
    throw new CairnError('index_corrupt', 'Expected an intact index row, got one with another checksum.');
  }
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}
