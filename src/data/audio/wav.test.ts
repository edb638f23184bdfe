import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createWavReader, readWav, writeWav } from './wav.ts';

interface Chunk {
  readonly id: string;
  readonly body: Uint8Array;
}

/** A RIFF file of the given chunks, odd ones padded. */
function riff(chunks: readonly Chunk[]): Uint8Array {
  const parts = chunks.map(({ id, body }) => {
    const head = Buffer.alloc(8);
    head.write(id, 0, 'latin1');
    head.writeUInt32LE(body.length, 4);
    return Buffer.concat([head, body, Buffer.alloc(body.length % 2)]);
  });
  const all = Buffer.concat(parts);
  const head = Buffer.alloc(12);
  head.write('RIFF', 0, 'latin1');
  head.writeUInt32LE(4 + all.length, 4);
  head.write('WAVE', 8, 'latin1');
  return Buffer.concat([head, all]);
}

function format(tag: number, channels: number, rate: number, bits: number, extensible = false): Chunk {
  const body = Buffer.alloc(extensible ? 40 : 16);
  body.writeUInt16LE(extensible ? 0xfffe : tag, 0);
  body.writeUInt16LE(channels, 2);
  body.writeUInt32LE(rate, 4);
  body.writeUInt32LE((rate * channels * bits) / 8, 8);
  body.writeUInt16LE((channels * bits) / 8, 12);
  body.writeUInt16LE(bits, 14);
  if (extensible) {
    body.writeUInt16LE(22, 16);
    body.writeUInt16LE(bits, 18);
    body.writeUInt16LE(tag, 24);
    body.set([0, 0, 0, 0, 16, 0, 128, 0, 0, 170, 0, 56, 155, 113], 26);
  }
  return { id: 'fmt ', body };
}

const data = (body: Uint8Array): Chunk => ({ id: 'data', body });
const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);

describe('readWav', () => {
  it('reads every encoding by its exact formula', () => {
    const float = Buffer.alloc(8);
    float.writeFloatLE(0.25, 0);
    float.writeFloatLE(-1, 4);
    const cases: [Chunk, Uint8Array, number[]][] = [
      [format(1, 1, 8000, 8), bytes(0, 128, 255), [-1, 0, 127 / 128]],
      [format(1, 1, 8000, 16), bytes(0, 128, 255, 127, 1, 0), [-1, 32767 / 32768, 1 / 32768]],
      [format(1, 1, 8000, 24), bytes(0, 0, 128, 255, 255, 127, 1, 0, 0), [-1, 8388607 / 8388608, 1 / 8388608]],
      [format(1, 1, 8000, 32), bytes(0, 0, 0, 128, 0, 0, 0, 64), [-1, 0.5]],
      [format(3, 1, 8000, 32), float, [0.25, -1]],
      [format(1, 2, 8000, 16), bytes(0, 64, 0, 32, 0, 128, 0, 0), [0.375, -0.5]],
      [format(1, 1, 48000, 24, true), bytes(0, 0, 64), [0.5]],
    ];
    for (const [head, body, expected] of cases) {
      expect(Array.from(readWav(riff([head, data(body)])).samples)).toEqual(expected.map(Math.fround));
    }
    expect(readWav(riff([format(1, 1, 44100, 16, true), data(bytes(0, 0))])).sampleRate).toBe(44100);
  });

  it('skips foreign chunks, also odd ones, before and after the samples', () => {
    const foreign = { id: 'LIST', body: bytes(1, 2, 3) };
    const file = riff([foreign, format(1, 1, 8000, 16), foreign, data(bytes(0, 64)), foreign]);
    expect(Array.from(readWav(file).samples)).toEqual([0.5]);
  });

  it('gives the same samples however the bytes are cut', () => {
    const samples = fc.array(fc.integer({ min: -32768, max: 32767 }), { maxLength: 60 });
    fc.assert(
      fc.property(
        samples,
        fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 10 }),
        (values, cuts) => {
          const file = writeWav({ sampleRate: 8000, samples: Float32Array.from(values, (v) => v / 32768) });
          const reader = createWavReader();
          const out: number[] = [];
          for (let at = 0, i = 0; at < file.length; i++) {
            const n = cuts[i % cuts.length]!;
            out.push(...reader.push(file.subarray(at, at + n)));
            at += n;
          }
          reader.finish();
          expect(out).toEqual(values.map((v) => v / 32768));
        },
      ),
    );
  });

  it('clips and rounds what it writes', () => {
    const back = readWav(writeWav({ sampleRate: 8000, samples: Float32Array.of(2, -2, 0.50001, Number.NaN) }));
    expect(Array.from(back.samples)).toEqual([32767 / 32768, -1, 0.5, 0]);
  });

  it('names the chunk of every fault', () => {
    const good = format(1, 1, 8000, 16);
    const wrong =
      (chunks: Chunk[]): (() => unknown) =>
      () =>
        readWav(riff(chunks));
    expect(() => readWav(bytes(1, 2, 3))).toThrow('Expected a RIFF header of 12 bytes, got a file of 3 bytes.');
    expect(() => readWav(Buffer.from('RIFFxxxxAVI LIST'))).toThrow(
      'Expected form "WAVE" in the RIFF header, got "AVI ".',
    );
    expect(() => readWav(Buffer.from('OggS00000000'))).toThrow('Expected "RIFF" at the start of the file');
    expect(wrong([good])).toThrow('Expected a chunk "data", got none');
    expect(wrong([data(bytes(0, 0))])).toThrow('Expected chunk "fmt " before chunk "data", got none.');
    expect(wrong([{ id: 'fmt ', body: bytes(1, 0) }])).toThrow('Expected at least 16 bytes in chunk "fmt ", got 2.');
    expect(wrong([format(6, 1, 8000, 8)])).toThrow('got format 6 of 8 bits.');
    expect(wrong([format(1, 1, 8000, 12)])).toThrow('got format 1 of 12 bits.');
    expect(wrong([format(1, 0, 8000, 16)])).toThrow('Expected 1 to 64 channels in chunk "fmt ", got 0.');
    expect(wrong([format(1, 1, 10, 16)])).toThrow('Expected a sampling rate from 1,000');
    const nan = Buffer.alloc(4);
    nan.writeFloatLE(Number.NaN);
    expect(wrong([format(3, 1, 8000, 32), data(nan)])).toThrow('Expected finite samples in chunk "data", got NaN.');
  });

  it('says that a file was cut, and can read what is there', () => {
    const whole = writeWav({ sampleRate: 8000, samples: new Float32Array(100).fill(0.5) });
    const cut = whole.subarray(0, 44 + 51);
    expect(() => readWav(cut)).toThrow('Expected 200 bytes in chunk "data", got 51: the file was cut.');
    expect(readWav(cut, { allowTruncated: true }).samples).toHaveLength(25);
    const open = Buffer.from(whole);
    open.writeUInt32LE(0xffffffff, 40);
    expect(readWav(open).samples).toHaveLength(100);
  });
});
