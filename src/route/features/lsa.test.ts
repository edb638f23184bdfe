import { describe, expect, it } from 'vitest';
import * as fc from 'fast-check';
import { crc32, matrix, Rng, svd } from '../../tensor/index.ts';
import { embedAll } from '../encoder.ts';
import { HashedCounts } from './hashed-counts.ts';
import { FEW_PROMPTS, fitLsa } from './lsa.ts';
import { rightSingularVectors, timesTransposed, type SparseRows } from './sparse.ts';

const WORDS = ['apple', 'river', 'stone', 'count', 'the', 'of', 'x', 'prove', 'python', 'größe', '犬', '7'];

function texts(n: number, seed: number): string[] {
  const rng = new Rng(seed);
  return Array.from({ length: n }, () =>
    Array.from({ length: 3 + rng.integer(12) }, () => WORDS[rng.integer(WORDS.length)]).join(' '),
  );
}

/** The tokens of `ascii-v1` as the definition reads, slowly. */
function asciiTokens(text: string): string[] {
  const words = text.toLowerCase().match(/[a-z]+|[0-9]|[^\sa-z0-9]/gu) ?? [];
  return words.flatMap((word, i) => {
    const pair = i > 0 ? [`b:${words[i - 1]}_${word}`] : [];
    if (!/^[a-z]/.test(word)) return [`w:${word}`, ...pair];
    const y = `<${word}>`;
    const grams = Array.from({ length: Math.max(1, y.length - 3) }, (_, j) => `c:${y.slice(j, j + 4)}`);
    return [`w:${word}`, ...pair, ...grams];
  });
}

describe('hashed counts', () => {
  it('ascii-v1 counts CRC-32 of the words, pairs and windows of the definition', () => {
    const counts = new HashedCounts('ascii-v1', 15);
    const character = fc.constantFrom('a', 'B', 'z', ' ', '7', '.', '\n', 'é', '€', '😀', '_');
    fc.assert(
      fc.property(fc.string({ unit: character, maxLength: 40 }), (text) => {
        counts.count(text);
        const wanted = new Map<number, number>();
        for (const token of asciiTokens(text)) {
          const h = crc32(new TextEncoder().encode(token)) % 32768;
          wanted.set(h, (wanted.get(h) ?? 0) + 1);
        }
        const got = new Map(Array.from(counts.touched.subarray(0, counts.size), (h) => [h, counts.counts[h]!]));
        expect(got).toEqual(wanted);
      }),
    );
  });

  it('unicode-v1 does not see case or outer white space, and tells scripts apart', () => {
    const read = (text: string): string => {
      const counts = new HashedCounts('unicode-v1');
      counts.count(text);
      return [...counts.touched.subarray(0, counts.size)].sort().join();
    };
    expect(read('  Größe ÉTÉ Straße\n')).toBe(read('größe été straße'));
    expect(read('犬と猫')).not.toBe(read('猫と犬'));
    expect(read('Привет мир')).not.toBe(read('Привет мост'));
    expect(read('')).toBe('');
  });
});

describe('right singular vectors', () => {
  it('are those of the dense matrix', () => {
    const rng = new Rng(3);
    const [rows, cols] = [30, 20];
    const dense = Float64Array.from(
      { length: rows * cols },
      (_, i) => (rng.bernoulli(0.3) ? rng.normal() : 0) * (i % 7 === 0 ? 4 : 1),
    );
    const column: number[] = [];
    const value: number[] = [];
    const rowStart = new Int32Array(rows + 1);
    for (let r = 0; r < rows; r++) {
      for (let c = 0; c < cols; c++) {
        if (dense[r * cols + c] === 0) continue;
        column.push(c);
        value.push(dense[r * cols + c]!);
      }
      rowStart[r + 1] = column.length;
    }
    const y: SparseRows = { rows, cols, rowStart, column: Int32Array.from(column), value: Float64Array.from(value) };
    const found = rightSingularVectors(y, 5, new Rng(1), { oversample: 10, power: 12 });
    const exact = svd(matrix(rows, cols, dense));
    for (let j = 0; j < 5; j++) {
      expect(found.singular[j]).toBeCloseTo(exact.s[j]!, 8);
      let dot = 0;
      for (let c = 0; c < cols; c++) dot += found.vectors[c * 5 + j]! * exact.vt.data[j * cols + c]!;
      expect(Math.abs(dot)).toBeCloseTo(1, 6);
    }
    expect(timesTransposed(y, new Float64Array(rows).fill(1), 1)[0]).toBeCloseTo(
      Array.from({ length: rows }, (_, r) => dense[r * cols]!).reduce((a, b) => a + b),
      12,
    );
  });
});

describe('latent features', () => {
  const prompts = texts(200, 7);
  const encoder = fitLsa(prompts, { rng: new Rng(7), dim: 8, bits: 12 });

  it('are the same bytes from the same seed, alone or in a batch', () => {
    const again = fitLsa(prompts, { rng: new Rng(7), dim: 8, bits: 12 });
    expect(again.parts).toEqual(encoder.parts);
    const batch = embedAll(encoder, prompts);
    for (const i of [0, 50, 199]) {
      expect(embedAll(encoder, [prompts[i]!])).toEqual(batch.subarray(i * encoder.dim, (i + 1) * encoder.dim));
    }
  });

  it('have unit length, then the surface numbers', () => {
    const z = embedAll(encoder, ['the apple of the river', 'count 7']);
    for (let i = 0; i < 2; i++) {
      let norm = 0;
      for (let d = 0; d < encoder.parts.latent; d++) norm += z[i * encoder.dim + d]! ** 2;
      expect(Math.sqrt(norm)).toBeCloseTo(1, 5);
    }
    expect(encoder.id).toBe('lsa/unicode-v1/12/8+surface');
  });

  it('do not see case or outer white space', () => {
    expect(embedAll(encoder, ['The RIVER of stone '])).toEqual(embedAll(encoder, ['\n the river OF stone']));
  });

  it.each([
    ['empty', ''],
    ['white space', ' \n\t '],
    ['emoji', '👩‍👩‍👧 🎉'],
    ['a lone surrogate', 'a\ud800b\udc00'],
    ['NUL', 'a\u0000b'],
    ['a million characters', 'river stone '.repeat(90_000)],
  ])('are finite for %s', (_, text) => {
    const z = embedAll(encoder, [text, text]);
    expect(z.every(Number.isFinite)).toBe(true);
    expect(z.subarray(0, encoder.dim)).toEqual(z.subarray(encoder.dim));
    if (text.trim() === '') expect(z.every((v) => v === 0)).toBe(true);
  });

  it('fall back to a fixed projection for few prompts', () => {
    const few = fitLsa(prompts.slice(0, FEW_PROMPTS - 1), { rng: new Rng(1) });
    expect(few.projected).toBe(true);
    const z = embedAll(few, ['the apple', 'the apple', 'python']);
    expect(z.subarray(0, few.dim)).toEqual(z.subarray(few.dim, 2 * few.dim));
    expect(z.subarray(0, few.dim)).not.toEqual(z.subarray(2 * few.dim));
    expect(embedAll(few, ['']).every((v) => v === 0)).toBe(true);
  });
});
