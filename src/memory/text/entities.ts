// Entities of a text without a model: capitalised names, quoted titles, dates, code identifiers, and speakers. Each becomes a
// component of its event, so that two turns which name the same thing are joined by an exact key.
import { findDates } from './dates.ts';
import { STOP_WORDS } from './_stop-words.ts';

export const entityKinds = ['name', 'quote', 'date', 'code', 'speaker'] as const;
export type EntityKind = (typeof entityKinds)[number];

export interface TextEntity {
  readonly kind: EntityKind;
  /** Normalised: equal entities are equal strings. */
  readonly name: string;
}

const MOST = 16;
const NAME =
  /(?<![\p{L}\p{N}_.`])\p{Lu}[\p{L}\p{M}'’-]*(?:\s+(?:(?:of|the|and|de|van|von|la)\s+)?\p{Lu}[\p{L}\p{M}'’-]*)*/gu;
const QUOTE = /"([^"\n]{2,80})"|“([^”\n]{2,80})”|«([^»\n]{2,80})»/gu;
const CODE =
  /`([^`\n]{1,80})`|\b[A-Za-z_]\w*(?:(?:\.|::|->)[A-Za-z_]\w*)+\(?|\b[a-z]+(?:[A-Z][a-z0-9]+)+\b|\b\w+_\w+\b/gu;

/**
 * The entities of a text in order of their first place, each once, at most 16.
 *
 * @example
 * findEntities('Mel read "Nothing is Impossible" in June 2022.'); // name mel, quote nothing is impossible, date 2022-06
 */
export function findEntities(text: string, speaker?: string): TextEntity[] {
  const found = new Map<string, TextEntity & { readonly at: number }>();
  const add = (kind: EntityKind, raw: string, at: number): void => {
    const name = normalise(raw);
    if (name.length < 2 || found.has(`${kind} ${name}`)) return;
    found.set(`${kind} ${name}`, { kind, name, at });
  };
  // What is inside a quotation, a date or code is no name of its own.
  const taken: (readonly [number, number])[] = [];
  if (speaker !== undefined) add('speaker', speaker, -1);
  for (const match of text.matchAll(QUOTE)) {
    const inner = match[1] ?? match[2] ?? match[3]!;
    add('quote', inner.replace(/[,.!?]+$/, ''), match.index);
    taken.push([match.index, match.index + match[0].length]);
  }
  for (const match of text.matchAll(CODE)) {
    add('code', match[1] ?? match[0].replace(/\($/, ''), match.index);
    taken.push([match.index, match.index + match[0].length]);
  }
  for (const date of findDates(text)) {
    add('date', date.iso, date.start);
    taken.push([date.start, date.end]);
  }
  for (const match of text.matchAll(NAME)) {
    if (taken.some(([from, to]) => match.index >= from && match.index < to)) continue;
    const parts = match[0].split(/\s+/);
    // The first word of a sentence is capitalised whatever it is: it counts only with another or when it is no plain word.
    if (startsSentence(text, match.index)) {
      while (parts.length > 0 && isPlain(parts[0]!)) parts.shift();
      if (parts.length === 1 && parts[0] === match[0]) continue;
    }
    while (parts.length > 0 && STOP_WORDS.has(normalise(parts[0]!).replace(/['’].*$/, ''))) parts.shift();
    if (parts.length > 0) add('name', parts.join(' ').replace(/['’]s?$/u, ''), match.index);
  }
  return [...found.values()]
    .sort((a, b) => a.at - b.at)
    .slice(0, MOST)
    .map(({ kind, name }) => ({ kind, name }));
}

function startsSentence(text: string, at: number): boolean {
  return /(?:^|[.!?…:]["'”’)]*\s+|\n\s*)["'“‘(*_#>-]*\s*$/u.test(text.slice(Math.max(0, at - 8), at));
}

function isPlain(word: string): boolean {
  return STOP_WORDS.has(word.toLowerCase().replace(/['’].*$/, '')) || GREETINGS.has(word.toLowerCase());
}

const GREETINGS = new Set(
  'hey hi hello wow yeah yes thanks thank oh ok okay well sure great cool so and but also no'.split(' '),
);

function normalise(text: string): string {
  return text.normalize('NFKC').toLowerCase().replace(/\s+/g, ' ').trim();
}
