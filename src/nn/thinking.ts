// Thinking before the answer: tokens between an opening and a closing token, limited by a budget. Counts them, says which
// token must come next, and notes how likely the model itself was to close. It draws nothing.
import type { Tokenizer } from '../data/index.ts';
import { CairnError } from '../errors.ts';

export interface ThinkingOptions {
  /**
   * Most tokens between the opening and the closing token. 0: both are written at once. `dynamic`: the model closes when it
   * likes, at the latest after `cap` tokens.
   */
  readonly budget: number | 'dynamic';
  /** Token ids that open and close the thought. */
  readonly open: number;
  readonly close: number;
  /** The model may not close before so many tokens. Default 0. */
  readonly min?: number;
  /** Hard limit of `dynamic`. Default 1024. */
  readonly cap?: number;
  /** Told when the thought is over. */
  readonly onEnd?: (thought: ThoughtEnd) => void;
}

export interface ThoughtEnd {
  /** Tokens between the opening and the closing token. */
  readonly tokens: number;
  /** Whether the model closed the thought or the budget did. */
  readonly reason: 'closed' | 'budget';
  /** What the model gave the closing token when it came. */
  readonly closeProbability: number;
}

/** The tokens `<think>` and `</think>` of a model; undefined where it has not both. */
export function thinkingMarks({
  added,
}: Pick<Tokenizer, 'added'>): Pick<ThinkingOptions, 'open' | 'close'> | undefined {
  const [open, close] = [added.get('<think>'), added.get('</think>')];
  return open === undefined || close === undefined ? undefined : { open, close };
}

/** @throws CairnError `bad_thinking` naming the option */
export function checkThinking(t: ThinkingOptions, vocabSize: number): void {
  const rule = (ok: boolean, name: string, expected: string, got: unknown): void => {
    if (!ok) throw new CairnError('bad_thinking', `Expected thinking.${name} ${expected}, got ${String(got)}.`);
  };
  const whole = (x: number): boolean => Number.isInteger(x) && x >= 0;
  rule(t.budget === 'dynamic' || whole(t.budget), 'budget', 'to be a non-negative integer or "dynamic"', t.budget);
  for (const key of ['open', 'close'] as const) {
    rule(whole(t[key]) && t[key] < vocabSize, key, `to be a token id below ${vocabSize}`, t[key]);
  }
  rule(t.open !== t.close, 'close', 'to differ from open', t.close);
  const limit = thinkingLimit(t);
  rule(whole(t.min ?? 0) && (t.min ?? 0) <= limit, 'min', `to be an integer from 0 to ${limit}`, t.min);
  rule(whole(t.cap ?? 0), 'cap', 'to be a non-negative integer', t.cap);
}

/** Most tokens between the two marks. */
export function thinkingLimit(t: Pick<ThinkingOptions, 'budget' | 'cap'>): number {
  return t.budget === 'dynamic' ? (t.cap ?? 1024) : t.budget;
}

/** Where a generation stands: before, within or after its thought. */
export class Thought {
  readonly #options: ThinkingOptions;
  #phase: 'before' | 'within' | 'after' = 'before';
  #tokens = 0;
  /** All tokens of the thought, its two marks included. */
  total = 0;

  constructor(options: ThinkingOptions, prompt: readonly number[]) {
    this.#options = options;
    if (prompt.at(-1) === options.open) this.#phase = 'within';
  }

  get over(): boolean {
    return this.#phase === 'after';
  }

  /** The token that must come next, if one must. */
  forced(): number | undefined {
    const { open, close } = this.#options;
    if (this.#phase === 'before') return open;
    if (this.#phase === 'within' && this.#tokens >= thinkingLimit(this.#options)) return close;
    return undefined;
  }

  /** Hides what may not come next: a close that is too early, a second opening. */
  restrict(logits: Float64Array): void {
    const { open, close, min = 0 } = this.#options;
    if (this.#phase !== 'within') return;
    logits[open] = -Infinity;
    if (this.#tokens < min) logits[close] = -Infinity;
  }

  /** Notes a token; returns whether it belongs to the thought. */
  push(token: number, closeProbability: () => number): boolean {
    const { close, onEnd } = this.#options;
    if (this.#phase === 'after') return false;
    this.total++;
    if (this.#phase === 'before') this.#phase = 'within';
    else if (token === close) {
      this.#phase = 'after';
      const reason = this.#tokens >= thinkingLimit(this.#options) ? 'budget' : 'closed';
      onEnd?.({ tokens: this.#tokens, reason, closeProbability: closeProbability() });
    } else this.#tokens++;
    return true;
  }
}
