// Streams to grow on: periodic, random, and commands and sentences from small grammars; and those of the data folder, if given.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Rng } from 'cairn/tensor';

export function periodic(period: number, length: number): number[] {
  return Array.from({ length }, (_, i) => i % period);
}

export function random(rng: Rng, letters: number, length: number): number[] {
  return Array.from({ length }, () => rng.integer(letters));
}

/** A command of a small language: actions, directions, repetition, joined by "and" or "after". */
export function command(rng: Rng): string[] {
  const pick = <T>(items: readonly T[]): T => items[rng.integer(items.length)]!;
  const phrase = (): string[] => {
    const verb = pick(['walk', 'look', 'run', 'jump', 'turn']);
    const way = verb === 'turn' || rng.bernoulli(0.7) ? [pick(['left', 'right'])] : [];
    const manner = way.length > 0 && rng.bernoulli(0.5) ? [pick(['around', 'opposite'])] : [];
    const times = rng.bernoulli(0.6) ? [pick(['twice', 'thrice'])] : [];
    return [verb, ...manner, ...way, ...times];
  };
  return rng.bernoulli(0.7) ? [...phrase(), pick(['and', 'after']), ...phrase()] : phrase();
}

const WORDS = {
  noun: ['river', 'stone', 'garden', 'window', 'mountain', 'letter', 'harbour', 'forest', 'lantern', 'winter'],
  verb: ['found', 'carried', 'watched', 'forgot', 'followed', 'painted', 'covered', 'remembered'],
  adjective: ['old', 'quiet', 'golden', 'broken', 'distant', 'narrow'],
  name: ['Anna', 'Peter', 'Clara', 'Oliver'],
} as const;

/** Text of made-up sentences, at least `characters` long. */
export function sentences(rng: Rng, characters: number): string {
  const pick = (kind: keyof typeof WORDS): string => WORDS[kind][rng.integer(WORDS[kind].length)]!;
  const thing = (): string => `the ${rng.bernoulli(0.4) ? `${pick('adjective')} ` : ''}${pick('noun')}`;
  let text = '';
  while (text.length < characters) {
    const who = rng.bernoulli(0.5) ? pick('name') : thing();
    const tail = rng.bernoulli(0.3)
      ? ` and ${pick('verb')} ${thing()}`
      : rng.bernoulli(0.3)
        ? ` beside ${thing()}`
        : '';
    text += `${who} ${pick('verb')} ${thing()}${tail}. `;
  }
  return text;
}

/** Commands of the SCAN set, in random order; undefined without the file. */
export function scanCommands(data: string | undefined, rng: Rng, count: number): string[][] | undefined {
  const path = data === undefined ? undefined : join(data, 'memory', 'scan', 'tasks.txt');
  if (path === undefined || !existsSync(path)) return undefined;
  const lines = readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('IN: '));
  return rng
    .shuffle(lines)
    .slice(0, count)
    .map((line) => line.slice(4, line.indexOf(' OUT:')).split(' '));
}

/** A stretch of English text; undefined without the file. */
export function english(data: string | undefined, rng: Rng, characters: number): string | undefined {
  const path = data === undefined ? undefined : join(data, 'text', 'tinyshakespeare.txt');
  if (path === undefined || !existsSync(path)) return undefined;
  const text = readFileSync(path, 'utf8');
  const from = rng.integer(Math.max(1, text.length - characters));
  return text.slice(from, from + characters);
}
