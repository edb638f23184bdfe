// The stem of an English word: irregular forms by a table, regular ones by the suffix rules of M. F. Porter, "An algorithm
// for suffix stripping" (1980). Not a lemmatiser: stems are keys that related forms share, not words of a dictionary.
import { IRREGULAR } from './_irregular.ts';

const CONSONANT = '[^aeiou]';
const VOWEL = '[aeiouy]';
const C = `${CONSONANT}[^aeiouy]*`;
const V = `${VOWEL}[aeiou]*`;
const MEASURE_1 = new RegExp(`^(?:${C})?${V}${C}`);
const MEASURE_EQ_1 = new RegExp(`^(?:${C})?${V}${C}(?:${V})?$`);
const MEASURE_2 = new RegExp(`^(?:${C})?${V}${C}${V}${C}`);
const HAS_VOWEL = new RegExp(`^(?:${C})?${VOWEL}`);
const SHORT = new RegExp(`^${C}${VOWEL}[^aeiouwxy]$`);
const DOUBLE = /([^aeiouylsz])\1$/;

const STEP_2: readonly (readonly [string, string])[] = [
  ['ational', 'ate'],
  ['tional', 'tion'],
  ['enci', 'ence'],
  ['anci', 'ance'],
  ['izer', 'ize'],
  ['bli', 'ble'],
  ['alli', 'al'],
  ['entli', 'ent'],
  ['eli', 'e'],
  ['ousli', 'ous'],
  ['ization', 'ize'],
  ['ation', 'ate'],
  ['ator', 'ate'],
  ['alism', 'al'],
  ['iveness', 'ive'],
  ['fulness', 'ful'],
  ['ousness', 'ous'],
  ['aliti', 'al'],
  ['iviti', 'ive'],
  ['biliti', 'ble'],
  ['logi', 'log'],
];

const STEP_3: readonly (readonly [string, string])[] = [
  ['icate', 'ic'],
  ['ative', ''],
  ['alize', 'al'],
  ['iciti', 'ic'],
  ['ical', 'ic'],
  ['ful', ''],
  ['ness', ''],
];

const STEP_4 = /^(.+?)(al|ance|ence|er|ic|able|ible|ant|ement|ment|ent|ou|ism|ate|iti|ous|ive|ize|(?<=[st])ion)$/;

const known = new Map<string, string>();

/**
 * The stem of a lower-case word. Words of other scripts, short words and words with digits are returned as they are.
 *
 * @example
 * stem('paintings') === stem('painted'); // true
 * stem('went'); // 'go'
 */
export function stem(word: string): string {
  const cached = known.get(word);
  if (cached !== undefined) return cached;
  const made = stemOf(word);
  if (known.size > 65_536) known.clear();
  known.set(word, made);
  return made;
}

function stemOf(word: string): string {
  const regular = IRREGULAR.get(word) ?? word;
  if (regular.length < 3 || !/^[a-z]+$/.test(regular)) return regular;
  // A leading y is a consonant; it is marked so that the patterns need not know.
  let w = regular.startsWith('y') ? `Y${regular.slice(1)}` : regular;
  w = plural(w);
  w = pastOrPresent(w);
  if (w.endsWith('y') && HAS_VOWEL.test(w.slice(0, -1))) w = `${w.slice(0, -1)}i`;
  w = mapped(w, STEP_2);
  w = mapped(w, STEP_3);
  const suffix = STEP_4.exec(w);
  if (suffix !== null && MEASURE_2.test(suffix[1]!)) w = suffix[1]!;
  if (w.endsWith('e')) {
    const rest = w.slice(0, -1);
    if (MEASURE_2.test(rest) || (MEASURE_EQ_1.test(rest) && !SHORT.test(rest))) w = rest;
  }
  if (w.endsWith('ll') && MEASURE_2.test(w)) w = w.slice(0, -1);
  return w.toLowerCase();
}

function plural(w: string): string {
  if (w.endsWith('sses') || w.endsWith('ies')) return w.slice(0, -2);
  return w.endsWith('s') && !w.endsWith('ss') ? w.slice(0, -1) : w;
}

function pastOrPresent(w: string): string {
  if (w.endsWith('eed')) return MEASURE_1.test(w.slice(0, -3)) ? w.slice(0, -1) : w;
  const match = /^(.+?)(ed|ing)$/.exec(w);
  if (match === null || !HAS_VOWEL.test(match[1]!)) return w;
  const rest = match[1]!;
  if (/(at|bl|iz)$/.test(rest)) return `${rest}e`;
  if (DOUBLE.test(rest)) return rest.slice(0, -1);
  return SHORT.test(rest) ? `${rest}e` : rest;
}

/** Replaces the first suffix of the table that the word ends with, when enough of the word stands before it. */
function mapped(w: string, table: readonly (readonly [string, string])[]): string {
  for (const [suffix, by] of table) {
    if (!w.endsWith(suffix)) continue;
    const rest = w.slice(0, -suffix.length);
    return MEASURE_1.test(rest) ? rest + by : w;
  }
  return w;
}
