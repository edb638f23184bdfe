// `cairn generate`: samples from a trained language model, streaming the text as it comes.
import { resolve } from 'node:path';
import { CairnError } from '../../errors.ts';
import { generate as sample, loadLm } from '../../nn/index.ts';
import { createOrtExecutor } from '../../tensor/index.ts';
import type { Command } from '../command.ts';
import { newestRun } from '../run-dir.ts';

export const generate: Command = {
  name: 'generate',
  about: 'Sample text from a trained language model. The same seed gives the same text.',
  usage: 'generate [--model DIR] [--prompt TEXT] [--tokens N]',
  options: {
    model: { type: 'string', value: 'DIR', about: 'model directory (default: the newest run)' },
    prompt: { type: 'string', value: 'TEXT', about: 'text to continue (default: a newline)' },
    tokens: { type: 'number', about: 'how many to add (default 300)' },
    temperature: { type: 'number', about: '0 is greedy (default: of the model)' },
    'top-k': { type: 'number', about: 'keep the k most probable' },
    'top-p': { type: 'number', about: 'keep the smallest set with this mass' },
    'min-p': { type: 'number', about: 'keep what has at least this share of the largest probability' },
    'no-repeat': { type: 'number', about: 'no run of so many tokens comes twice' },
    stacks: {
      type: 'string',
      value: 'auto|threads|turn',
      about: 'how staggered stacks are decoded; the text is the same (default auto: on threads where that is faster)',
    },
    seed: { type: 'number', about: 'default 7' },
  },
  examples: ['cairn generate --prompt "ROMEO:" --temperature 0.8 --seed 3'],
  async run(args, io) {
    const dir = args.text('model') ?? newestRun(io.dataDir);
    if (dir === undefined) {
      throw new CairnError('no_model', `Expected a trained model below ${io.dataDir}, got none.`, {
        hint: 'Train one with `cairn train lm --text FILE`, or pass --model DIR.',
      });
    }
    const executor = await createOrtExecutor();
    try {
      const model = await loadLm(resolve(dir), executor);
      const prompt = args.text('prompt') ?? '\n';
      const setting = <K extends string>(
        key: K,
        option: string,
        low: number,
        high: number,
      ): Partial<Record<K, number>> => {
        const value = args.number(option, low, high);
        return value === undefined ? {} : ({ [key]: value } as Partial<Record<K, number>>);
      };
      const stacks = args.text('stacks') ?? 'auto';
      if (stacks !== 'auto' && stacks !== 'threads' && stacks !== 'turn') {
        throw new CairnError('usage', `Expected --stacks auto, threads or turn, got "${stacks}".`);
      }
      const started = performance.now();
      const run = sample(model, prompt, {
        parallel: stacks === 'auto' ? stacks : stacks === 'threads',
        maxTokens: args.number('tokens', 1, 1e6) ?? 300,
        seed: args.number('seed') ?? 7,
        signal: io.signal,
        ...setting('temperature', 'temperature', 0, 100),
        ...setting('topK', 'top-k', 1, 1e6),
        ...setting('topP', 'top-p', 1e-6, 1),
        ...setting('minP', 'min-p', 0, 1),
        ...setting('noRepeatNgram', 'no-repeat', 1, 1e6),
      });
      if (!io.json) {
        process.stdout.write(prompt.trimStart());
        for await (const { text } of run) process.stdout.write(text);
        process.stdout.write('\n');
      }
      const end = await run.end();
      const seconds = (performance.now() - started) / 1000;
      const { output } = end.usage;
      const how = end.stacks
        ? `, stacks ${end.stacks.mode === 'parallel' ? 'on a thread each' : 'one after another'}`
        : '';
      io.progress(`${output} tokens, ${Math.round(output / seconds)} a second${how}`);
      if (end.stacks?.fallback !== undefined) io.progress(`Decoded without threads: ${end.stacks.fallback}`);
      return { value: { model: resolve(dir), prompt, ...end, seconds }, text: '' };
    } finally {
      await executor.dispose();
    }
  },
};
