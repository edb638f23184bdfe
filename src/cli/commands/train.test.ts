import { mkdtemp, rm, writeFile } from 'node:fs/promises';
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
  expect(value).toMatchObject({ k: 4, tokens: teacher.header.tokens, file });
  expect(line).toContain(`${teacher.header.tokens} tokens, the 4 likeliest`);
  const student = await run('lm', '--text', text, '--steps', '2', '--teacher', file, '--alpha', '0.1');
  expect(student.value).toMatchObject({ steps: 2 });
  const other = join(folder, 'other.txt');
  await writeFile(other, 'another text about a horse and a house, with other words. '.repeat(20));
  await expect(run('lm', '--text', other, '--steps', '2', '--teacher', file)).rejects.toThrow('about the same text');
  await expect(run('teacher', '--text', text)).rejects.toThrow('--out FILE');
}, 60_000);
