// Which words of a prompt moved the router: each is left out in turn and the router asked again. For a prompt that is at hand; of
// kept decisions there is no text.
import type { PromptRouter } from '../../route/index.ts';

export interface WordShare {
  readonly word: string;
  /** What the word adds to the expected error of the chosen model. */
  readonly error: number;
  /** What it adds to the expected error of the chosen model beyond that of the runner-up; negative: it speaks for the choice. */
  readonly against: number;
}

/** Words that are tried: the first different ones. */
const MOST_WORDS = 64;

/** The `count` words that move the choice most, strongest first. */
export function wordShares(
  router: PromptRouter,
  prompt: string,
  inTokens: number,
  [chosen, other]: readonly [string, string | undefined],
  count = 8,
): WordShare[] {
  const errors = (text: string): { chosen: number; other: number } => {
    const { ranking } = router.route(text, { inTokens });
    const of = (id: string | undefined): number => ranking.find((arm) => arm.id === id)?.expectedError ?? 0;
    return { chosen: of(chosen), other: of(other) };
  };
  const whole = errors(prompt);
  const words = [...new Set(prompt.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [])].slice(0, MOST_WORDS);
  return words
    .map((word): WordShare => {
      const left = errors(prompt.replace(wordPattern(word), ' '));
      const error = whole.chosen - left.chosen;
      return { word, error, against: error - (whole.other - left.other) };
    })
    .filter(({ error, against }) => error !== 0 || against !== 0)
    .sort((a, b) => Math.abs(b.against) - Math.abs(a.against) || Math.abs(b.error) - Math.abs(a.error))
    .slice(0, count);
}

/** Words hold letters and digits alone, so there is nothing to escape. */
function wordPattern(word: string): RegExp {
  return new RegExp(`(?<![\\p{L}\\p{N}])${word}(?![\\p{L}\\p{N}])`, 'giu');
}
