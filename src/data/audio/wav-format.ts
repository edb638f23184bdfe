// Sample formats of WAV files: what a format chunk says, checked, and how its bytes become samples in [-1, 1].
import { CairnError } from '../../errors.ts';

export type WavEncoding = 'u8' | 's16' | 's24' | 's32' | 'f32';

/** What the format chunk of a file says. */
export interface WavFormat {
  readonly sampleRate: number;
  readonly channels: number;
  readonly encoding: WavEncoding;
  /** Bytes of one sample of one channel. */
  readonly bytes: number;
}

const PCM = 1;
const FLOAT = 3;
const EXTENSIBLE = 0xfffe;
/** Bytes 2 to 15 of the sub-format GUIDs of PCM and float; the first two are the format tag. */
const GUID_TAIL = [0, 0, 0, 0, 16, 0, 128, 0, 0, 170, 0, 56, 155, 113];

/** A fault of a WAV file. */
export function wavFault(message: string, hint = 'Write the file again as 16-bit PCM.'): CairnError {
  return new CairnError('bad_wav', message, { hint });
}

/**
 * Reads the body of a format chunk.
 * @throws CairnError `bad_wav`
 */
export function parseFormat(body: Uint8Array): WavFormat {
  if (body.length < 16) throw wavFault(`Expected at least 16 bytes in chunk "fmt ", got ${body.length}.`);
  const view = new DataView(body.buffer, body.byteOffset, body.length);
  let tag = view.getUint16(0, true);
  const [channels, sampleRate, frameBytes, bits] = [
    view.getUint16(2, true),
    view.getUint32(4, true),
    view.getUint16(12, true),
    view.getUint16(14, true),
  ];
  if (tag === EXTENSIBLE) {
    if (body.length < 40) {
      throw wavFault(`Expected at least 40 bytes in an extensible chunk "fmt ", got ${body.length}.`);
    }
    tag = view.getUint16(24, true);
    if (GUID_TAIL.some((byte, i) => body[26 + i] !== byte)) {
      throw wavFault('Expected a sub-format of PCM or float in chunk "fmt ", got another one.');
    }
  }
  const encoding = encodingOf(tag, bits);
  if (!encoding) {
    throw wavFault(
      `Expected PCM of 8, 16, 24 or 32 bits or float of 32 bits in chunk "fmt ", got format ${tag} of ${bits} bits.`,
    );
  }
  if (channels < 1 || channels > 64) {
    throw wavFault(`Expected 1 to 64 channels in chunk "fmt ", got ${channels}.`);
  }
  if (sampleRate < 1000 || sampleRate > 768_000) {
    throw wavFault(`Expected a sampling rate from 1,000 to 768,000 Hz in chunk "fmt ", got ${sampleRate}.`);
  }
  const bytes = bits / 8;
  if (frameBytes !== bytes * channels) {
    throw wavFault(`Expected ${bytes * channels} bytes a frame in chunk "fmt ", got ${frameBytes}.`);
  }
  return { sampleRate, channels, encoding, bytes };
}

function encodingOf(tag: number, bits: number): WavEncoding | undefined {
  if (tag === FLOAT) return bits === 32 ? 'f32' : undefined;
  if (tag !== PCM) return undefined;
  return ({ 8: 'u8', 16: 's16', 24: 's24', 32: 's32' } as const)[bits as 8 | 16 | 24 | 32];
}

/** Whole frames as samples in [-1, 1], channels averaged. */
export function decodeFrames(bytes: Uint8Array, format: WavFormat): Float32Array {
  const { channels, encoding, bytes: width } = format;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const out = new Float32Array(Math.floor(bytes.length / (width * channels)));
  const read = reader(view, encoding);
  for (let i = 0, at = 0; i < out.length; i++) {
    let sum = 0;
    for (let c = 0; c < channels; c++, at += width) sum += read(at);
    const sample = sum / channels;
    if (!Number.isFinite(sample)) throw wavFault(`Expected finite samples in chunk "data", got ${sample}.`);
    out[i] = sample;
  }
  return out;
}

function reader(view: DataView, encoding: WavEncoding): (at: number) => number {
  switch (encoding) {
    case 'u8':
      return (at) => (view.getUint8(at) - 128) / 128;
    case 's16':
      return (at) => view.getInt16(at, true) / 32768;
    case 's24':
      return (at) => ((view.getInt8(at + 2) << 16) | view.getUint16(at, true)) / 8388608;
    case 's32':
      return (at) => view.getInt32(at, true) / 2147483648;
    case 'f32':
      return (at) => view.getFloat32(at, true);
    default:
      return encoding satisfies never;
  }
}
