import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openTeacher } from '../../nn/index.ts';
import { quietIo } from '../_testing.ts';
import { parseCommand } from '../command.ts';
import type { Io } from '../io.ts';
import { train } from './train.ts';

let folder: string;
let io: Io;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cairn-train-'));
  io = quietIo(folder);
});
afterAll(() => rm(folder, { recursive: true }));

const run = (...argv: string[]) => train.run(parseCommand(train, argv), io);

it('a trained model writes what it teaches, and a student learns from the file', async () => {
  const [text, file] = [join(folder, 'text.txt'), join(folder, 'teacher.bin')];
  await writeFile(text, 'the cat sat on the mat; the dog sat on the log. '.repeat(20));
  await run('lm', '--text', text, '--steps', '2');
  const { value, text: line } = await run('teacher', '--text', text, '--out', file, '--k', '4');
  using teacher = openTeacher(file);
  expect(value).toMatchObject({ k: 4, kept: 'drawn', tokens: teacher.header.tokens, file });
  expect(line).toContain(`${teacher.header.tokens} tokens, 4 drawn of`);
  const student = await run('lm', '--text', text, '--steps', '2', '--teacher', file, '--alpha', '0.1');
  expect(student.value).toMatchObject({ steps: 2 });
  const other = join(folder, 'other.txt');
  await writeFile(other, 'another text about a horse and a house, with other words. '.repeat(20));
  await expect(run('lm', '--text', other, '--steps', '2', '--teacher', file)).rejects.toThrow('about the same text');
  await expect(run('teacher', '--text', text)).rejects.toThrow('--out FILE');
  await expect(run('teacher', '--text', text, '--out', file, '--kept', 'some')).rejects.toThrow('drawn or likeliest');
}, 60_000);

it.each([
  ['{ "hidden_sise": 64 }', 'config.json, got `hidden_sise`.', 'Did you mean `hidden_size`?'],
  [
    '{ "vocab_size": 12 }',
    "Expected key `vocab_size` of config.json to be the tokenizer's 266, got 12.",
    'Leave it out',
  ],
  ['{ "model_type": "cairn_asr" }', 'Expected key `model_type` of config.json to be "cairn_lm"', 'Leave it out'],
  ['{ "stag_shared": true }', 'Expected key `stag_num_stacks` of config.json to be at least 2', 'Correct one'],
])('settings %s are refused, and it is said why', async (json, message, hint) => {
  const [text, config] = [join(folder, 'text.txt'), join(folder, 'bad.json')];
  await writeFile(text, 'abcdefghij'.repeat(40));
  await writeFile(config, json);
  const failed = await run('lm', '--text', text, '--config', config, '--steps', '1').catch((error: unknown) => error);
  expect(failed).toMatchObject({ code: 'bad_config', hint: expect.stringContaining(hint) });
  expect(String(failed)).toContain(message);
});

it('the command on the card makes the same model again', async () => {
  const [text, config, dir, again] = ['sums.txt', 'altup.json', 'first', 'second'].map((name) => join(folder, name));
  await writeFile(text!, '1+1=<a>2\n'.repeat(60));
  await writeFile(
    config!,
    '{ "hidden_size": 32, "num_hidden_layers": 1, "max_position_embeddings": 16, "altup_num_inputs": 2 }',
  );
  const flags = ['--tokenizer', 'bpe', '--vocabulary', '258', '--added-tokens', '<a>', '--rate', '0.01'];
  await run('lm', '--text', text!, '--steps', '2', '--config', config!, '--out', dir!, ...flags);
  const record = JSON.parse(await readFile(join(dir!, 'training.json'), 'utf8')) as { command: string };
  expect(record.command).toBe(
    'cairn train lm --seed 7 --steps 2 --tokenizer bpe --vocabulary 258 --added-tokens "<a>" --config config.json --rate 0.01',
  );
  await run('lm', '--text', text!, '--steps', '2', '--config', join(dir!, 'config.json'), '--out', again!, ...flags);
  const weights = await Promise.all([dir!, again!].map((d) => readFile(join(d, 'model.safetensors'))));
  expect(weights[0]!.equals(weights[1]!)).toBe(true);
});

it('a learning rate that is far too large ends the run, and says where', async () => {
  const [text, config, dir] = ['plain.txt', 'wild.json', 'wild'].map((name) => join(folder, name));
  await writeFile(text!, 'the quick brown fox jumps over the lazy dog. '.repeat(40));
  await writeFile(
    config!,
    '{ "hidden_size": 32, "num_hidden_layers": 1, "max_position_embeddings": 16, "qk_norm": false }',
  );
  const failed = await run(
    'lm',
    '--text',
    text!,
    '--steps',
    '200',
    '--config',
    config!,
    '--out',
    dir!,
    '--rate',
    '1e8',
  ).catch((error: unknown) => error);
  expect(failed).toMatchObject({ code: 'diverged', hint: expect.stringContaining('rate') });
  expect(String(failed)).toMatch(/step \d+.*`[\w. ]+`/);
  expect((await readFile(join(dir!, 'checkpoint.safetensors'))).length).toBeGreaterThan(1000);
});
