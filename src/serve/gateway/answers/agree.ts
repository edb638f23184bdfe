// Whether two answers say the same, as far as words tell: strict on purpose, so that a rate of false hits counted with it is
// rather too high than too low. A paraphrase in other words counts as another answer. Not a judge of meaning.
import { numbersOf } from './request-key.ts';

/** Shorter answers must be equal word by word. */
const SHORT = 8;

/**
 * True when both texts have the same words in the same numbers, up to a share `agreement` (F1 of their words), and the same
 * numbers; short texts must be equal but for case, spaces and punctuation at the ends.
 * @example
 * answersAgree('Yes.', 'yes', 0.8); // true
 * answersAgree('It is 12 km.', 'It is 13 km.', 0.8); // false
 */
export function answersAgree(a: string, b: string, agreement: number): boolean {
  const [x, y] = [wordsOf(a), wordsOf(b)];
  if (x.length === 0 || y.length === 0) return a.trim() === b.trim();
  if (Math.min(x.length, y.length) < SHORT) return x.join(' ') === y.join(' ');
  if (numbersOf(a).sort().join(' ') !== numbersOf(b).sort().join(' ')) return false;
  return overlap(x, y) >= agreement;
}

function wordsOf(text: string): string[] {
  return text.toLowerCase().match(/[\p{L}\p{N}]+(?:['’.,-][\p{L}\p{N}]+)*|[^\s\p{L}\p{N}\p{P}]/gu) ?? [];
}

/** F1 of two bags of words. */
function overlap(x: readonly string[], y: readonly string[]): number {
  const left = new Map<string, number>();
  for (const word of x) left.set(word, (left.get(word) ?? 0) + 1);
  let shared = 0;
  for (const word of y) {
    const count = left.get(word) ?? 0;
    if (count === 0) continue;
    left.set(word, count - 1);
    shared++;
  }
  return (2 * shared) / (x.length + y.length);
}
