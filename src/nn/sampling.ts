// From logits to the next token: penalties, temperature and the three filters, then inverse-CDF sampling in id order.
// Pure host functions on one row of logits; the order of processing is that of `distribution`.
import { CairnError } from '../errors.ts';
import type { Rng } from '../tensor/index.ts';

export interface SamplingOptions {
  /** 0 is greedy (the smallest id among equals). Default 1. */
  readonly temperature?: number;
  /** Keep the k most probable tokens (smaller id first among equals). 0 or absent: all. */
  readonly topK?: number;
  /** Keep the smallest set of most probable tokens with mass >= p, at least one. 1 or absent: all. */
  readonly topP?: number;
  /** Keep tokens with at least this share of the largest probability. 0 or absent: all. */
  readonly minP?: number;
  /** Tokens seen before: positive logits are divided by it, others multiplied. 1 or absent: none. */
  readonly repetitionPenalty?: number;
  /** No run of n tokens comes twice. 0 or absent: any may. */
  readonly noRepeatNgram?: number;
}

/** @throws CairnError `bad_sampling` naming the first option out of range. */
export function checkSampling(options: SamplingOptions): void {
  const { temperature = 1, topK = 0, topP = 1, minP = 0, repetitionPenalty = 1, noRepeatNgram = 0 } = options;
  const rule = (ok: boolean, name: string, expected: string, got: number): void => {
    if (!ok) throw new CairnError('bad_sampling', `Expected ${name} ${expected}, got ${got}.`);
  };
  rule(temperature >= 0 && Number.isFinite(temperature), 'temperature', '>= 0', temperature);
  rule(Number.isInteger(topK) && topK >= 0, 'topK', 'to be a non-negative integer', topK);
  rule(topP > 0 && topP <= 1, 'topP', 'in (0, 1]', topP);
  rule(minP >= 0 && minP <= 1, 'minP', 'in [0, 1]', minP);
  rule(
    Number.isInteger(noRepeatNgram) && noRepeatNgram >= 0,
    'noRepeatNgram',
    'to be a non-negative integer',
    noRepeatNgram,
  );
  rule(repetitionPenalty > 0 && Number.isFinite(repetitionPenalty), 'repetitionPenalty', '> 0', repetitionPenalty);
}

/** Softmax in f64, `[V] -> [V]`. */
export function softmax(logits: ArrayLike<number>, temperature = 1): Float64Array {
  let top = -Infinity;
  for (let i = 0; i < logits.length; i++) top = Math.max(top, logits[i]!);
  const p = new Float64Array(logits.length);
  let total = 0;
  for (let i = 0; i < p.length; i++) total += p[i] = Math.exp((logits[i]! - top) / temperature);
  for (let i = 0; i < p.length; i++) p[i]! /= total;
  return p;
}

/** Index of the largest value; the smallest index among equals. */
export function argmax(row: ArrayLike<number>): number {
  let best = 0;
  for (let i = 1; i < row.length; i++) if (row[i]! > row[best]!) best = i;
  return best;
}

/** Ids by falling probability, the smaller id first among equals. */
function ranked(p: Float64Array): Uint32Array {
  return Uint32Array.from(p.keys()).sort((a, b) => p[b]! - p[a]! || a - b);
}

function keepRanked(p: Float64Array, order: Uint32Array, count: number): void {
  for (let i = count; i < order.length; i++) p[order[i]!] = 0;
  normalise(p);
}

function normalise(p: Float64Array): void {
  let total = 0;
  for (const x of p) total += x;
  for (let i = 0; i < p.length; i++) p[i]! /= total;
}

/** Tokens that would complete a run of n tokens that is there already. */
export function repeatedNext(ids: readonly number[], n: number): Set<number> {
  const banned = new Set<number>();
  const end = ids.length - n + 1; // where the run begins that the next token would complete
  if (end < 0) return banned;
  for (let at = 0; at < end; at++) {
    let same = 0;
    while (same < n - 1 && ids[at + same] === ids[end + same]) same++;
    if (same === n - 1) banned.add(ids[at + n - 1]!);
  }
  return banned;
}

/**
 * The distribution the next token is drawn from, `[V]`.
 * @param seen the ids so far, which the repetition penalty and `noRepeatNgram` apply to
 * @param process may change the logits in place, after penalties and before temperature and filters
 * @throws CairnError `bad_sampling` for an option out of range or logits without a finite value.
 * @example
 * distribution([2, 1, 0], { topK: 2 }); // about [0.73, 0.27, 0]
 */
export function distribution(
  logits: ArrayLike<number>,
  options: SamplingOptions = {},
  seen: readonly number[] = [],
  process?: (logits: Float64Array) => void,
): Float64Array {
  checkSampling(options);
  const { temperature = 1, topK = 0, topP = 1, minP = 0, repetitionPenalty = 1, noRepeatNgram = 0 } = options;
  const z = Float64Array.from(logits);
  if (repetitionPenalty !== 1) {
    for (const id of new Set(seen)) z[id] = z[id]! > 0 ? z[id]! / repetitionPenalty : z[id]! * repetitionPenalty;
  }
  if (noRepeatNgram > 0) {
    const banned = repeatedNext(seen, noRepeatNgram);
    // Where every token would repeat something, repeating is all that is left.
    if (banned.size < z.length) for (const id of banned) z[id] = -Infinity;
  }
  process?.(z);
  const best = argmax(z);
  if (!Number.isFinite(z[best]!)) {
    throw new CairnError('bad_sampling', `Expected finite logits, got ${z[best]} as the largest.`, {
      hint: 'Train with a lower rate or load another checkpoint.',
    });
  }
  if (temperature === 0) {
    const p = new Float64Array(z.length);
    p[best] = 1;
    return p;
  }
  const p = softmax(z, temperature);
  if (topK > 0 && topK < p.length) keepRanked(p, ranked(p), topK);
  if (topP < 1) {
    const order = ranked(p);
    let mass = 0;
    let count = 0;
    while (count < order.length && mass < topP) mass += p[order[count++]!]!;
    keepRanked(p, order, Math.max(1, count));
  }
  if (minP > 0) {
    const floor = minP * p[argmax(p)]!;
    for (let i = 0; i < p.length; i++) if (p[i]! < floor) p[i] = 0;
    normalise(p);
  }
  return p;
}

/** Draws an id by inverse CDF in id order. */
export function drawToken(p: Float64Array, rng: Rng): number {
  return rng.categorical(p);
}
