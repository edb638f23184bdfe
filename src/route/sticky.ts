// When a conversation may change its model. Pure functions: the caller keeps the session's state. A switch throws away the warm
// prompt cache of the model that leaves and pays for the whole prefix at the one that comes, so it must be worth that.
import type { ModelInfo } from './tables/prompt-table.ts';

/** What is known about a conversation. Times in milliseconds on the caller's clock. */
export interface StickySession {
  /** The arm that answered last. */
  readonly arm: string;
  readonly lastAt: number;
  /** Tokens of the prefix that the provider has cached. */
  readonly cachedTokens: number;
  /** A tool was called and its result has not been answered yet. */
  readonly pendingTool?: boolean;
  /** The last turn failed: bad feedback, provider down, context too long. */
  readonly failed?: boolean;
}

export interface StickyOptions {
  /** Price of cost, and the cost it is relative to, as in the router's scores. */
  readonly lambda: number;
  readonly scale: number;
  readonly now: number;
  /** Tokens of the conversation so far. */
  readonly prefixTokens: number;
  /** Least gain in score per turn. Default 0.02. */
  readonly threshold?: number;
  /** Turns that a switch is expected to pay for itself over. Default 3. */
  readonly turns?: number;
  /** How long a provider keeps a prefix warm. Default five minutes. */
  readonly cacheMs?: number;
}

/** One arm with its expected error and cost per turn and its prices. */
export interface StickyCandidate {
  readonly id: string;
  readonly expectedError: number;
  /** US dollars per turn. */
  readonly expectedCost: number;
  readonly info: ModelInfo;
}

export interface StickyChoice {
  readonly arm: string;
  readonly switched: boolean;
  /** `new`: no session; the others say why the arm stayed or left. */
  readonly reason: 'new' | 'same' | 'tool pending' | 'gone' | 'failed' | 'not worth it' | 'worth it';
  /** Score per turn that the best arm would gain, and what a switch must gain. */
  readonly gain: number;
  readonly needed: number;
}

/**
 * Keeps the session's arm unless J(current) - J(best) > threshold + lambda * lostCache / turns, with J = expected error +
 * lambda * cost per turn, both costs relative to `scale`. lostCache is what the current arm's warm prefix saves plus the full
 * price of the prefix at the new arm.
 * @param candidates the eligible arms, best first by score
 */
export function stick(
  session: StickySession | undefined,
  candidates: readonly StickyCandidate[],
  options: StickyOptions,
): StickyChoice {
  const best = candidates[0]!;
  if (!session) return { arm: best.id, switched: false, reason: 'new', gain: 0, needed: 0 };
  const current = candidates.find((c) => c.id === session.arm);
  const away = (reason: 'gone' | 'failed', to: StickyCandidate): StickyChoice => ({
    arm: to.id,
    switched: to.id !== session.arm,
    reason,
    gain: Infinity,
    needed: 0,
  });
  if (!current) return away('gone', best);
  if (session.pendingTool)
    return { arm: current.id, switched: false, reason: 'tool pending', gain: 0, needed: Infinity };
  if (session.failed) return away('failed', candidates.find((c) => c.id !== session.arm) ?? current);
  if (current.id === best.id) return { arm: current.id, switched: false, reason: 'same', gain: 0, needed: 0 };
  const price = options.lambda / options.scale;
  const score = (c: StickyCandidate): number => c.expectedError + price * c.expectedCost;
  const gain = score(current) - score(best);
  const lost = lostCache(session, current.info, best.info, options);
  const needed = (options.threshold ?? 0.02) + (price * lost) / (options.turns ?? 3);
  const switched = gain > needed;
  return {
    arm: switched ? best.id : current.id,
    switched,
    reason: switched ? 'worth it' : 'not worth it',
    gain,
    needed,
  };
}

/** US dollars that leaving one model's warm cache for another model costs. */
export function lostCache(
  session: Pick<StickySession, 'cachedTokens' | 'lastAt'>,
  from: ModelInfo,
  to: ModelInfo,
  options: Pick<StickyOptions, 'now' | 'prefixTokens' | 'cacheMs'>,
): number {
  const warm = options.now - session.lastAt <= (options.cacheMs ?? 300_000);
  const saved = from.price_in_per_mtok - (from.price_cached_in_per_mtok ?? from.price_in_per_mtok);
  const kept = warm ? session.cachedTokens * saved : 0;
  return (kept + options.prefixTokens * to.price_in_per_mtok) / 1e6;
}
