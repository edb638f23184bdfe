// Names and makes the directory of a training run: `runs/<date>-<words>` below the data directory.
import { existsSync, mkdirSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { CairnError } from '../errors.ts';
import { Rng } from '../tensor/index.ts';

const first = [
  'amber',
  'brisk',
  'calm',
  'clear',
  'early',
  'fern',
  'grey',
  'high',
  'keen',
  'late',
  'mild',
  'north',
  'pale',
  'quiet',
  'red',
  'slow',
  'stone',
  'warm',
];
const second = [
  'brook',
  'cairn',
  'crag',
  'dale',
  'drift',
  'fell',
  'field',
  'ford',
  'glen',
  'heath',
  'hill',
  'lake',
  'moor',
  'path',
  'pass',
  'ridge',
  'tarn',
  'vale',
];

/** A fresh run directory; the words depend on the time, so that runs of one day are told apart by ear. */
export function createRunDir(dataDir: string, at: Date): string {
  const rng = new Rng(`run:${at.getTime()}`);
  const day = at.toISOString().slice(0, 10);
  for (;;) {
    const dir = join(
      dataDir,
      'runs',
      `${day}-${first[rng.integer(first.length)]!}-${second[rng.integer(second.length)]!}`,
    );
    if (existsSync(dir)) continue;
    try {
      mkdirSync(dir, { recursive: true });
    } catch (cause) {
      throw new CairnError('data_dir', `Expected a data directory that can be written, got ${dataDir}.`, {
        hint: 'Choose another with --data.',
        cause,
      });
    }
    return dir;
  }
}

/** The newest run that holds a finished model, or undefined. */
export function newestRun(dataDir: string): string | undefined {
  const runs = join(dataDir, 'runs');
  if (!existsSync(runs)) return undefined;
  const done = readdirSync(runs)
    .map((name) => join(runs, name))
    .filter((dir) => existsSync(join(dir, 'model.safetensors')))
    .map((dir) => ({ dir, at: statSync(join(dir, 'model.safetensors')).mtimeMs }));
  return done.sort((a, b) => b.at - a.at)[0]?.dir;
}

/**
 * The newest run, for commands that take `--model DIR` instead.
 * @throws CairnError `no_model`
 */
export function expectRun(dataDir: string): string {
  const dir = newestRun(dataDir);
  if (dir !== undefined) return dir;
  throw new CairnError('no_model', `Expected a trained model below ${dataDir}, got none.`, {
    hint: 'Train one with `cairn train lm --text FILE`, or pass --model DIR.',
  });
}
