// Training on pictures and sounds from the command line: what is learned, what a stop leaves behind, and what is wrong with a list.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createGray, writePng, writeWav } from '../../data/index.ts';
import { Rng } from '../../tensor/index.ts';
import { quietIo } from '../_testing.ts';
import type { Command } from '../command.ts';
import { parseCommand } from '../command.ts';
import type { Io } from '../io.ts';
import { generate } from './generate.ts';
import { train } from './train.ts';

let folder: string;
const path = (name: string): string => join(folder, name);
const run = async <T>(command: Command, argv: string[], io: Partial<Io> = {}): Promise<T> =>
  (await command.run(parseCommand(command, argv), quietIo(folder, { json: true, ...io }))).value as T;
const mixed = (list: string, out: string, ...argv: string[]): string[] => [
  'mixed',
  '--examples',
  path(list),
  '--config',
  path('small.json'),
  '--out',
  path(out),
  ...argv,
];
const save = (name: string, lines: readonly object[]): Promise<void> =>
  writeFile(path(name), lines.map((x) => JSON.stringify(x)).join('\n'));

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cairn-train-mixed-'));
  const rng = new Rng(11);
  const lines: object[] = [];
  for (let i = 0; i < 60; i++) {
    const answer = '-|'[i % 2]!;
    const [row, column] = [rng.integer(8), rng.integer(8)];
    const image = createGray(8, 8, 255);
    for (let k = 0; k < 8; k++) image.data[answer === '-' ? row * 8 + k : k * 8 + column] = 0;
    await writeFile(path(`${i}.png`), writePng(image));
    lines.push({ prompt: '<image>=', images: [`${i}.png`], answer });
  }
  const samples = Float32Array.from({ length: 3000 }, (_, i) => 0.5 * Math.sin(i / 3));
  await writeFile(path('tone.wav'), writeWav({ samples, sampleRate: 8000 }));
  await save('lines.jsonl', lines);
  await save('both.jsonl', [
    ...lines.slice(0, 4),
    { prompt: '<audio> and <image>?', images: ['1.png'], audio: ['tone.wav'], answer: 'a tone' },
  ]);
  const shape = { hidden_size: 16, num_hidden_layers: 1, num_attention_heads: 2, max_position_embeddings: 32 };
  await writeFile(path('small.json'), JSON.stringify({ ...shape, image_size: 8, image_patch_size: 4 }));
});
afterAll(() => rm(folder, { recursive: true }));

test('what the pictures show is learned, and pictures that were held out are named', async () => {
  const report = await run<{ heldOut: { right: number; of: number } }>(
    train,
    mixed('lines.jsonl', 'sees', '--steps', '150', '--rate', '0.01'),
  );
  expect(report.heldOut.of).toBe(6);
  expect(report.heldOut.right).toBeGreaterThanOrEqual(5);
  const argv = ['--model', path('sees'), '--prompt', '<image>=', '--tokens', '1', '--image'];
  expect((await run<{ text: string }>(generate, [...argv, path('2.png')])).text).toBe('-');
  expect((await run<{ text: string }>(generate, [...argv, path('3.png')])).text).toBe('|');
}, 60_000);

test('stopped and resumed, the weights are those of an undisturbed run, bit for bit; another list is refused', async () => {
  await run(train, mixed('both.jsonl', 'whole', '--steps', '8'));
  const stop = new AbortController();
  let reports = 0;
  const status = (): void => {
    if (++reports === 3) stop.abort();
  };
  const stopped = run(train, mixed('both.jsonl', 'parts', '--steps', '8'), { signal: stop.signal, status });
  await expect(stopped).rejects.toMatchObject({ code: 'aborted', hint: expect.stringContaining('--resume') });
  const other = run(train, mixed('lines.jsonl', 'parts', '--steps', '8', '--resume'));
  await expect(other).rejects.toThrow(/checkpoint/i);
  await run(train, mixed('both.jsonl', 'parts', '--steps', '8', '--resume'));
  const [whole, parts] = await Promise.all(
    ['whole', 'parts'].map((dir) => readFile(join(path(dir), 'model.safetensors'))),
  );
  expect(whole!.equals(parts!)).toBe(true);
}, 60_000);

const good = { prompt: '<image>=', images: ['0.png'], answer: '-' };
test.each([
  ['not JSON', '{ "prompt": ', 'bad_manifest', 'in line 2'],
  ['no answer', { prompt: '<image>=', images: ['0.png'] }, 'bad_manifest', 'as `answer` in line 2, got none'],
  ['an unknown key', { ...good, image: '0.png' }, 'bad_manifest', 'in line 2, got `image`'],
  ['paths that are none', { ...good, images: '0.png' }, 'bad_manifest', 'as `images` in line 2'],
  ['nothing to ask', { answer: '-' }, 'bad_manifest', 'something to ask in line 2'],
  ['a missing file', { ...good, images: ['gone.png'] }, 'no_file', 'of line 2'],
  ['no picture', { ...good, images: ['small.json'] }, undefined, 'small.json of line 2'],
  ['no sound', { prompt: '<audio>', audio: ['0.png'], answer: 'x' }, undefined, '0.png of line 2'],
  ['more marks than files', { ...good, prompt: '<image><image>' }, 'bad_soft', 'Expected 2 pictures'],
  ['too long', { ...good, prompt: `<image>${'='.repeat(40)}` }, 'bad_manifest', 'at most 32 tokens'],
])('%s is refused with its line', async (_, line, code, message) => {
  await writeFile(
    path('bad.jsonl'),
    `${JSON.stringify(good)}\n${typeof line === 'string' ? line : JSON.stringify(line)}`,
  );
  const work = run(train, mixed('bad.jsonl', 'never'));
  await expect(work).rejects.toThrow(message);
  await expect(work).rejects.toMatchObject({ ...(code === undefined ? {} : { code }), details: { line: 2 } });
});

test('text alone, an empty list, no list', async () => {
  await save('text.jsonl', [
    { prompt: 'a', answer: 'b' },
    { prompt: 'b', answer: 'c' },
  ]);
  await expect(run(train, mixed('text.jsonl', 'never'))).rejects.toMatchObject({
    code: 'bad_manifest',
    hint: 'Use `cairn train lm` for text alone.',
  });
  await writeFile(path('empty.jsonl'), '\n\n');
  await expect(run(train, mixed('empty.jsonl', 'never'))).rejects.toThrow('at least two examples');
  await expect(run(train, mixed('gone.jsonl', 'never'))).rejects.toMatchObject({ code: 'no_file' });
  await expect(run(train, ['mixed'])).rejects.toMatchObject({ code: 'usage' });
});
