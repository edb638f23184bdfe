// CRC-32 (IEEE 802.3): finds damage in stored bytes. Not a hash for names, not a signature.

const TABLE = Uint32Array.from({ length: 256 }, (_, n) => {
  let c = n;
  for (let k = 0; k < 8; k++) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1;
  return c >>> 0;
});

/**
 * Checksum of bytes, continued from `previous`.
 * @example
 * crc32(b, crc32(a)); // the checksum of a followed by b
 */
export function crc32(bytes: ArrayLike<number>, previous = 0): number {
  let c = ~previous;
  for (let i = 0; i < bytes.length; i++) c = TABLE[(c ^ bytes[i]!) & 255]! ^ (c >>> 8);
  return ~c >>> 0;
}
