// WAV files, read piece by piece or whole, and written. Chunks may come in any order before the samples; what is not sound is
// skipped. No file access: bytes come from the caller, so an hour of audio needs no more memory than one piece.
import { decodeFrames, parseFormat, wavFault, type WavFormat } from './wav-format.ts';

/** Sound in memory: one channel, samples in [-1, 1]. */
export interface Sound {
  readonly sampleRate: number;
  readonly samples: Float32Array;
}

/** Reads a WAV file that arrives in pieces. */
export interface WavReader {
  /** Known once the format chunk was read. */
  readonly format: WavFormat | undefined;
  /** Takes the next bytes; returns the samples that are complete now, channels averaged. */
  push(bytes: Uint8Array): Float32Array;
  /**
   * Says that no more bytes come.
   * @throws CairnError `truncated_wav` when chunk "data" is shorter than it says, unless `allowTruncated`
   */
  finish(): void;
  /** After `finish`: chunk "data" was shorter than it says. */
  readonly truncated: boolean;
}

export interface WavReaderOptions {
  /** Keep what is there of a file that was cut. Default false: an error. */
  readonly allowTruncated?: boolean;
}

const MAX_FORMAT_BYTES = 4096;
/** Length that recorders write which do not know it: the samples go on to the end of the file. */
const OPEN_ENDED = 0xffff_ffff;

/**
 * @throws CairnError `bad_wav` from `push` or `finish`, naming the chunk and what it should hold
 * @example
 * const reader = createWavReader();
 * for await (const bytes of createReadStream('speech.wav')) use(reader.push(bytes));
 * reader.finish();
 */
export function createWavReader(options: WavReaderOptions = {}): WavReader {
  let format: WavFormat | undefined;
  let held = new Uint8Array(0);
  let begun = false;
  let skip = 0;
  /** Bytes of the data chunk that are still to come; undefined before it began. */
  let data: number | undefined;
  let openEnded = false;
  let truncated = false;
  let read = 0;

  const take = (n: number): Uint8Array => {
    const part = held.subarray(0, n);
    held = held.subarray(n);
    return part;
  };

  /** Consumes one header, format chunk or piece to skip; false when more bytes are needed. */
  const advance = (): boolean => {
    if (data !== undefined) return false;
    if (!begun) {
      if (held.length < 12) return false;
      checkRiff(take(12));
      begun = true;
      return true;
    }
    if (skip > 0) {
      const n = Math.min(skip, held.length);
      take(n);
      skip -= n;
      return skip === 0;
    }
    if (held.length < 8) return false;
    const { id, size } = chunkHead(held);
    if (id === 'fmt ') {
      if (size > MAX_FORMAT_BYTES)
        throw wavFault(`Expected at most ${MAX_FORMAT_BYTES} bytes in chunk "fmt ", got ${size}.`);
      if (held.length < 8 + size) return false;
      take(8);
      format = parseFormat(take(size));
      skip = size % 2;
      return true;
    }
    take(8);
    if (id !== 'data') {
      skip = size + (size % 2);
      return true;
    }
    if (!format) throw wavFault('Expected chunk "fmt " before chunk "data", got none.');
    openEnded = size === OPEN_ENDED;
    data = size;
    return false;
  };

  const samples = (): Float32Array => {
    if (data === undefined || !format) return new Float32Array(0);
    const frame = format.bytes * format.channels;
    const n = Math.min(held.length, data);
    const whole = n - (n % frame);
    const out = decodeFrames(take(whole), format);
    if (!openEnded) data -= whole;
    read += whole;
    return out;
  };

  return {
    get format() {
      return format;
    },
    get truncated() {
      return truncated;
    },
    push(bytes) {
      if (data === 0) return new Float32Array(0);
      held = held.length === 0 ? bytes.slice() : joinBytes(held, bytes);
      while (advance());
      const out = samples();
      held = held.slice();
      return out;
    },
    finish() {
      if (!begun) throw wavFault(`Expected a RIFF header of 12 bytes, got a file of ${held.length} bytes.`);
      if (!format) throw wavFault('Expected a chunk "fmt ", got none before the end of the file.');
      if (data === undefined) throw wavFault('Expected a chunk "data", got none before the end of the file.');
      truncated = !openEnded && data >= format.bytes * format.channels;
      if (!truncated || options.allowTruncated) return;
      throw Object.assign(
        wavFault(
          `Expected ${read + data} bytes in chunk "data", got ${read + held.length}: the file was cut.`,
          'Fetch the file again, or read what is there with allowTruncated.',
        ),
        { code: 'truncated_wav' },
      );
    },
  };
}

/**
 * Reads a whole WAV file from memory.
 * @throws CairnError `bad_wav`, `truncated_wav`
 * @example
 * const { samples, sampleRate } = readWav(readFileSync('speech.wav'));
 */
export function readWav(bytes: Uint8Array, options: WavReaderOptions = {}): Sound {
  const reader = createWavReader(options);
  const samples = reader.push(bytes);
  reader.finish();
  return { samples, sampleRate: reader.format!.sampleRate };
}

/** Writes mono 16-bit PCM; samples outside [-1, 1] are clipped. */
export function writeWav({ samples, sampleRate }: Sound): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(44 + 2 * samples.length);
  const view = new DataView(out.buffer);
  const text = (at: number, value: string): void => out.set(new TextEncoder().encode(value), at);
  text(0, 'RIFF');
  view.setUint32(4, 36 + 2 * samples.length, true);
  text(8, 'WAVEfmt ');
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true);
  view.setUint16(22, 1, true);
  view.setUint32(24, sampleRate, true);
  view.setUint32(28, 2 * sampleRate, true);
  view.setUint16(32, 2, true);
  view.setUint16(34, 16, true);
  text(36, 'data');
  view.setUint32(40, 2 * samples.length, true);
  for (let i = 0; i < samples.length; i++) {
    view.setInt16(44 + 2 * i, Math.max(-32768, Math.min(32767, Math.round(samples[i]! * 32768))), true);
  }
  return out;
}

function checkRiff(head: Uint8Array): void {
  const [riff, wave] = [text4(head, 0), text4(head, 8)];
  if (riff !== 'RIFF') throw wavFault(`Expected "RIFF" at the start of the file, got ${JSON.stringify(riff)}.`);
  if (wave !== 'WAVE') throw wavFault(`Expected form "WAVE" in the RIFF header, got ${JSON.stringify(wave)}.`);
}

function chunkHead(bytes: Uint8Array): { id: string; size: number } {
  return { id: text4(bytes, 0), size: new DataView(bytes.buffer, bytes.byteOffset, 8).getUint32(4, true) };
}

const text4 = (bytes: Uint8Array, at: number): string => String.fromCharCode(...bytes.subarray(at, at + 4));

function joinBytes(a: Uint8Array, b: Uint8Array): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(a.length + b.length);
  out.set(a);
  out.set(b, a.length);
  return out;
}
