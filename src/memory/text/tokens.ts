// From text to terms: Unicode words in lower case, stemmed, without stop words; numbers and dates in one written form each.
// Not the sentence splitter and not the vectors: a term is a string that equal meanings share as far as rules can tell.
import { dateTerms } from './dates.ts';
import { STOP_WORDS } from './_stop-words.ts';
import { stem } from './stem.ts';

/** Character 3-grams count this much beside a whole word. */
export const TRIGRAM_WEIGHT = 0.3;

const WORD = /[\p{L}\p{M}\p{N}]+(?:['’][\p{L}]+)?/gu;
const MOST_LETTERS = 64;

const NUMBER_WORDS = new Map(
  'zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen twenty'
    .split(' ')
    .map((word, n) => [word, String(n)] as const),
);

/** Words as they stand, lower case, without possessive endings; `at` is the offset in characters. */
export function words(text: string): { readonly word: string; readonly at: number }[] {
  const found: { word: string; at: number }[] = [];
  for (const match of text.matchAll(WORD)) {
    const word = match[0]
      .toLowerCase()
      .normalize('NFKC')
      .replace(/['’](s|ll|re|ve|d|m|t)?$/u, '')
      .replace(/['’]/gu, '');
    if (word.length > 0 && word.length <= MOST_LETTERS) found.push({ word, at: match.index });
  }
  return found;
}

/** The term of one word: its stem, or its number in digits; undefined for a stop word. */
export function termOf(word: string): string | undefined {
  if (STOP_WORDS.has(word)) return undefined;
  const number = NUMBER_WORDS.get(word) ?? /^(\d+)(?:st|nd|rd|th)?$/.exec(word)?.[1];
  if (number !== undefined) return `#${number.replace(/^0+(?=\d)/, '')}`;
  return stem(word);
}

/**
 * The terms of a text in order, repeated as they repeat. Dates that are written out add terms of their own.
 *
 * @example
 * terms('She painted two sunsets on 7 May 2023'); // ['paint', '#2', 'sunset', '#7', 'mai', '#2023', '@2023-05-07', …]
 */
export function terms(text: string): string[] {
  const found: string[] = [];
  for (const { word } of words(text)) {
    const term = termOf(word);
    if (term !== undefined) found.push(term);
  }
  found.push(...dateTerms(text));
  return found;
}

/** How often each term occurs. */
export function countTerms(list: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const term of list) counts.set(term, (counts.get(term) ?? 0) + 1);
  return counts;
}

/** The character 3-grams of a term with its ends marked; names and typos share most of them. */
export function trigrams(term: string): string[] {
  const marked = `^${term}$`;
  const found: string[] = [];
  for (let i = 0; i + 3 <= marked.length; i++) found.push(`~${marked.slice(i, i + 3)}`);
  return found;
}
