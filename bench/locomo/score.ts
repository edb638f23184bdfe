// Recall figures of ranked turns and their uncertainty: a bootstrap over questions, paired where two methods are compared.
import { Rng } from 'cairn/tensor';
import type { Conversation, GoldQuestion } from './data.ts';

/** Positions of the ten best turns for every question of a conversation. */
export type Answers = readonly (readonly number[])[];

export const TOP = 10;

/** What one method did on one question. */
export interface Outcome {
  readonly conversation: string;
  readonly category: number;
  readonly recall: number;
  readonly any: number;
  readonly sessions: number;
}

export function outcomes(conversation: Conversation, answers: Answers): Outcome[] {
  return conversation.questions.map((question, i) => outcome(conversation, question, answers[i]!));
}

function outcome(conversation: Conversation, question: GoldQuestion, answer: readonly number[]): Outcome {
  const top = new Set(answer.slice(0, TOP));
  const found = question.gold.filter((turn) => top.has(turn)).length;
  const session = (turn: number): number => conversation.turns[turn]!.session;
  const seen = new Set([...top].map(session));
  const wanted = new Set(question.gold.map(session));
  return {
    conversation: conversation.id,
    category: question.category,
    recall: found / question.gold.length,
    any: found > 0 ? 1 : 0,
    sessions: [...wanted].filter((s) => seen.has(s)).length / wanted.size,
  };
}

export function mean(values: readonly number[]): number {
  return values.reduce((sum, x) => sum + x, 0) / Math.max(1, values.length);
}

/** 95 % interval of the mean, from 1,000 resamples of the questions. */
export function interval(values: readonly number[], seed: number, resamples = 1000): [number, number] {
  const rng = new Rng(seed).fork('locomo/bootstrap');
  const means: number[] = [];
  for (let r = 0; r < resamples; r++) {
    let sum = 0;
    for (let i = 0; i < values.length; i++) sum += values[rng.integer(values.length)]!;
    means.push(sum / Math.max(1, values.length));
  }
  means.sort((a, b) => a - b);
  return [means[Math.floor(0.025 * resamples)]!, means[Math.ceil(0.975 * resamples) - 1]!];
}

/** A mean in per cent with its interval. */
export function percent(values: readonly number[], seed: number): string {
  const [low, high] = interval(values, seed);
  return `${(100 * mean(values)).toFixed(1)} [${(100 * low).toFixed(1)}, ${(100 * high).toFixed(1)}]`;
}
