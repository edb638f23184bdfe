// What is known of the conversations under way, so that they may stay with their model (route/sticky.ts decides). Kept in memory
// only, the least recently used go first.
import { createHash } from 'node:crypto';
import { type JsonObject, objectAt, textAt } from '../../providers/index.ts';

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
