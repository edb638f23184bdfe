import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CairnError } from '../errors.ts';
import { byteTokenizer, charTokenizer } from './char-tokenizer.ts';
import { tokenizerFromFile } from './tokenizer-file.ts';
import { StreamDecoder } from './tokenizer.ts';

describe.each([
  ['char', charTokenizer('To be, or not to be\n\u{1F409}')],
  ['empty alphabet', charTokenizer('')],
  ['byte', byteTokenizer()],
])('%s', (_, tokenizer) => {
  test('any Unicode text survives', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 40 }), (text) => {
        const ids = tokenizer.encode(text);
        expect(tokenizer.decode(ids)).toBe(text);
        expect(ids.every((id) => id >= 0 && id < tokenizer.vocabSize)).toBe(true);
        const stream = new StreamDecoder(tokenizer);
        expect(Array.from(ids, (id) => stream.push(id)).join('') + stream.end()).toBe(text);
      }),
      { numRuns: 300 },
    );
  });

  test('a byte order mark and a lone surrogate', () => {
    expect(tokenizer.decode(tokenizer.encode('\uFEFFa'))).toBe('\uFEFFa');
    expect(tokenizer.decode(tokenizer.encode('\uD800a'))).toBe('\uFFFDa');
  });

  test('its file gives the same tokenizer', () => {
    const again = tokenizerFromFile(JSON.parse(JSON.stringify(tokenizer.toFile())));
    const text = 'To be \u{1F409} ü ɐ';
    expect(again.kind).toBe(tokenizer.kind);
    expect(again.encode(text)).toEqual(tokenizer.encode(text));
    expect(again.toFile()).toEqual(tokenizer.toFile());
  });

  test('an id outside the vocabulary is named', () => {
    expect(() => tokenizer.decode([tokenizer.vocabSize])).toThrow(/Expected a token id from 0 to \d+, got \d+/);
  });
});

test('characters take one id each, in code point order', () => {
  const t = charTokenizer('banana');
  expect([...t.encode('abn')]).toEqual([0, 1, 2]);
  expect(t.vocabSize).toBe(259);
});

test('the alphabet may hold digits, which an object would reorder', () => {
  const t = charTokenizer('z10a9');
  expect(tokenizerFromFile(JSON.parse(JSON.stringify(t.toFile()))).encode('019az')).toEqual(t.encode('019az'));
});

test('other files are refused, never with a crash', () => {
  const whole = charTokenizer('ab').toFile();
  for (const file of [
    null,
    [],
    {},
    { model: {} },
    { ...whole, model: { ...whole.model, merges: ['a b'] } },
    { ...whole, model: { ...whole.model, vocab: { a: 0, b: 0 } } },
  ]) {
    expect(() => tokenizerFromFile(file)).toThrow(CairnError);
  }
  fc.assert(
    fc.property(fc.jsonValue(), (file) => {
      expect(() => tokenizerFromFile(file)).toThrow(CairnError);
    }),
  );
});
