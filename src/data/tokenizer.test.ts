import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CairnError } from '../errors.ts';
import { withAddedTokens } from './added-tokens.ts';
import { trainBpe } from './bpe.ts';
import { byteTokenizer, charTokenizer } from './char-tokenizer.ts';
import { tokenizerFromFile } from './tokenizer-file.ts';
import { StreamDecoder } from './tokenizer.ts';

describe.each([
  ['char', charTokenizer('To be, or not to be\n\u{1F409}')],
  ['empty alphabet', charTokenizer('')],
  ['byte', byteTokenizer()],
  ['char with added tokens', withAddedTokens(charTokenizer('<think>To be'), ['<think>', '</think>'])],
  ['bpe with added tokens', withAddedTokens(trainBpe('low lower lowest', 260), ['<|a|>', '<|a|>b', '.*'])],
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

describe('added tokens', () => {
  const t = withAddedTokens(charTokenizer('a<think>'), ['<think>', '</think>', '<think>!']);
  const base = charTokenizer('a<think>');

  test('take one id each, after those of the model; the longest name wins', () => {
    expect(t.vocabSize).toBe(base.vocabSize + 3);
    expect([...t.encode('a<think>a</think><think>!')]).toEqual(
      [base.encode('a')[0], 0, base.encode('a')[0], 1, 2].map((id, i) =>
        i % 2 === 0 && i < 4 ? id : base.vocabSize + id!,
      ),
    );
    expect(t.encode('<thin')).toEqual(base.encode('<thin'));
  });

  test('random texts with marks in them survive, and take the ids of their parts', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(fc.string({ maxLength: 5 }), fc.constantFrom(...t.added.keys()))), (parts) => {
        const text = parts.join('');
        const ids = t.encode(text);
        expect(t.decode(ids)).toBe(text);
        const marks = [...ids].filter((id) => id >= base.vocabSize).length;
        expect(marks).toBe(text.split(/<think>!|<\/think>|<think>/).length - 1);
      }),
    );
  });

  test('the file has the layout that other libraries read', () => {
    expect(t.toFile().added_tokens[1]).toEqual({
      id: base.vocabSize + 1,
      content: '</think>',
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: false,
    });
  });

  test.each([[['']], [[' a']], [['x', 'x']], [['\uD800']]])(
    'names that cannot be told apart are refused: %j',
    (names) => {
      expect(() => withAddedTokens(base, names)).toThrow(expect.objectContaining({ code: 'bad_added_tokens' }));
    },
  );

  test('files with other entries are refused', () => {
    const file = t.toFile();
    const entry = file.added_tokens[0]!;
    for (const entries of [
      {},
      [null],
      [{ ...entry, id: 3 }],
      [{ ...entry, lstrip: true }],
      [entry, { ...entry, id: entry.id + 1 }],
    ]) {
      expect(() => tokenizerFromFile({ ...file, added_tokens: entries })).toThrow(
        expect.objectContaining({ code: 'bad_tokenizer' }),
      );
    }
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
