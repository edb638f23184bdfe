// Pictures and sounds are learned through the language model: after seconds of training it names unseen MNIST digits and made-up words
// of unseen synthetic voices, both in one prompt, in the order that its text asks for, far better than by chance; with another
// picture in its place it names the digit of that one.
import { expect, test } from 'vitest';
import { charTokenizer, type Digits, drawSpeaker, loadMnist, speakString, withAddedTokens } from '../../data/index.ts';
import { createOrtExecutor, Rng } from '../../tensor/index.ts';
import { audioConfig } from '../audio-config.ts';
import { createDecoder } from '../decoder.ts';
import { generate } from '../generate.ts';
import { lmConfig } from '../lm-config.ts';
import { audioRows, createMixedEncoder, type MixedExample, type MixedPart, trainMixed } from './index.ts';

const tokenizer = withAddedTokens(charTokenizer('0123456789sh='), ['<image>', '<audio>']);
const config = lmConfig({
  vocab_size: tokenizer.vocabSize,
  hidden_size: 48,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  qk_norm: true,
  max_position_embeddings: 24,
  image_token_id: tokenizer.added.get('<image>')!,
  image_size: 28,
  image_patch_size: 14,
  image_hidden_size: 128,
  audio_token_id: tokenizer.added.get('<audio>')!,
  // Log mels of speech at this level lie around -9, with a spread of about 4.
  audio: audioConfig({
    window_seconds: 0.032,
    hop_seconds: 0.02,
    mean: new Array(40).fill(-9),
    std: new Array(40).fill(4),
  }),
  audio_rows: 18,
  audio_hidden_size: 32,
  audio_funnel: true,
});

interface Item {
  readonly digit: number;
  readonly part: MixedPart;
}

const sounds = (voices: number, rng: Rng): Item[] =>
  Array.from({ length: voices * 10 }, (_, i) => {
    const speaker = drawSpeaker(rng.fork(Math.floor(i / 10)));
    const { samples } = speakString(speaker, 8000, rng.fork(`word ${i}`), { words: [i % 10] });
    return { digit: i % 10, part: { rows: audioRows(config, samples) } };
  });

function picture(digits: Digits, rng: Rng): Item {
  const i = rng.integer(digits.count);
  const image = Float32Array.from(digits.images.subarray(i * 784, (i + 1) * 784), (v) => v / 255);
  return { digit: digits.labels[i]!, part: { image } };
}

const asked = (seen: Item, heard: Item, seenFirst: boolean): MixedExample => ({
  prompt: [seen.part, heard.part, seenFirst ? 'sh=' : 'hs='],
  answer: (seenFirst ? [seen, heard] : [heard, seen]).map((item) => item.digit).join(''),
});

/** Fresh seeds, more of them on demand: 54 to 77 of 80 were right with six. */
test.each(Array.from({ length: Number(process.env['CAIRN_SEEDS'] ?? 1) }, () => Math.floor(Math.random() * 1e9)))(
  'digits that are seen and heard, seed %i',
  async (seed) => {
    const rng = new Rng(seed);
    const [train, unseen] = [loadMnist('train'), loadMnist('test')];
    const [spoken, unheard] = [sounds(30, rng.fork('voices')), sounds(8, rng.fork('new voices'))];
    const batch = 32;
    const question = (draw: Rng): MixedExample =>
      asked(picture(train, draw), spoken[draw.integer(spoken.length)]!, draw.bernoulli());
    await using executor = await createOrtExecutor();
    const model = await trainMixed({
      config,
      tokenizer,
      executor,
      seed,
      shape: { batch, length: 17, images: batch, clips: batch },
      recipe: { beta1: 0.9, beta2: 0.99, eps: 1e-8, weightDecay: 0.01, clipNorm: 1, rate: 1.5e-3, steps: 400 },
      examples: (step) => Array.from({ length: batch }, (_, i) => question(rng.fork(step).fork(i))),
    });
    await using encoder = createMixedEncoder(model);
    await using decoder = createDecoder(model);
    const answers = async ({ prompt }: MixedExample): Promise<string> =>
      generate(model, await encoder.encode(prompt), { maxTokens: 2, decoder }).text();
    const right = { seen: 0, heard: 0, exchanged: 0 };
    for (let i = 0; i < 80; i++) {
      const draw = rng.fork(`unseen ${i}`);
      const [seen, heard, other] = [picture(unseen, draw), unheard[i]!, picture(unseen, draw)];
      const seenFirst = draw.bernoulli();
      const place = seenFirst ? 0 : 1;
      const answer = await answers(asked(seen, heard, seenFirst));
      if (answer[place] === String(seen.digit)) right.seen++;
      if (answer[1 - place] === String(heard.digit)) right.heard++;
      if ((await answers(asked(other, heard, seenFirst)))[place] === String(other.digit)) right.exchanged++;
    }
    if (process.env['CAIRN_SEEDS']) process.stdout.write(`seed ${seed}: ${JSON.stringify(right)} of 80\n`);
    for (const count of Object.values(right)) expect(count).toBeGreaterThan(24);
  },
  60_000,
);
