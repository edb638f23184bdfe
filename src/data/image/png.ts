// PNG in and out over pngjs. Files are untrusted: signature, sizes, chunk lengths, checksums and the inflated length are
// checked before pngjs sees a byte, so that a small file cannot ask for a large memory.
import { inflateSync } from 'node:zlib';
import { PNG } from 'pngjs';
import { CairnError } from '../../errors.ts';
import { crc32 } from '../../tensor/index.ts';
import { grayFromRgba, type GrayImage } from './gray.ts';

export interface ReadPngOptions {
  /** Most pixels that are decoded. Default 32 million. */
  readonly maxPixels?: number;
}

const SIGNATURE = [137, 80, 78, 71, 13, 10, 26, 10];
const SUPPORTED = 'Supported are PNG files, grey, RGB or palette, with or without alpha, 1 to 16 bits.';

function fault(code: string, message: string, cause?: unknown): CairnError {
  return new CairnError(code, message, { hint: SUPPORTED, ...(cause === undefined ? {} : { cause }) });
}

/** Names the file format by its first bytes, for the error message. */
function formatName(bytes: Uint8Array): string {
  const text = String.fromCharCode(...bytes.subarray(0, 16));
  if (bytes[0] === 0xff && bytes[1] === 0xd8) return 'a JPEG file';
  if (text.startsWith('GIF8')) return 'a GIF file';
  if (text.startsWith('RIFF') && text.slice(8, 12) === 'WEBP') return 'a WebP file';
  if (text.startsWith('BM')) return 'a BMP file';
  if (text.startsWith('%PDF')) return 'a PDF file';
  if (text.slice(4, 8) === 'ftyp') return 'a HEIC or AVIF file';
  if (text.startsWith('II*\0') || text.startsWith('MM\0*')) return 'a TIFF file';
  if (/^\s*<(svg|\?xml)/.test(text)) return 'an SVG file';
  return `bytes that start with ${[...bytes.subarray(0, 4)].map((b) => b.toString(16).padStart(2, '0')).join(' ')}`;
}

interface Header {
  readonly width: number;
  readonly height: number;
  readonly bitsPerPixel: number;
  readonly interlaced: boolean;
}

const CHANNELS: Readonly<Record<number, { readonly channels: number; readonly depths: readonly number[] }>> = {
  0: { channels: 1, depths: [1, 2, 4, 8, 16] },
  2: { channels: 3, depths: [8, 16] },
  3: { channels: 1, depths: [1, 2, 4, 8] },
  4: { channels: 2, depths: [8, 16] },
  6: { channels: 4, depths: [8, 16] },
};

function readHeader(data: Uint8Array, maxPixels: number): Header {
  if (data.length !== 13) throw fault('bad_png', `Expected an image header of 13 bytes, got ${data.length}.`);
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const width = view.getUint32(0);
  const height = view.getUint32(4);
  const [depth = 0, colour = 0, compression = 0, filter = 0, interlace = 0] = data.subarray(8);
  if (width === 0 || height === 0) throw fault('bad_png', `Expected at least one pixel, got ${width} x ${height}.`);
  if (width * height > maxPixels) {
    throw new CairnError(
      'image_too_large',
      `Expected at most ${maxPixels.toLocaleString('en')} pixels, got ${width} x ${height}.`,
      { hint: 'Scale the image down or cut out the board.' },
    );
  }
  const kind = CHANNELS[colour];
  if (kind === undefined || !kind.depths.includes(depth) || compression !== 0 || filter !== 0 || interlace > 1) {
    throw fault(
      'bad_png',
      `Expected a known colour type and bit depth, got type ${colour} with ${depth} bits (compression ${compression}, filter ${filter}, interlace ${interlace}).`,
    );
  }
  return { width, height, bitsPerPixel: kind.channels * depth, interlaced: interlace === 1 };
}

/** Bytes of the filtered rows: what the compressed data must inflate to. */
function inflatedLength({ width, height, bitsPerPixel, interlaced }: Header): number {
  const rows = (w: number, h: number): number => (w === 0 ? 0 : h * (1 + Math.ceil((w * bitsPerPixel) / 8)));
  if (!interlaced) return rows(width, height);
  const passes = [
    [0, 0, 8, 8],
    [4, 0, 8, 8],
    [0, 4, 4, 8],
    [2, 0, 4, 4],
    [0, 2, 2, 4],
    [1, 0, 2, 2],
    [0, 1, 1, 2],
  ] as const;
  const count = (size: number, first: number, step: number): number => Math.max(0, Math.ceil((size - first) / step));
  return passes.reduce((sum, [x, y, dx, dy]) => sum + rows(count(width, x, dx), count(height, y, dy)), 0);
}

/** Walks the chunks, checks lengths and checksums, and proves the compressed data to be as long as it must be. */
function validate(bytes: Uint8Array, maxPixels: number): void {
  if (bytes.length === 0) throw fault('bad_png', 'Expected a PNG file, got no bytes.');
  if (!SIGNATURE.every((byte, i) => bytes[i] === byte)) {
    throw fault('unsupported_image', `Expected a PNG file, got ${formatName(bytes)}.`);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const parts: Uint8Array[] = [];
  let header: Header | undefined;
  let ended = false;
  for (let at = 8; at < bytes.length && !ended;) {
    if (at + 12 > bytes.length)
      throw fault('truncated_png', `Expected a chunk at byte ${at}, got the end of the file.`);
    const length = view.getUint32(at);
    const type = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    if (at + 12 + length > bytes.length) {
      throw fault(
        'truncated_png',
        `Expected ${length} bytes of ${JSON.stringify(type)}, got ${bytes.length - at - 12}.`,
      );
    }
    if (crc32(bytes.subarray(at + 4, at + 8 + length)) !== view.getUint32(at + 8 + length)) {
      throw fault('bad_png', `Expected the checksum of chunk ${JSON.stringify(type)} to match, got a damaged file.`);
    }
    const data = bytes.subarray(at + 8, at + 8 + length);
    if (header === undefined && type !== 'IHDR')
      throw fault('bad_png', `Expected IHDR first, got ${JSON.stringify(type)}.`);
    if (type === 'IHDR') {
      if (header !== undefined) throw fault('bad_png', 'Expected one IHDR chunk, got two.');
      header = readHeader(data, maxPixels);
    } else if (type === 'IDAT') parts.push(data);
    else if (type === 'IEND') ended = true;
    at += 12 + length;
  }
  if (header === undefined || !ended || parts.length === 0) {
    throw fault('truncated_png', 'Expected image data and an end mark, got the end of the file.');
  }
  const expected = inflatedLength(header);
  let inflated: number;
  try {
    inflated = inflateSync(Buffer.concat(parts), { maxOutputLength: expected + 1 }).length;
  } catch (cause) {
    throw fault(
      'bad_png',
      'Expected compressed image data of the size the header says, got data that is damaged or longer.',
      cause,
    );
  }
  if (inflated !== expected) {
    throw fault('bad_png', `Expected ${expected} bytes of image data by the header, got ${inflated}.`);
  }
}

/**
 * Reads a PNG file as a grey image; transparent parts are laid over white.
 * @throws CairnError `unsupported_image` (names the format), `image_too_large`, `truncated_png` or `bad_png`
 *
 * @example
 * const image = readPng(await readFile('board.png'));
 */
export function readPng(bytes: Uint8Array, options: ReadPngOptions = {}): GrayImage {
  const { maxPixels = 32_000_000 } = options;
  validate(bytes, maxPixels);
  try {
    const { width, height, data } = PNG.sync.read(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
    return grayFromRgba(data, width, height);
  } catch (cause) {
    throw fault(
      'bad_png',
      `Expected a PNG file that can be decoded, got: ${cause instanceof Error ? cause.message : ''}`,
      cause,
    );
  }
}

/**
 * Writes a grey image as an 8-bit grey PNG file.
 *
 * @example
 * await writeFile('board.png', writePng(renderBoard(cells)));
 */
export function writePng(image: GrayImage): Uint8Array {
  const png = new PNG({ width: image.width, height: image.height, colorType: 0, inputColorType: 0, bitDepth: 8 });
  png.data = Buffer.from(image.data.buffer, image.data.byteOffset, image.data.byteLength);
  return new Uint8Array(PNG.sync.write(png, { colorType: 0, inputColorType: 0, bitDepth: 8, inputHasAlpha: false }));
}
