import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { bpeTokenizer, trainBpe } from './bpe.ts';
import { tokenizerFromFile } from './tokenizer-file.ts';
import { StreamDecoder } from './tokenizer.ts';

const text = 'low lower lowest newer newest wider the the the cat’s über 123 123\n\n  '.repeat(3);
const tokenizer = trainBpe(text, 300);

test('any Unicode text survives, also streamed', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 60 }), (s) => {
      const ids = tokenizer.encode(s);
      expect(tokenizer.decode(ids)).toBe(s);
      const stream = new StreamDecoder(tokenizer);
      expect(Array.from(ids, (id) => stream.push(id)).join('') + stream.end()).toBe(s);
    }),
    { numRuns: 300 },
  );
});

test('training text becomes shorter and training repeats itself', () => {
  expect(tokenizer.encode(text).length).toBeLessThan(text.length / 2);
  expect(trainBpe(text, 300).toFile()).toEqual(tokenizer.toFile());
  expect(trainBpe('', 300).vocabSize).toBe(256);
});

test('the most frequent pair is merged first, the smaller ids among equals', () => {
  // `er` and `we` both occur four times a line.
  expect(tokenizer.toFile().model.merges[0]).toBe('e r');
});

test('encoding equals repeated merging by definition', () => {
  const { model } = tokenizer.toFile();
  const merges = model.merges.map((m) => m.split(' ').map((n) => model.vocab[n]!) as [number, number]);
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom(...'lowernstid'), maxLength: 30 }), (word) => {
      let ids = Array.from(new TextEncoder().encode(word));
      for (let i = 0; i < merges.length; i++) {
        const [left, right] = merges[i]!;
        for (let k = 0; k + 1 < ids.length; k++) if (ids[k] === left && ids[k + 1] === right) ids.splice(k, 2, 256 + i);
      }
      expect([...tokenizer.encode(word)]).toEqual(ids);
    }),
    { numRuns: 300 },
  );
});

test('a piece of a hundred thousand letters is encoded', () => {
  const t = bpeTokenizer([
    [97, 97],
    [256, 256],
    [257, 97],
  ]);
  expect(t.decode(t.encode('a'.repeat(100_001)))).toHaveLength(100_001);
});

test('its file gives the same tokenizer; a broken one is refused', () => {
  const file = JSON.parse(JSON.stringify(tokenizer.toFile())) as ReturnType<typeof tokenizer.toFile>;
  const again = tokenizerFromFile(file);
  expect(again.encode('the newest über')).toEqual(tokenizer.encode('the newest über'));
  expect(again.toFile()).toEqual(tokenizer.toFile());
  const broken = (merges: unknown): unknown => ({ ...file, model: { ...file.model, merges } });
  expect(() => tokenizerFromFile(broken(file.model.merges.slice(1)))).toThrow(/Expected \d+ tokens/);
  expect(() => tokenizerFromFile(broken(file.model.merges.toReversed()))).toThrow(/merge 0/);
});

test('vocabulary sizes are checked', () => {
  expect(() => trainBpe('a', 100)).toThrow('Expected 256 to 65536 tokens, got 100.');
});
