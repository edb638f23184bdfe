// `cairn generate`: samples from a trained language model, streaming the text as it comes.
import { resolve } from 'node:path';
import { CairnError } from '../../errors.ts';
import type { Tokenizer } from '../../data/index.ts';
import {
  encodeMixed,
  type Generation,
  generate as sample,
  type GenerationEnd,
  hasSoft,
  type LanguageModel,
  loadLm,
  placeParts,
  thinkingLimit,
  thinkingMarks,
  type ThinkingOptions,
  type ThoughtEnd,
} from '../../nn/index.ts';
import { createOrtExecutor } from '../../tensor/index.ts';
import type { Args, Command } from '../command.ts';
import type { Io } from '../io.ts';
import { readPicture, readSound } from '../read-file.ts';
import { expectRun } from '../run-dir.ts';

export const generate: Command = {
  name: 'generate',
  about: 'Sample text from a trained language model. The same seed gives the same text.',
  usage: 'generate [--model DIR] [--prompt TEXT] [--tokens N]',
  options: {
    model: { type: 'string', value: 'DIR', about: 'model directory (default: the newest run)' },
    prompt: {
      type: 'string',
      value: 'TEXT',
      about: 'text to continue (default: a newline, or nothing but --image and --audio)',
    },
    image: {
      type: 'string',
      value: 'FILE',
      multiple: true,
      about:
        'a PNG where the prompt has the mark of pictures, <image> for example, or after the prompt; scaled to the model',
    },
    audio: { type: 'string', value: 'FILE', multiple: true, about: 'a WAV in the same way, where its mark is' },
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
    thinking: {
      type: 'string',
      value: 'BUDGET|off|dynamic',
      about:
        'think first, between <think> and </think>: at most BUDGET tokens, none (off), or until the model is done (dynamic, at most 1024)',
    },
    stop: {
      type: 'string',
      value: 'TEXT',
      multiple: true,
      about: 'end before this text in the answer; \\n is a newline',
    },
    seed: { type: 'number', about: 'default 7' },
  },
  examples: [
    'cairn generate --prompt "31415=" --thinking 16 --stop "\\n"',
    'cairn generate --prompt "ROMEO:" --temperature 0.8 --seed 3',
    'cairn generate --model DIR --prompt "<image>+<audio>=" --image three.png --audio four.wav --tokens 1',
  ],
  async run(args, io) {
    const dir = args.text('model') ?? expectRun(io.dataDir);
    const executor = await createOrtExecutor();
    try {
      const model = await loadLm(resolve(dir), executor);
      const given = await givenParts(model, args);
      const some = given.images.length + given.sounds.length > 0;
      const prompt = args.text('prompt') ?? (some ? '' : '\n');
      const mixed = some || hasSoft(model.config) ? await encodeMixed(model, placeParts(model, prompt, given)) : prompt;
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
      const ends: ThoughtEnd[] = [];
      const thinking = thinkingOf(args.text('thinking'), model.tokenizer, (end) => ends.push(end));
      const limit = thinking && thinkingLimit(thinking) + 2;
      const tokens = args.number('tokens', 1, 1e6);
      if (limit !== undefined && tokens !== undefined && tokens <= limit) {
        throw new CairnError('usage', `Expected --tokens above ${limit} with --thinking, got ${tokens}.`, {
          hint: 'They are for the thought, its two marks and the answer together.',
        });
      }
      const started = performance.now();
      const run = sample(model, mixed, {
        parallel: stacks === 'auto' ? stacks : stacks === 'threads',
        maxTokens: tokens ?? 300 + (limit ?? 0),
        frozen: true,
        seed: args.number('seed') ?? 7,
        signal: io.signal,
        stop: args.list('stop').map((text) => text.replaceAll('\\n', '\n')),
        ...(thinking ? { thinking } : {}),
        ...setting('temperature', 'temperature', 0, 100),
        ...setting('topK', 'top-k', 1, 1e6),
        ...setting('topP', 'top-p', 1e-6, 1),
        ...setting('minP', 'min-p', 0, 1),
        ...setting('noRepeatNgram', 'no-repeat', 1, 1e6),
      });
      if (run.leftOut > 0) {
        const context = model.config.max_position_embeddings;
        io.progress(
          `The prompt has ${run.leftOut + context} tokens and the model's context is ${context}: the first ${run.leftOut} were left out.`,
        );
      }
      if (!io.json) {
        process.stdout.write(prompt.trimStart());
        await write(run, io);
        process.stdout.write('\n');
      }
      const end = await run.end();
      const seconds = (performance.now() - started) / 1000;
      const made = end.usage.output + end.usage.thinking;
      const how = end.stacks
        ? `, stacks ${end.stacks.mode === 'parallel' ? 'on a thread each' : 'one after another'}`
        : '';
      io.progress(`${made} tokens, ${Math.round(made / seconds)} a second${how}`);
      if (thinking) io.progress(usageLine(end, ends[0]));
      if (end.stacks?.fallback !== undefined) io.progress(`Decoded without threads: ${end.stacks.fallback}`);
      const thoughtEnd = thinking ? { thinking: { budget: thinking.budget, ...ends[0] } } : {};
      return { value: { model: resolve(dir), prompt, ...end, ...thoughtEnd, seconds }, text: '' };
    } finally {
      await executor.dispose();
    }
  },
};

/** The files of `--image` and `--audio` as the model takes them. @throws CairnError `no_file`, or that of a bad file */
async function givenParts(
  { config }: LanguageModel,
  args: Args,
): Promise<{ images: Float32Array[]; sounds: Float32Array[] }> {
  const images: Float32Array[] = [];
  const sounds: Float32Array[] = [];
  for (const file of args.list('image')) {
    images.push(await readPicture(resolve(file), config.image_size ?? 1)); // a model that sees none is refused where it would stand
  }
  for (const file of args.list('audio')) {
    sounds.push(await readSound(resolve(file), config.audio?.sample_rate));
  }
  return { images, sounds };
}

/** What `--thinking` asks for. @throws CairnError `usage`, or `no_thinking` for a model that cannot */
function thinkingOf(
  asked: string | undefined,
  tokenizer: Tokenizer,
  onEnd: (end: ThoughtEnd) => void,
): ThinkingOptions | undefined {
  if (asked === undefined) return undefined;
  const budget =
    asked === 'dynamic' ? asked : asked === 'off' ? 0 : /^\d{1,6}$/.test(asked) ? Number(asked) : undefined;
  if (budget === undefined) {
    throw new CairnError('usage', `Expected --thinking with a number of tokens, off or dynamic, got "${asked}".`);
  }
  const marks = thinkingMarks(tokenizer);
  if (marks === undefined) {
    throw new CairnError('no_thinking', 'Expected a model with the tokens <think> and </think>, got one without.', {
      hint: 'Train on a text with thoughts in it: cairn train lm --text FILE --added-tokens "<think> </think>".',
    });
  }
  return { budget, ...marks, onEnd };
}

/** The answer on stdout as it comes; the thought beside it on stderr, so that a pipe gets the answer alone. */
async function write(run: Generation, io: Io): Promise<void> {
  let written = 0;
  let open = false;
  for await (const { text, thought } of run) {
    if (!thought) {
      if (open && !process.stderr.isTTY) process.stderr.write('\n');
      open = false;
      process.stdout.write(text);
      written += text.length;
    } else if (!io.quiet) {
      process.stderr.write(io.color ? `\u001b[2m${text}\u001b[22m` : text);
      open = true;
    }
  }
  // What was held back as the possible beginning of a stop text.
  process.stdout.write((await run.end()).text.slice(written));
}

/** What was read, thought and answered, and who ended the thought. */
function usageLine({ usage }: GenerationEnd, thought: ThoughtEnd | undefined): string {
  const closed = !thought
    ? 'not closed before the tokens were spent'
    : thought.reason === 'closed'
      ? 'closed by the model'
      : `closed by the budget, the model gave that ${(100 * thought.closeProbability).toFixed(1)} %`;
  return `Usage: ${usage.input} tokens read, ${usage.thinking} thought with both marks (${closed}), ${usage.output} answered.`;
}
