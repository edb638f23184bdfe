import { expect, it } from 'vitest';
import { crc32 } from './crc32.ts';
import { Rng } from './rng.ts';

/** One bit at a time, as the polynomial says. */
function plain(bytes: Uint8Array): number {
  let c = 0xffffffff;
  for (const byte of bytes) {
    c ^= byte;
    for (let k = 0; k < 8; k++) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1;
  }
  return ~c >>> 0;
}

it('has the published check value and agrees with the bitwise definition at every length, whole and in two pieces', () => {
  expect(crc32(new TextEncoder().encode('123456789'))).toBe(0xcbf43926);
  const rng = new Rng(1);
  for (let length = 0; length < 70; length++) {
    const bytes = Uint8Array.from({ length }, () => rng.integer(256));
    expect(crc32(bytes)).toBe(plain(bytes));
    const cut = rng.integer(length + 1);
    expect(crc32(bytes.subarray(cut), crc32(bytes.subarray(0, cut)))).toBe(plain(bytes));
  }
  expect(crc32([1, 2, 3, 4, 5, 6, 7, 8, 9])).toBe(plain(Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8, 9)));
});
