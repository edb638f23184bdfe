// Conversations stay with their model unless another is better by more than what a move costs: a margin of error, and the
// prompt cache that is lost. Kept in memory only, the least recently used go first.
import { createHash } from 'node:crypto';
import { type JsonObject, objectAt, textAt } from '../../providers/index.ts';
import type { ModelConfig } from './config.ts';

/** A conversation as the router sees it. */
export interface Session {
  arm: string;
  at: number;
  /** Prompt tokens of its last call: what the provider may still have in its cache. */
  promptTokens: number;
  /** Event of its last call. */
  event?: string;
  /** The last turn failed or was marked bad: the next one is free to move. */
  unpinned: boolean;
  /** A tool call waits for its result. */
  midTool: boolean;
}

export interface StickyOptions {
  readonly margin: number;
  readonly remainingTurns: number;
  readonly warmMs: number;
}

/** What a move would change. Costs in US dollars; `scale` is the cost that lambda counts in. */
export interface Move {
  readonly lambda: number;
  readonly scale: number;
  readonly current: { readonly error: number; readonly cost: number; readonly model: ModelConfig };
  readonly best: { readonly error: number; readonly cost: number; readonly model: ModelConfig };
}

/**
 * Whether the conversation stays: J_current - J_best <= margin + lambda * (lost cache), with J = error + lambda * cost over
 * the turns that are expected to come.
 */
export function stays(session: Session, move: Move, now: number, options: StickyOptions): boolean {
  if (session.midTool) return true;
  if (session.unpinned) return false;
  const { current, best, lambda, scale } = move;
  const turns = options.remainingTurns;
  const value = (a: { error: number; cost: number }): number => a.error + (lambda * a.cost * turns) / scale;
  const warm = now - session.at <= options.warmMs;
  const { priceIn, priceCachedIn } = current.model;
  const kept = warm ? session.promptTokens * (priceIn - (priceCachedIn ?? priceIn)) : 0;
  const anew = session.promptTokens * best.model.priceIn;
  const lost = (kept + anew) / 1e6;
  return value(current) - value(best) <= options.margin + (lambda * lost) / scale;
}

/** A name for the conversation: what the client says, or a hash of how it began. */
export function sessionKey(header: string | undefined, body: JsonObject, messages: readonly JsonObject[]): string {
  const given =
    header ??
    textAt(objectAt(body, 'metadata'), 'session_id') ??
    textAt(body, 'prompt_cache_key') ??
    textAt(body, 'user');
  if (given !== undefined && given !== '') return hash(given);
  const opening = [
    ...messages.filter((m) => m['role'] === 'system' || m['role'] === 'developer').slice(0, 1),
    ...messages.filter((m) => m['role'] === 'user').slice(0, 1),
  ];
  return hash(JSON.stringify(opening.map((m) => m['content'])));
}

export class Sessions {
  readonly #most: number;
  readonly #sessions = new Map<string, Session>();

  constructor(most = 100_000) {
    this.#most = most;
  }

  get(key: string): Session | undefined {
    const session = this.#sessions.get(key);
    if (session !== undefined) {
      this.#sessions.delete(key);
      this.#sessions.set(key, session);
    }
    return session;
  }

  /** The answer of this event was bad: if it is its conversation's last, the next turn is free to move. */
  unpin(event: string): void {
    for (const session of this.#sessions.values()) if (session.event === event) session.unpinned = true;
  }

  set(key: string, session: Session): void {
    this.#sessions.delete(key);
    this.#sessions.set(key, session);
    if (this.#sessions.size > this.#most) this.#sessions.delete(this.#sessions.keys().next().value!);
  }
}

function hash(text: string): string {
  return createHash('sha256').update(text).digest('base64url').slice(0, 22);
}
