import { expect, test } from 'vitest';
import { charTokenizer, withAddedTokens } from '../../data/index.ts';
import { audioConfig } from '../audio-config.ts';
import { lmConfig, type LmConfig } from '../lm-config.ts';
import { placeParts } from './place-parts.ts';

const tokenizer = withAddedTokens(charTokenizer('0123456789+='), ['<image>', '<audio>']);
const size = { vocab_size: tokenizer.vocabSize, hidden_size: 8, num_hidden_layers: 1, num_attention_heads: 1 };
const sees: Partial<LmConfig> = { image_token_id: tokenizer.added.get('<image>')!, image_size: 2, image_patch_size: 1 };
const hears: Partial<LmConfig> = {
  audio_token_id: tokenizer.added.get('<audio>')!,
  audio: audioConfig(),
  audio_rows: 8,
};
const modelOf = (settings: Partial<LmConfig>) => ({
  config: lmConfig({ ...size, max_position_embeddings: 8, ...settings }),
  tokenizer,
});
const both = modelOf({ ...sees, ...hears });
const [a, b, s] = [Float32Array.of(1), Float32Array.of(2), Float32Array.of(3)];

test.each([
  ['<image>+<audio>=', [a], [s], [{ image: a }, '+', { audio: s }, '=']],
  ['<audio>+<image>=<image>', [a, b], [s], [{ audio: s }, '+', { image: a }, '=', { image: b }]],
  ['1+<image><image>', [a, b], [], ['1+', { image: a }, { image: b }]],
  // Where a kind has no mark, it follows.
  ['1+1=', [a, b], [s], ['1+1=', { image: a }, { image: b }, { audio: s }]],
  ['<audio>=', [a], [s], [{ audio: s }, '=', { image: a }]],
  ['', [a], [], [{ image: a }]],
  ['1=', [], [], ['1=']],
] as const)('%s', (text, images, sounds, parts) => {
  expect(placeParts(both, text, { images, sounds })).toEqual(parts);
});

test('what does not fit is said', () => {
  const place = (model: typeof both, text: string, images: Float32Array[], sounds: Float32Array[]) => () =>
    placeParts(model, text, { images, sounds });
  expect(place(both, '<image>=', [a, b], [])).toThrow(
    'Expected 1 pictures, one for each <image> in the prompt, got 2.',
  );
  expect(place(both, '<image><image>=', [a], [])).toThrow('Expected 2 pictures');
  expect(place(both, '<audio>=', [], [])).toThrow('Expected 1 sounds, one for each <audio> in the prompt, got 0.');
  expect(place(modelOf(sees), '=', [a], [s])).toThrow('Expected no sounds with a model that takes none, got 1.');
  expect(place(modelOf({}), '<image>=', [a], [])).toThrow('Expected no pictures with a model that takes none, got 1.');
});

test('a model without marks leaves its text alone, whatever stands there', () => {
  expect(placeParts(modelOf({}), '<image>=', {})).toEqual(['<image>=']);
});
