// Long context on a tiny scale: keys and values hidden in thousands of letters are found by layers with windows mixed with layers
// that see everything, with shared keys and values and a cache that is cut; by windows alone they are not.
import { createDecoder, type LanguageModel, lmLogits } from 'cairn/nn';
import { createOrtExecutor, Rng } from 'cairn/tensor';
import type { LabOptions, Part } from '../../report.ts';
import { loadText } from '../../text.ts';
import { wilson } from '../wilson.ts';
import { hide, KEYS, plainLetters, tokenizer, VALUES } from './haystack.ts';
import { ask, type Asked, type Course, cutSight, REACH, retriever, teach, WINDOW } from './retrieval.ts';

const LENGTHS = [1024, 2048, 4096] as const;
const LONGEST = LENGTHS[2];
const CHANCE = 1 / VALUES.length;
/** Share of right answers that is claimed at the longest, and the most that windows alone may have beyond their reach. */
const [FOUND, LOST] = [0.8, 0.25];
const GAP = 1e-3;

/** Few keys in short texts until they are found, then all of them in longer ones. */
const SHORT: Course = { batch: 48, length: 40, keys: 7, rate: 1e-3, enough: 0.2, steps: 500 };
const LONGER: Course = { batch: 3, length: 512, keys: KEYS.length, rate: 1e-3, enough: 0.01, steps: 70 };

export async function needle({ seed, scale, log, signal, plot, data }: LabOptions): Promise<Part> {
  const rng = new Rng(seed).fork('needle');
  const full = scale === 'full';
  const corpus = await loadText(data);
  const hay = plainLetters(corpus.text);
  const [seen, unseen] = [hay.slice(0, 0.9 * hay.length), hay.slice(0.9 * hay.length)];
  await using executor = await createOrtExecutor();
  const lesson = { hay: seen, rng: rng.fork('lessons'), executor, signal, log };
  const courses = full ? [SHORT, { ...LONGER, steps: 400 }] : [SHORT, LONGER];
  const mixed = await teach({ ...lesson, config: retriever(LONGEST), courses });
  const windows = full
    ? await teach({ ...lesson, config: retriever(LONGEST, false), courses: courses.map((c) => ({ ...c, enough: 0 })) })
    : cutSight(mixed);
  const name = full ? 'windows alone, trained alike' : 'the same weights, windows alone';
  const haystacks = full ? 12 : 3;
  const answers = await ask(mixed, unseen, LENGTHS, haystacks, rng.fork('unseen'), signal);
  const blind = await ask(windows, unseen, full ? LENGTHS : LENGTHS.slice(0, 2), haystacks, rng.fork('unseen'), signal);
  const far = blind.filter((a) => a.distance > REACH);
  const shares = LENGTHS.map((length) => share(answers.filter((a) => a.length === length)));
  for (const [i, s] of shares.entries()) log(`${LENGTHS[i]} positions: ${s.right} of ${s.of} values found`);
  const lost = share(far);
  const stream = await streamed(mixed, unseen, full ? 2048 : 1024, rng.fork('stream'), signal);
  const quarters = LENGTHS.map((length) =>
    [0, 1, 2, 3].map((q) => share(answers.filter((a) => a.length === length && Math.floor(4 * a.depth) === q))),
  );
  plot('needle', {
    title: 'Values found in long texts, by the depth at which they lie',
    note: `Each text hides ${KEYS.length} keys among letters that the model has not seen; all are asked for after its end.`,
    x: { label: 'depth, 0 = start of the text' },
    y: { label: 'share of values found' },
    curves: [
      ...LENGTHS.map((length, i) => ({
        name: `${length} positions`,
        points: quarters[i]!.map((s, q) => [(q + 0.5) / 4, s.share] as const),
        bars: quarters[i]!.map((s) => (s.high - s.low) / 2),
      })),
      { name, points: [[0.125, lost.share] as const, [0.875, lost.share] as const], dashed: true },
      { name: 'guessing', points: [[0, CHANCE] as const, [1, CHANCE] as const], dashed: true },
    ],
  });
  const worst = shares.reduce((a, b) => (b.share < a.share ? b : a));
  const shallow = quarters.flat().reduce((a, b) => (b.share < a.share ? b : a));
  return {
    claims: [
      {
        id: 'needle-found',
        says: `Windows of ${WINDOW} positions mixed with layers that see everything find one of ${KEYS.length} values in texts of up to ${LONGEST} positions, though texts of at most ${LONGER.length} were trained on.`,
        kind: 'measured',
        value: worst.share,
        baseline: CHANCE,
        target: `at ${LENGTHS.join(', ')} positions >= ${FOUND} of the values, at every quarter of the depth >= ${(FOUND - 0.2).toFixed(1)}`,
        holds: worst.share >= FOUND && shallow.share >= FOUND - 0.2,
      },
      {
        id: 'windows-cannot',
        says: `Windows alone do not find what lies farther back than they reach (${REACH} positions): ${name}.`,
        kind: 'measured',
        value: lost.share,
        baseline: CHANCE,
        target: `value <= ${LOST} (${lost.of} questions; guessing: ${CHANCE})`,
        holds: lost.of > 0 && lost.share <= LOST,
      },
      {
        id: 'streamed-needle',
        says: `Read one token at a time through caches that are cut to the window, ${stream.length} positions have the logits of the whole text at once.`,
        kind: 'identity',
        value: stream.gap,
        target: `largest difference <= ${GAP}, the same likeliest token everywhere, at most ${2 * (WINDOW - 1)} positions in the cache of a window`,
        holds: stream.gap <= GAP && stream.differing === 0 && stream.held <= 2 * (WINDOW - 1),
      },
    ],
    tables: [
      {
        title: `Values found among ${VALUES.length}, ${KEYS.length} keys a text; letters of ${corpus.name} that were not trained on`,
        columns: ['positions', 'model', 'right', 'low', 'high', 'first quarter', 'second', 'third', 'last quarter'],
        rows: [
          ...LENGTHS.map((length, i) => [
            length,
            'windows and full layers',
            shares[i]!.share,
            shares[i]!.low,
            shares[i]!.high,
            ...quarters[i]!.map((s) => s.share),
          ]),
          [`beyond ${REACH} back`, name, lost.share, lost.low, lost.high, null, null, null, null],
        ],
      },
    ],
  };
}

interface Share {
  readonly right: number;
  readonly of: number;
  readonly share: number;
  readonly low: number;
  readonly high: number;
}

function share(asked: readonly Asked[]): Share {
  const right = asked.filter((a) => a.right).length;
  const [low, high] = wilson(right, asked.length);
  return { right, of: asked.length, share: right / asked.length, low, high };
}

/** One text with its questions, one token at a time beside all at once. */
async function streamed(
  model: LanguageModel,
  hay: string,
  length: number,
  rng: Rng,
  signal: AbortSignal,
): Promise<{ length: number; gap: number; differing: number; held: number }> {
  const { text, needles } = hide(hay, length - 2 * KEYS.length, KEYS.length, rng);
  const ids = [...tokenizer.encode(text + needles.map(({ key }) => `?${key}`).join(''))];
  const whole = await lmLogits(model, ids);
  const v = model.config.vocab_size;
  await using decoder = createDecoder(model);
  let [gap, differing, held] = [0, 0, 0];
  for (const [t, id] of ids.entries()) {
    signal.throwIfAborted();
    const row = await decoder.feed([id]);
    const same = whole.data.subarray(t * v, (t + 1) * v);
    let [mine, theirs] = [0, 0];
    row.forEach((x, i) => {
      gap = Math.max(gap, Math.abs(x - same[i]!));
      if (x > row[mine]!) mine = i;
      if (same[i]! > same[theirs]!) theirs = i;
    });
    // Two that are as likely may change places within the tolerance.
    if (mine !== theirs && same[theirs]! - same[mine]! > 2 * GAP) differing++;
    held = Math.max(held, decoder.save().cache['past.k.0']!.shape[2]!);
  }
  return { length, gap, differing, held };
}
