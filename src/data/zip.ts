// Reads ZIP archives that fit in memory: stored and deflated entries, found through the central directory, with sizes and
// checksums checked before anything is handed out. Writes nothing, knows no encryption and no ZIP64.
import { inflateRawSync } from 'node:zlib';
import { CairnError } from '../errors.ts';
import { crc32 } from '../tensor/index.ts';

/** One file of an archive. */
export interface ZipEntry {
  /** Path as stored, with forward slashes; directories end in one. */
  readonly name: string;
  /** Bytes after inflating. */
  readonly size: number;
  /** The content. Throws `bad_zip` when it is damaged. */
  read(): Uint8Array;
}

export interface ReadZipOptions {
  /** Most bytes of one entry after inflating. Default 256 MiB. */
  readonly maxEntryBytes?: number;
}

const END = 0x06054b50;
const CENTRAL = 0x02014b50;
const LOCAL = 0x04034b50;

function fault(message: string, cause?: unknown): CairnError {
  return new CairnError('bad_zip', message, {
    hint: 'Use a ZIP archive without encryption and below 4 GiB, or fetch it again.',
    ...(cause === undefined ? {} : { cause }),
  });
}

/**
 * The entries of an archive in the order of its directory; contents are inflated when they are read.
 * @throws CairnError `bad_zip` when there is no directory, or an entry lies outside the file or is encrypted.
 * @example
 * const pictures = readZip(await readFile('pictures.zip')).filter((entry) => entry.name.endsWith('.png'));
 */
export function readZip(bytes: Uint8Array, options: ReadZipOptions = {}): ZipEntry[] {
  const { maxEntryBytes = 268_435_456 } = options;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const end = findEnd(view);
  const count = view.getUint16(end + 10, true);
  let at = view.getUint32(end + 16, true);
  const entries: ZipEntry[] = [];
  for (let i = 0; i < count; i++) {
    if (at + 46 > end || view.getUint32(at, true) !== CENTRAL) {
      throw fault(`Expected ${count} directory records, got ${i} and then other bytes.`);
    }
    const flags = view.getUint16(at + 8, true);
    const method = view.getUint16(at + 10, true);
    const crc = view.getUint32(at + 16, true);
    const packed = view.getUint32(at + 20, true);
    const size = view.getUint32(at + 24, true);
    const nameLength = view.getUint16(at + 28, true);
    const next = at + 46 + nameLength + view.getUint16(at + 30, true) + view.getUint16(at + 32, true);
    if (next > end) throw fault(`Expected directory record ${i} inside the directory, got one that ends behind it.`);
    const name = new TextDecoder().decode(bytes.subarray(at + 46, at + 46 + nameLength));
    const local = view.getUint32(at + 42, true);
    if ((flags & 1) !== 0) throw fault(`Expected an archive without encryption, got the encrypted entry "${name}".`);
    if (size > maxEntryBytes) {
      throw fault(`Expected at most ${maxEntryBytes} bytes in "${name}", got ${size} by the directory.`);
    }
    entries.push({ name, size, read: () => content(bytes, view, { name, local, method, crc, packed, size }) });
    at = next;
  }
  return entries;
}

interface Located {
  readonly name: string;
  readonly local: number;
  readonly method: number;
  readonly crc: number;
  readonly packed: number;
  readonly size: number;
}

function content(bytes: Uint8Array, view: DataView, entry: Located): Uint8Array {
  const { name, local, method, crc, packed, size } = entry;
  if (local + 30 > bytes.length || view.getUint32(local, true) !== LOCAL) {
    throw fault(`Expected "${name}" at byte ${local}, got other bytes.`);
  }
  const start = local + 30 + view.getUint16(local + 26, true) + view.getUint16(local + 28, true);
  if (start + packed > bytes.length) throw fault(`Expected ${packed} bytes of "${name}", got the end of the file.`);
  const raw = bytes.subarray(start, start + packed);
  const data = method === 0 ? raw : inflate(name, method, raw, size);
  if (data.length !== size) throw fault(`Expected ${size} bytes in "${name}", got ${data.length}.`);
  if (crc32(data) !== crc) throw fault(`Expected the checksum of "${name}" to match, got a damaged entry.`);
  return data;
}

function inflate(name: string, method: number, raw: Uint8Array, size: number): Uint8Array {
  if (method !== 8) throw fault(`Expected a stored or deflated entry, got method ${method} for "${name}".`);
  try {
    return inflateRawSync(raw, { maxOutputLength: size + 1 });
  } catch (cause) {
    throw fault(`Expected "${name}" to inflate to ${size} bytes, got data that is damaged or longer.`, cause);
  }
}

/** Place of the end record: the last 22 bytes, or earlier when a comment follows it. */
function findEnd(view: DataView): number {
  const last = view.byteLength - 22;
  for (let at = last; at >= Math.max(0, last - 65_535); at--) {
    if (view.getUint32(at, true) === END && view.getUint16(at + 20, true) === last - at) return at;
  }
  throw fault(`Expected a ZIP archive, got ${view.byteLength} bytes without its end record.`);
}
