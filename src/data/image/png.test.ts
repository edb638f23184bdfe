import { deflateSync } from 'node:zlib';
import { assert, property, uint8Array } from 'fast-check';
import { PNG } from 'pngjs';
import { describe, expect, it } from 'vitest';
import { CairnError } from '../../errors.ts';
import { createGray } from './gray.ts';
import { readPng, writePng } from './png.ts';

/** The CRC-32 of PNG, bit by bit: the oracle of the table in png.ts. */
function crcOf(bytes: Uint8Array): number {
  let c = 0xffffffff;
  for (const byte of bytes) {
    c ^= byte;
    for (let k = 0; k < 8; k++) c = c & 1 ? (c >>> 1) ^ 0xedb88320 : c >>> 1;
  }
  return (c ^ 0xffffffff) >>> 0;
}

function chunk(type: string, data: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(12 + data.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, data.length);
  bytes.set(new TextEncoder().encode(type), 4);
  bytes.set(data, 8);
  view.setUint32(8 + data.length, crcOf(bytes.subarray(4, 8 + data.length)));
  return bytes;
}

function pngOf(width: number, height: number, raw: Uint8Array, colour = 0, depth = 8, interlace = 0): Uint8Array {
  const header = new Uint8Array(13);
  const view = new DataView(header.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  header.set([depth, colour, 0, 0, interlace], 8);
  return Buffer.concat([
    Uint8Array.of(137, 80, 78, 71, 13, 10, 26, 10),
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(raw)),
    chunk('IEND', new Uint8Array()),
  ]);
}

function codeOf(bytes: Uint8Array): string {
  try {
    readPng(bytes);
  } catch (error) {
    if (CairnError.isInstance(error)) return error.code;
    throw error;
  }
  return 'none';
}

const picture = {
  width: 17,
  height: 9,
  data: Uint8Array.from({ length: 17 * 9 }, (_, i) => (i * 37) % 256),
};

describe('png', () => {
  it('reads back what it wrote', () => {
    const copy = readPng(writePng(picture));
    expect([copy.width, copy.height]).toEqual([17, 9]);
    expect(copy.data).toEqual(picture.data);
  });

  it('lays transparent pixels over white and weighs colours by luma', () => {
    const png = new PNG({ width: 4, height: 1 });
    png.data = Buffer.from([0, 0, 0, 0, 0, 0, 0, 128, 255, 0, 0, 255, 0, 0, 255, 255]);
    expect([...readPng(PNG.sync.write(png)).data]).toEqual([255, 127, 76, 29]);
  });

  it('reads 1-bit, 16-bit and palette files', () => {
    expect([...readPng(pngOf(8, 1, Uint8Array.of(0, 0b10101010), 0, 1)).data]).toEqual([
      255, 0, 255, 0, 255, 0, 255, 0,
    ]);
    expect([...readPng(pngOf(2, 1, Uint8Array.of(0, 255, 255, 0, 0), 0, 16)).data]).toEqual([255, 0]);
  });

  it.each([
    ['a JPEG file', Uint8Array.of(0xff, 0xd8, 0xff, 0xe0)],
    ['a GIF file', new TextEncoder().encode('GIF89a....')],
    ['a WebP file', new TextEncoder().encode('RIFF0000WEBPVP8 ')],
    ['a PDF file', new TextEncoder().encode('%PDF-1.7')],
    ['bytes that start with 01 02 03 04', Uint8Array.of(1, 2, 3, 4, 5)],
  ])('names %s and what is supported', (name, bytes) => {
    expect(() => readPng(bytes)).toThrow(`Expected a PNG file, got ${name}.`);
    try {
      readPng(bytes);
    } catch (error) {
      expect(CairnError.isInstance(error) && error.hint).toContain('Supported are PNG files');
    }
  });

  it('refuses hostile sizes by the header alone', () => {
    const huge = pngOf(60_000, 60_000, new Uint8Array(10));
    expect(() => readPng(huge)).toThrow('Expected at most 32,000,000 pixels, got 60000 x 60000.');
    expect(codeOf(pngOf(0, 5, new Uint8Array(1)))).toBe('bad_png');
    expect(() => readPng(writePng(createGray(20, 20)), { maxPixels: 399 })).toThrow('20 x 20');
  });

  it('stops inflating where the header says that the data ends', () => {
    const bomb = pngOf(16, 16, new Uint8Array(50_000_000));
    expect(bomb.length).toBeLessThan(60_000);
    expect(codeOf(bomb)).toBe('bad_png');
    expect(codeOf(pngOf(16, 16, new Uint8Array(50_000_000), 0, 8, 1))).toBe('bad_png');
    expect(codeOf(pngOf(16, 16, new Uint8Array(100)))).toBe('bad_png');
  });

  it('reads interlaced files', () => {
    // Adam7 on 8 x 8 has 15 rows in 7 passes; all zero is black.
    const rows = [1, 1, 1, 2, 2, 4, 4].reduce((sum, h, i) => sum + h * (1 + [1, 1, 2, 2, 4, 4, 8][i]!), 0);
    expect(readPng(pngOf(8, 8, new Uint8Array(rows), 0, 8, 1)).data).toEqual(new Uint8Array(64));
  });

  it('refuses files that are cut off anywhere', () => {
    const whole = writePng(picture);
    for (let length = 0; length < whole.length; length++) {
      expect(['bad_png', 'truncated_png', 'unsupported_image']).toContain(codeOf(whole.subarray(0, length)));
    }
  });

  it('refuses damaged bytes by their checksum, and never fails otherwise than with a CairnError', () => {
    const whole = writePng(picture);
    for (let at = 8; at < whole.length; at++) {
      const copy = whole.slice();
      copy[at]! ^= 0x55;
      expect(codeOf(copy)).not.toBe('none');
    }
    assert(
      property(uint8Array({ maxLength: 80 }), (tail) => {
        expect(codeOf(Buffer.concat([whole.subarray(0, 8), tail]))).not.toBe('none');
      }),
      { seed: 5 },
    );
  });

  it('refuses colour types and depths that do not exist', () => {
    expect(codeOf(pngOf(2, 2, new Uint8Array(6), 5))).toBe('bad_png');
    expect(codeOf(pngOf(2, 2, new Uint8Array(6), 2, 4))).toBe('bad_png');
  });
});
