// One small language model that reads text, sees pictures and hears sounds: each prompt holds a handwritten digit and a made-up word
// for a digit, spoken by a synthetic voice, and a question in text says in which order to name the two. Pictures and voices of the
// test are new; what is answered follows the picture when it is exchanged, and is a guess where the vectors are blank.
import { charTokenizer, type Digits, drawSpeaker, loadMnist, speakWord, withAddedTokens } from 'cairn/data';
import {
  audioConfig,
  audioRows,
  audioTokens,
  createDecoder,
  createMixedEncoder,
  generate,
  imageTokens,
  type LanguageModel,
  lmConfig,
  type MixedExample,
  type MixedPrompt,
  softWidth,
  trainMixed,
} from 'cairn/nn';
import { createOrtExecutor, Rng } from 'cairn/tensor';
import type { LabOptions, Part } from '../report.ts';
import { wilson } from './wilson.ts';

const tokenizer = withAddedTokens(charTokenizer('0123456789sh='), ['<image>', '<audio>']);
const RATE = 8000;
const CHANCE = 0.1;
/** Most that is right without anything to go by, with what chance adds to it in a hundred questions. */
const GUESS = 0.25;

const SCALES = {
  ci: { steps: 400, voices: 30, questions: 80, least: 0.4 },
  full: { steps: 2500, voices: 200, questions: 500, least: 0.75 },
} as const;

const CONFIG = lmConfig({
  vocab_size: tokenizer.vocabSize,
  hidden_size: 48,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  qk_norm: true,
  max_position_embeddings: 40,
  image_token_id: tokenizer.added.get('<image>')!,
  image_size: 28,
  image_patch_size: 14,
  image_hidden_size: 128,
  audio_token_id: tokenizer.added.get('<audio>')!,
  // Log mels of speech at this level lie around -9, with a spread of about 4.
  audio: audioConfig({
    window_seconds: 0.032,
    hop_seconds: 0.02,
    mean: new Array<number>(40).fill(-9),
    std: new Array<number>(40).fill(4),
  }),
  audio_rows: 18,
  audio_hidden_size: 32,
  audio_funnel: true,
});

/** Tokens of a picture, of a sound, of the question and its answer but the last. */
const LENGTH = imageTokens(CONFIG) + audioTokens(CONFIG, CONFIG.audio_rows!) + 'sh='.length + 1;
const BATCH = 32;

interface Picture {
  readonly digit: number;
  readonly image: Float32Array;
}

interface Sound {
  readonly digit: number;
  readonly rows: Float32Array;
}

interface Question {
  readonly picture: Picture;
  readonly sound: Sound;
  /** What is named first. */
  readonly first: 'seen' | 'heard';
}

function pictureOf(digits: Digits, rng: Rng): Picture {
  const i = rng.integer(digits.count);
  const image = Float32Array.from(digits.images.subarray(i * 784, (i + 1) * 784), (v) => v / 255);
  return { digit: digits.labels[i]!, image };
}

/** Every word once by each of so many voices. */
function soundsOf(voices: number, rng: Rng): Sound[] {
  return Array.from({ length: voices * 10 }, (_, i) => {
    const voice = drawSpeaker(rng.fork(Math.floor(i / 10)));
    const samples = speakWord(i % 10, voice, RATE, rng.fork(`word ${i}`));
    return { digit: i % 10, rows: audioRows(CONFIG, samples) };
  });
}

function draw(digits: Digits, sounds: readonly Sound[], rng: Rng): Question {
  return {
    picture: pictureOf(digits, rng),
    sound: sounds[rng.integer(sounds.length)]!,
    first: rng.bernoulli() ? 'seen' : 'heard',
  };
}

function exampleOf({ picture, sound, first }: Question): MixedExample {
  const answer = [String(picture.digit), String(sound.digit)];
  const order = first === 'seen' ? 'sh=' : 'hs=';
  return {
    prompt: [{ image: picture.image }, { rows: sound.rows }, order],
    answer: (first === 'seen' ? answer : answer.toReversed()).join(''),
  };
}

/** What was answered about the picture and about the sound. */
interface Answer {
  readonly seen: string | undefined;
  readonly heard: string | undefined;
}

type Ask = (question: Question, blank?: 'picture' | 'sound') => Promise<Answer>;

/** Asks with the vectors of the picture or of the sound set to zero where `blank` says so. */
function asking(
  model: LanguageModel,
  encode: (parts: MixedExample['prompt']) => Promise<MixedPrompt>,
  decoder: ReturnType<typeof createDecoder>,
): Ask {
  const seen = imageTokens(CONFIG) * softWidth(CONFIG);
  return async (question, blank) => {
    const { ids, soft } = await encode(exampleOf(question).prompt);
    const vectors = soft.slice();
    if (blank === 'picture') vectors.fill(0, 0, seen);
    if (blank === 'sound') vectors.fill(0, seen);
    const text = await generate(model, { ids, soft: vectors }, { maxTokens: 2, decoder }).text();
    const [a, b] = text;
    return question.first === 'seen' ? { seen: a, heard: b } : { seen: b, heard: a };
  };
}

export async function senses({ seed, scale, log, signal, plot }: LabOptions): Promise<Part> {
  const { steps, voices, questions, least } = SCALES[scale];
  const rng = new Rng(seed).fork('senses');
  const [train, unseen] = [loadMnist('train'), loadMnist('test')];
  const spoken = soundsOf(voices, rng.fork('voices'));
  const unheard = soundsOf(8, rng.fork('new voices'));
  await using executor = await createOrtExecutor();
  const lessons = rng.fork('lessons');
  const model = await trainMixed({
    config: CONFIG,
    tokenizer,
    executor,
    seed: rng.fork('weights').integer(2 ** 31),
    shape: { batch: BATCH, length: LENGTH, images: BATCH, clips: BATCH },
    recipe: { beta1: 0.9, beta2: 0.99, eps: 1e-8, weightDecay: 0.01, clipNorm: 1, rate: 1.5e-3, steps },
    examples: (step) => {
      const own = lessons.fork(step);
      return Array.from({ length: BATCH }, (_, i) => exampleOf(draw(train, spoken, own.fork(i))));
    },
    onProgress: (p) => {
      if (p.step % 100 === 0) log(`step ${p.step} of ${steps}: loss ${p.smoothedLoss.toFixed(3)}`);
    },
    signal,
  });
  await using encoder = createMixedEncoder(model);
  await using decoder = createDecoder(model);
  const ask = asking(model, (parts) => encoder.encode(parts), decoder);
  const tally = { seen: 0, heard: 0, follows: 0, stays: 0, blankSeen: 0, blankHeard: 0, heardBlankSeen: 0 };
  const is = (said: string | undefined, digit: number): number => (said === String(digit) ? 1 : 0);
  for (let i = 0; i < questions; i++) {
    signal.throwIfAborted();
    const own = rng.fork(`question ${i}`);
    const question = draw(unseen, unheard, own);
    const { picture, sound } = question;
    const whole = await ask(question);
    tally.seen += is(whole.seen, picture.digit);
    tally.heard += is(whole.heard, sound.digit);
    let other = pictureOf(unseen, own);
    while (other.digit === picture.digit) other = pictureOf(unseen, own);
    const exchanged = await ask({ ...question, picture: other });
    tally.follows += is(exchanged.seen, other.digit);
    tally.stays += is(exchanged.heard, sound.digit);
    const blind = await ask(question, 'picture');
    tally.blankSeen += is(blind.seen, picture.digit);
    tally.heardBlankSeen += is(blind.heard, sound.digit);
    tally.blankHeard += is((await ask(question, 'sound')).heard, sound.digit);
  }
  const of = questions;
  const rows = [
    { what: 'digit seen', right: tally.seen },
    { what: 'digit heard', right: tally.heard },
    { what: 'the picture exchanged: the new digit seen', right: tally.follows },
    { what: 'the picture exchanged: digit heard', right: tally.stays },
    { what: 'the picture blank: digit seen', right: tally.blankSeen },
    { what: 'the picture blank: digit heard', right: tally.heardBlankSeen },
    { what: 'the sound blank: digit heard', right: tally.blankHeard },
  ].map(({ what, right }) => ({ what, share: right / of, interval: wilson(right, of) }));
  const [seen, heard, follows, stays, blankSeen, , blankHeard] = rows.map((r) => r.share);
  plot('senses', {
    title: 'Digits named right by one model that reads, sees and hears',
    note: 'Pictures and voices that it was not trained on; guessing is right one time in ten.',
    y: { label: 'share that is right' },
    columns: {
      labels: ['as given', 'picture exchanged', 'blank'],
      series: [
        { name: 'seen', values: [seen!, follows!, blankSeen!] },
        { name: 'heard', values: [heard!, stays!, blankHeard!] },
      ],
    },
  });
  return {
    claims: [
      {
        id: 'sees-and-hears',
        says: 'One language model names an unseen handwritten digit and a word of an unseen synthetic voice that stand in one prompt, in the order that its text asks for.',
        kind: 'measured',
        value: Math.min(seen!, heard!),
        baseline: CHANCE,
        target: `digits seen and digits heard each right for >= ${least} of ${of} questions`,
        holds: Math.min(seen!, heard!) >= least,
      },
      {
        id: 'follows-the-picture',
        says: 'With another picture in its place the model names the digit of that one, and still the same word; with blank vectors it can only guess.',
        kind: 'measured',
        value: follows!,
        baseline: Math.max(blankSeen!, blankHeard!),
        target: `exchanged: new digit seen and digit heard >= ${least}; blank: <= ${GUESS}`,
        holds: Math.min(follows!, stays!) >= least && Math.max(blankSeen!, blankHeard!) <= GUESS,
      },
    ],
    tables: [
      {
        title: `Digits seen and heard in one prompt, ${steps} steps of ${BATCH} prompts, ${of} new ones asked; chance is ${CHANCE}`,
        columns: ['what', 'right', 'low', 'high'],
        rows: rows.map(({ what, share, interval }) => [what, share, ...interval]),
      },
    ],
  };
}
