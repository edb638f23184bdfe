// Keys of clients: printed once when they are made, kept as salted hashes, compared in constant time.
import { randomBytes, scryptSync, timingSafeEqual, createHash } from 'node:crypto';
import { CairnError } from '../../errors.ts';
import type { GatewayState } from './state.ts';

export interface ClientKey {
  readonly name: string;
  /** Model names it may use; default: all. */
  readonly models?: readonly string[];
  readonly createdAt: string;
}

/** Whose something is: '' is this machine. A name that comes back after its key was dropped is another client. */
export function tenantOf(key: ClientKey | undefined): string {
  return key === undefined ? '' : `${key.name} ${key.createdAt}`;
}

interface StoredKey extends ClientKey {
  readonly salt: string;
  readonly hash: string;
}

const KIND = 'client-key';
const PREFIX = 'ck-';
/** A key that another process drops stops working within this time. */
const TRUST_MS = 5_000;

export class ClientKeys {
  readonly #state: GatewayState;
  /** Tokens that were checked, by a hash that is of no use elsewhere: checking is slow on purpose. */
  readonly #known = new Map<string, { readonly key: ClientKey | undefined; readonly until: number }>();
  readonly #pepper = randomBytes(16);
  readonly #now: () => number;

  constructor(state: GatewayState, now: () => number) {
    this.#state = state;
    this.#now = now;
  }

  /**
   * Makes a key and returns it; it cannot be read again.
   * @throws CairnError `bad_key_name`, `key_exists`
   */
  async add(name: string, options: { readonly models?: readonly string[] } = {}): Promise<string> {
    if (!/^[\w.@-]{1,64}$/.test(name)) {
      throw new CairnError('bad_key_name', 'Expected a name of 1 to 64 letters, digits, _ . @ or -.', {
        hint: 'For example: alice.',
      });
    }
    if ((await this.#state.get(KIND, name)) !== undefined) {
      throw new CairnError('key_exists', `Expected a new name, got "${name}", which has a key.`, {
        hint: `Drop it first: cairn keys drop ${name}.`,
      });
    }
    const secret = randomBytes(24).toString('base64url');
    const salt = randomBytes(16).toString('base64url');
    const stored: StoredKey = {
      name,
      ...(options.models === undefined ? {} : { models: options.models }),
      createdAt: new Date(this.#now()).toISOString(),
      salt,
      hash: hashOf(secret, salt),
    };
    await this.#state.put(KIND, name, JSON.stringify(stored));
    this.#known.clear();
    return `${PREFIX}${name}.${secret}`;
  }

  async drop(name: string): Promise<boolean> {
    this.#known.clear();
    return this.#state.drop(KIND, name);
  }

  async list(): Promise<ClientKey[]> {
    const rows = await this.#state.list(KIND);
    return rows.map(({ value }) => {
      const { name, models, createdAt } = JSON.parse(value) as StoredKey;
      return { name, createdAt, ...(models === undefined ? {} : { models }) };
    });
  }

  /** The key that a token belongs to; undefined when there is none. */
  async check(token: string): Promise<ClientKey | undefined> {
    const mark = createHash('sha256').update(this.#pepper).update(token).digest('base64');
    const now = this.#now();
    const seen = this.#known.get(mark);
    if (seen !== undefined && now < seen.until) return seen.key;
    const key = await this.#verify(token);
    if (this.#known.size > 10_000) this.#known.clear();
    this.#known.set(mark, { key, until: now + TRUST_MS });
    return key;
  }

  async #verify(token: string): Promise<ClientKey | undefined> {
    const dot = token.lastIndexOf('.');
    if (!token.startsWith(PREFIX) || dot < 0) return undefined;
    const text = await this.#state.get(KIND, token.slice(PREFIX.length, dot));
    if (text === undefined) return undefined;
    const { hash, salt, ...key } = JSON.parse(text) as StoredKey;
    const given = Buffer.from(hashOf(token.slice(dot + 1), salt));
    return timingSafeEqual(given, Buffer.from(hash)) ? key : undefined;
  }
}

function hashOf(secret: string, salt: string): string {
  return scryptSync(secret, salt, 32, { N: 4096 }).toString('base64');
}
