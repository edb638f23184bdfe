import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { quietIo } from '../_testing.ts';
import type { Command } from '../command.ts';
import { parseCommand } from '../command.ts';
import type { Io } from '../io.ts';
import { generate } from './generate.ts';
import { train } from './train.ts';

let folder: string;
const lines: string[] = [];
const ioOf = (json: boolean): Io => quietIo(folder, { json, progress: (line) => void lines.push(line) });
const run = (command: Command, argv: string[], json = true) => command.run(parseCommand(command, argv), ioOf(json));

interface Result {
  readonly text: string;
  readonly thought: string;
  readonly usage: { readonly input: number; readonly thinking: number; readonly output: number };
  readonly thinking: { readonly budget: number | 'dynamic'; readonly tokens: number; readonly reason: string };
}

const model: Record<string, string> = {};
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cairn-generate-'));
  const text = join(folder, 'sums.txt');
  const config = join(folder, 'small.json');
  await writeFile(text, Array.from({ length: 90 }, (_, i) => `${i}+1=<think>${i}</think>${i + 1}\n`).join(''));
  await writeFile(config, '{ "hidden_size": 32, "num_hidden_layers": 1, "max_position_embeddings": 32 }');
  for (const tokenizer of ['char', 'bpe', 'plain']) {
    model[tokenizer] = join(folder, tokenizer);
    const marks = tokenizer === 'plain' ? [] : ['--added-tokens', '<think> </think>'];
    const how = tokenizer === 'bpe' ? ['--tokenizer', 'bpe', '--vocabulary', '280'] : [];
    const rest = ['--config', config, '--steps', '3', '--out', model[tokenizer], ...how, ...marks];
    await run(train, ['lm', '--text', text, ...rest]);
  }
}, 60_000);
afterAll(() => rm(folder, { recursive: true }));

const ask = async (tokenizer: string, ...argv: string[]): Promise<Result> => {
  const { value } = await run(generate, ['--model', model[tokenizer]!, '--prompt', '3+1=', '--seed', '5', ...argv]);
  return value as Result;
};

describe.each(['char', 'bpe'])('a model of %s tokens with marks', (tokenizer) => {
  test.each([0, 1, 7])('thinks no more than %i tokens, and counts them', async (budget) => {
    const { thought, usage, thinking } = await ask(tokenizer, '--thinking', String(budget), '--tokens', '20');
    expect(thought.startsWith('<think>')).toBe(true);
    expect(thought.endsWith('</think>')).toBe(true);
    expect(thinking.tokens).toBeLessThanOrEqual(budget);
    expect(usage.thinking).toBe(thinking.tokens + 2);
    expect(usage.thinking + usage.output).toBe(20);
    if (budget === 0) expect(thought).toBe('<think></think>');
  });

  test('off is an empty thought; dynamic leaves the end to the model', async () => {
    expect(await ask(tokenizer, '--thinking', 'off')).toMatchObject({
      thought: '<think></think>',
      thinking: { budget: 0 },
    });
    const { usage, thinking } = await ask(tokenizer, '--thinking', 'dynamic', '--tokens', '1100');
    expect(thinking.budget).toBe('dynamic');
    expect(usage.thinking + usage.output).toBe(1100);
  });
});

test('the answer goes to stdout, the thought and the usage beside it', async () => {
  const out = vi.spyOn(process.stdout, 'write').mockReturnValue(true);
  const err = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
  try {
    const argv = ['--model', model['char']!, '--prompt', '3+1=', '--thinking', '4', '--tokens', '12'];
    const { value } = await run(generate, argv, false);
    const { text, thought } = value as Result;
    const written = (spy: typeof out): string => spy.mock.calls.map(([chunk]) => String(chunk)).join('');
    expect(written(out)).toBe(`3+1=${text}\n`);
    expect(written(err).trimEnd()).toBe(thought);
    expect(lines.at(-1)).toMatch(
      /^Usage: 4 tokens read, \d thought with both marks \(closed by the .*\), \d+ answered\.$/,
    );
  } finally {
    out.mockRestore();
    err.mockRestore();
  }
});

test('a stop text ends the answer before it', async () => {
  const whole = await ask('char', '--thinking', 'off');
  const stop = whole.text.slice(3, 5);
  const { text } = await ask('char', '--thinking', 'off', '--stop', stop.replaceAll('\n', '\\n'));
  expect(text).toBe(whole.text.slice(0, whole.text.indexOf(stop)));
});

test('what cannot be is said', async () => {
  await expect(ask('plain', '--thinking', '4')).rejects.toMatchObject({ code: 'no_thinking' });
  await expect(ask('char', '--thinking=-1')).rejects.toThrow('Expected --thinking with a number');
  await expect(ask('char', '--thinking', 'some')).rejects.toThrow('off or dynamic, got "some"');
  await expect(ask('char', '--thinking', '8', '--tokens', '10')).rejects.toThrow('Expected --tokens above 10');
});

test('a prompt longer than the context: its end is read, and how much was left out is said', async () => {
  const prompt = '12+1='.repeat(8); // 40 characters where 32 have room
  const argv = ['--model', model['plain']!, '--tokens', '3', '--prompt'];
  lines.length = 0;
  const { value } = await run(generate, [...argv, prompt]);
  expect(value).toMatchObject({ usage: { input: 32, leftOut: 8, output: 3 } });
  expect(lines).toContain("The prompt has 40 tokens and the model's context is 32: the first 8 were left out.");
  lines.length = 0;
  const short = await run(generate, [...argv, prompt.slice(-32)]);
  expect(short.value).toMatchObject({ usage: { leftOut: 0 }, text: (value as Result).text });
  expect(lines.join()).not.toContain('left out');
});
