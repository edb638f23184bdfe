// What a question asks for, by rules: its terms, the speakers it names, its dates, and the kind of answer it wants. Not a
// parser: a missed rule only leaves a feature at zero.
import { findDates, type FoundDate } from './dates.ts';
import { stem } from './stem.ts';
import { terms, words } from './tokens.ts';

export type Answer = 'time' | 'number' | 'name' | undefined;

export interface Question {
  readonly text: string;
  /** Distinct terms, names of speakers among them. */
  readonly terms: readonly string[];
  readonly dates: readonly FoundDate[];
  readonly answer: Answer;
}

const TIME = /^\W*when\b|\bhow long\b|\b(?:what|which) (?:day|date|month|year|time|week)\b|\bsince when\b/i;
const NUMBER = /\bhow (?:many|much|often|old|far|big|tall)\b|\bwhat (?:number|age|percentage)\b/i;
const NAME =
  /^\W*(?:who|whom|whose|where)\b|\b(?:what|which)\b.{0,30}\b(?:names?|called|titles?|bands?|artists?|authors?|books?|movies?|films?|games?|cit(?:y|ies)|countr(?:y|ies)|states?|places?|teams?|songs?|brands?|compan(?:y|ies)|people|person)\b/i;

/** @example parseQuestion('When did Mel paint the sunset?').answer; // 'time' */
export function parseQuestion(text: string): Question {
  return {
    text,
    terms: [...new Set(terms(text))],
    dates: findDates(text),
    answer: TIME.test(text) ? 'time' : NUMBER.test(text) ? 'number' : NAME.test(text) ? 'name' : undefined,
  };
}

/** The terms under which a speaker may be named: each word of the name. */
export function speakerTerms(speaker: string): string[] {
  return words(speaker).map(({ word }) => stem(word));
}
