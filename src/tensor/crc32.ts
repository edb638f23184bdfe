// CRC-32 (IEEE 802.3): finds damage in stored bytes. Not a hash for names, not a signature. Eight bytes at a time by eight
// tables (Kounavis and Berry 2008).

/** Table k, from 256·k: what a byte does to the checksum k bytes later. */
const TABLES = tables();

function tables(): Uint32Array {
  const out = new Uint32Array(8 * 256);
  for (let n = 0; n < 256; n++) {
    let c = n;
    for (let k = 0; k < 8; k++) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1;
    out[n] = c;
  }
  for (let n = 0; n < 256; n++) {
    for (let k = 1; k < 8; k++) {
      const before = out[(k - 1) * 256 + n]!;
      out[k * 256 + n] = out[before & 255]! ^ (before >>> 8);
    }
  }
  return out;
}

/**
 * Checksum of bytes, continued from `previous`.
 * @example
 * crc32(b, crc32(a)); // the checksum of a followed by b
 */
export function crc32(bytes: ArrayLike<number>, previous = 0): number {
  const t = TABLES;
  let c = ~previous;
  let i = 0;
  for (; i + 7 < bytes.length; i += 8) {
    c ^= bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24);
    c =
      t[1792 + (c & 255)]! ^
      t[1536 + ((c >>> 8) & 255)]! ^
      t[1280 + ((c >>> 16) & 255)]! ^
      t[1024 + (c >>> 24)]! ^
      t[768 + bytes[i + 4]!]! ^
      t[512 + bytes[i + 5]!]! ^
      t[256 + bytes[i + 6]!]! ^
      t[bytes[i + 7]!]!;
  }
  for (; i < bytes.length; i++) c = t[(c ^ bytes[i]!) & 255]! ^ (c >>> 8);
  return ~c >>> 0;
}
