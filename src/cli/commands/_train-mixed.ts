// `cairn train mixed`: a language model that sees and hears, from a list of examples with their files. A tenth of them is held
// out, and answered at the end.
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { charTokenizer, withAddedTokens } from '../../data/index.ts';
import { CairnError } from '../../errors.ts';
import {
  audioConfig,
  audioRows,
  createMixedEncoder,
  DEFAULT_MODEL,
  generate,
  type LanguageModel,
  lmConfig,
  type LmConfig,
  type MixedExample,
  type MixedPart,
  type MixedShape,
  parseLmSettings,
  placeParts,
  readMixed,
  saveLm,
  trainMixed,
  type TrainProgress,
} from '../../nn/index.ts';
import { createOrtExecutor, Rng } from '../../tensor/index.ts';
import type { Args, CommandResult } from '../command.ts';
import type { Io } from '../io.ts';
import { inLine, type ManifestLine, readManifest, readParts } from '../mixed-manifest.ts';
import { createRunDir } from '../run-dir.ts';

const IMAGE = '<image>';
const AUDIO = '<audio>';
const SIGHT = { image_token_id: 0, image_size: 28, image_patch_size: 7 };
const HEARING = { audio_token_id: 1, audio: audioConfig(), audio_rows: 32 };
const OPTIMIZER = { beta1: 0.9, beta2: 0.99, eps: 1e-8, weightDecay: 0.01, clipNorm: 1 };
const BATCH = 32;

export async function trainMixedModel(
  args: Args,
  io: Io,
  onProgress: (p: TrainProgress) => void,
): Promise<CommandResult> {
  const file = args.text('examples');
  if (file === undefined) throw new CairnError('usage', 'Expected --examples FILE, got none.');
  const out = args.text('out');
  const resume = args.flag('resume');
  if (resume && out === undefined) throw new CairnError('usage', 'Expected --out DIR of the run to resume, got none.');
  const seed = args.number('seed') ?? 7;
  const steps = args.number('steps', 1, 1e9) ?? 1000;
  const rate = args.number('rate', 1e-9, 1e9) ?? 3e-3;
  const { lines, text } = await readManifest(resolve(file));
  const { config, tokenizer } = await planned(args, lines);
  const began = performance.now();
  const executor = await createOrtExecutor();
  try {
    const base = { config, tokenizer };
    const examples: MixedExample[] = [];
    const hash = createHash('sha256').update(text);
    for (const line of lines) examples.push(await exampleOf(base, line, hash));
    const order = new Rng(seed).fork('held out').permutation(examples.length);
    const apart = Math.max(1, Math.floor(examples.length / 10));
    const [held, learned] = [order.slice(0, apart), order.slice(apart)].map((part) =>
      Array.from(part, (i) => examples[i]!),
    ) as [MixedExample[], MixedExample[]];
    const dir = out === undefined ? createRunDir(io.dataDir, new Date()) : resolve(out);
    io.progress(`Training on ${learned.length} examples of ${file}, ${held.length} held out, in ${dir}`);
    const data = hash.digest('hex');
    const shape = shapeOf(base, lines, examples);
    const model = await trainMixed({
      config,
      tokenizer,
      executor,
      seed,
      shape,
      recipe: { ...OPTIMIZER, rate, steps },
      examples(step) {
        const rng = new Rng(seed).fork('batches').fork(step);
        return Array.from({ length: shape.batch }, () => learned[rng.integer(learned.length)]!);
      },
      dir,
      data,
      resume,
      signal: io.signal,
      onProgress,
    }).catch((error: unknown) => {
      if (!CairnError.isInstance(error) || error.code !== 'aborted') throw error;
      throw new CairnError('aborted', error.message, {
        hint: `Continue with: cairn train mixed --examples ${file} --out ${dir} --steps ${steps} --resume`,
        cause: error,
      });
    });
    const right = await answered(model, held);
    const seconds = (performance.now() - began) / 1000;
    const report = { dir, steps, examples: learned.length, heldOut: { right, of: held.length }, seconds };
    const command = `cairn train mixed --examples ${file} --seed ${seed} --steps ${steps} --rate ${rate}`;
    await saveLm(dir, model, { training: { command, seed, steps, seconds, data_sha256: data, report } });
    return {
      value: report,
      text: `${right} of ${held.length} held-out examples answered rightly after ${steps} steps (${Math.round(seconds)} s).\nModel: ${dir}`,
    };
  } finally {
    await executor.dispose();
  }
}

/** The config that the examples need: characters of all texts, and marks for what they show. */
async function planned(
  args: Args,
  lines: readonly ManifestLine[],
): Promise<Pick<LanguageModel, 'config' | 'tokenizer'>> {
  const settingsFile = args.text('config');
  const all = { ...DEFAULT_MODEL, ...SIGHT, ...HEARING };
  const settings =
    settingsFile === undefined ? {} : parseLmSettings(await readFile(resolve(settingsFile), 'utf8'), all);
  const sees = lines.some((x) => x.images.length > 0);
  const hears = lines.some((x) => x.audio.length > 0);
  const marks = [...(sees ? [IMAGE] : []), ...(hears ? [AUDIO] : [])];
  if (marks.length === 0) {
    throw new CairnError('bad_manifest', 'Expected a picture or a sound in some example, got none.', {
      hint: 'Use `cairn train lm` for text alone.',
    });
  }
  const texts = lines.map((x) => marks.reduce((rest, mark) => rest.replaceAll(mark, ''), x.prompt) + x.answer);
  const tokenizer = withAddedTokens(charTokenizer(texts.join('')), marks);
  const config: LmConfig = lmConfig({
    ...DEFAULT_MODEL,
    ...(sees ? SIGHT : {}),
    ...(hears ? HEARING : {}),
    ...settings,
    ...(sees ? { image_token_id: tokenizer.added.get(IMAGE)! } : {}),
    ...(hears ? { audio_token_id: tokenizer.added.get(AUDIO)! } : {}),
    vocab_size: tokenizer.vocabSize,
  });
  return { config, tokenizer };
}

async function exampleOf(
  base: Pick<LanguageModel, 'config' | 'tokenizer'>,
  line: ManifestLine,
  hash: ReturnType<typeof createHash>,
): Promise<MixedExample> {
  const { config, tokenizer } = base;
  const given = await readParts(line, {
    image: config.image_size ?? 1,
    sampleRate: config.audio?.sample_rate ?? 8000,
  });
  for (const x of [...given.images, ...given.sounds]) hash.update(new Uint8Array(x.buffer, x.byteOffset, x.byteLength));
  try {
    const parts = placeParts(base, line.prompt, given);
    const prompt = parts.map((p): MixedPart =>
      typeof p === 'object' && 'audio' in p ? { rows: audioRows(config, p.audio) } : p,
    );
    const tokens = readMixed(base, prompt).ids.length + tokenizer.encode(line.answer).length;
    if (tokens > config.max_position_embeddings) {
      throw new CairnError(
        'bad_manifest',
        `Expected at most ${config.max_position_embeddings} tokens, got ${tokens}.`,
        {
          hint: 'Shorten it, or raise max_position_embeddings in --config.',
        },
      );
    }
    return { prompt, answer: line.answer };
  } catch (error) {
    throw inLine(error, line.line);
  }
}

/** Room for any examples in a batch. */
function shapeOf(
  base: Pick<LanguageModel, 'config' | 'tokenizer'>,
  lines: readonly ManifestLine[],
  examples: readonly MixedExample[],
): MixedShape {
  const texts = examples.map(({ prompt }) => readMixed(base, prompt));
  const most = (count: (i: number) => number): number => Math.max(...examples.map((_, i) => count(i)));
  return {
    batch: BATCH,
    length: most((i) => texts[i]!.ids.length + base.tokenizer.encode(examples[i]!.answer).length) - 1,
    images: BATCH * Math.max(...lines.map((x) => x.images.length)),
    clips: BATCH * most((i) => texts[i]!.clips.length),
  };
}

/** How many are answered exactly, by the likeliest tokens. */
async function answered(model: LanguageModel, held: readonly MixedExample[]): Promise<number> {
  await using encoder = createMixedEncoder(model);
  let right = 0;
  for (const { prompt, answer } of held) {
    const maxTokens = model.tokenizer.encode(answer).length;
    const said = await generate(model, await encoder.encode(prompt), { maxTokens, temperature: 0 }).text();
    if (said === answer) right++;
  }
  return right;
}
