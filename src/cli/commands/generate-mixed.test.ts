// Pictures and sounds on the command line: an untrained model, whose answers depend on every number it is given.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { charTokenizer, createGray, toInk, withAddedTokens, writePng, writeWav } from '../../data/index.ts';
import {
  audioConfig,
  encodeMixed,
  generate as sample,
  type LanguageModel,
  lmConfig,
  type MixedPart,
  saveLm,
  weightPrograms,
} from '../../nn/index.ts';
import { createOrtExecutor, ModelState, type OrtExecutor, Rng } from '../../tensor/index.ts';
import { quietIo } from '../_testing.ts';
import { parseCommand } from '../command.ts';
import { generate } from './generate.ts';

let folder: string;
let executor: OrtExecutor;
let model: LanguageModel;
const rng = new Rng('pictures and sounds');
const image = createGray(12, 9, 255);
for (let i = 0; i < 30; i++) image.data[13 + rng.integer(80)] = rng.integer(200);
// What a file of 16 bits holds exactly.
const samples = Float32Array.from({ length: 4000 }, () => (rng.integer(20_000) - 10_000) / 32_768);
const path = (name: string): string => join(folder, name);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cairn-generate-mixed-'));
  executor = await createOrtExecutor({ threads: 1 });
  const tokenizer = withAddedTokens(charTokenizer('0123456789+='), ['<image>', '<audio>']);
  const base = lmConfig({
    vocab_size: tokenizer.vocabSize,
    hidden_size: 16,
    num_hidden_layers: 1,
    num_attention_heads: 2,
    max_position_embeddings: 64,
  });
  const sees = { image_token_id: tokenizer.added.get('<image>')!, image_size: 6, image_patch_size: 3 };
  const hears = { audio_token_id: tokenizer.added.get('<audio>')!, audio: audioConfig(), audio_rows: 8 };
  for (const [name, config] of Object.entries({ both: { ...base, ...sees, ...hears }, text: base })) {
    const state = new ModelState();
    for (const def of weightPrograms(config)) state.ensure(def, rng.fork('weights'));
    for (const key of state.names()) {
      const t = state.get(key);
      state.set(key, { ...t, data: t.data.map((x) => 6 * x) });
    }
    const made = { config, state, executor, tokenizer, generation: { temperature: 0 } };
    await saveLm(path(name), made);
    if (name === 'both') model = made;
  }
  await writeFile(path('picture.png'), writePng(image));
  await writeFile(path('sound.wav'), writeWav({ samples, sampleRate: 8000 }));
  await writeFile(path('not.png'), 'text');
});
afterAll(async () => {
  await executor.dispose();
  await rm(folder, { recursive: true });
});

const run = async (name: string, ...argv: string[]): Promise<{ text: string; usage: { input: number } }> => {
  const args = parseCommand(generate, ['--model', path(name), '--tokens', '12', ...argv]);
  const { value } = await generate.run(args, quietIo(folder, { json: true }));
  return value as { text: string; usage: { input: number } };
};
const wanted = async (...parts: MixedPart[]): Promise<string> =>
  sample(model, await encodeMixed(model, parts), { maxTokens: 12 }).text();
const files = (): string[] => ['--image', path('picture.png'), '--audio', path('sound.wav')];

test('files stand where their marks are, and after a prompt without', async () => {
  const [picture, sound] = [{ image: toInk(image, 6) }, { audio: samples }];
  const placed = await run('both', '--prompt', '<audio>+<image>=', ...files());
  expect(placed.text).toBe(await wanted(sound, '+', picture, '='));
  const after = await run('both', '--prompt', '1+1=', ...files());
  expect(after.text).toBe(await wanted('1+1=', picture, sound));
  const alone = await run('both', '--image', path('picture.png'));
  expect(alone.text).toBe(await wanted(picture));
  expect(alone.usage.input).toBe(4);
  expect((await run('both', '--prompt', '1=')).text).toBe(await wanted('1='));
  const answers = [placed.text, after.text, alone.text];
  expect(new Set(answers).size).toBe(answers.length);
});

test('what cannot be is said', async () => {
  const image = ['--image', path('picture.png')];
  await expect(run('text', '--prompt', '1', ...image)).rejects.toThrow(
    'Expected no pictures with a model that takes none',
  );
  await expect(run('text', '--audio', path('sound.wav'))).rejects.toThrow(
    'Expected no sounds with a model that takes none',
  );
  await expect(run('both', '--prompt', '<image>=', ...image, ...image)).rejects.toThrow('Expected 1 pictures');
  await expect(run('both', '--prompt', '<image>=')).rejects.toThrow('one for each <image> in the prompt, got 0');
  await expect(run('both', '--image', path('none.png'))).rejects.toMatchObject({ code: 'no_file' });
  await expect(run('both', '--image', path('not.png'))).rejects.toMatchObject({ code: 'unsupported_image' });
  await expect(run('both', '--audio', path('picture.png'))).rejects.toMatchObject({ code: 'bad_wav' });
});
