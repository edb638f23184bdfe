// Compiled models by content: a least-recently-used cache that disposes what it drops, and the warning for a call site
// that compiles too many shapes. Not an executor: it does not know what it caches.
import { CairnError } from '../errors.ts';
import type { Graph } from './graph.ts';

/** What a cache reports to its log. */
export type CacheEvent =
  | { readonly kind: 'compile'; readonly site: string; readonly bytes: number; readonly shapes: number }
  | { readonly kind: 'evict'; readonly key: string }
  | { readonly kind: 'many-shapes'; readonly site: string; readonly shapes: number; readonly message: string };

export interface CacheRequest<T> {
  readonly key: string;
  /** The model itself: compared on a hit, so that a hash collision cannot return another model. */
  readonly bytes: Uint8Array;
  /** What the model is apart from its shapes. */
  readonly site: string;
  readonly create: () => Promise<T>;
}

/** A value in use. It is not disposed before every lease of it was released. */
export interface Lease<T> {
  readonly value: T;
  /** True after the cache was cleared. */
  readonly closed: boolean;
  release(): Promise<void>;
}

interface Entry<T> {
  readonly key: string;
  readonly bytes: Uint8Array;
  readonly value: Promise<T>;
  leases: number;
  closed: boolean;
}

/** A call site that compiled more shapes than this gets a warning. */
const MANY_SHAPES = 8;

/**
 * A cache of compiled values. Entries beyond the capacity are disposed, oldest use first, as soon as nobody leases them.
 *
 * @example
 * const lease = await cache.acquire({ key, bytes, site: 'model.forward', create });
 * await lease.release();
 */
export class ProgramCache<T> {
  readonly #capacity: number;
  readonly #dispose: (value: T) => Promise<void>;
  readonly #log: (event: CacheEvent) => void;
  readonly #entries = new Map<string, Entry<T>>();
  readonly #sites = new Map<string, Set<string>>();

  constructor(options: {
    readonly capacity: number;
    readonly dispose: (value: T) => Promise<void>;
    readonly log?: (event: CacheEvent) => void;
  }) {
    if (!Number.isInteger(options.capacity) || options.capacity < 1) {
      throw new CairnError('bad_capacity', `Expected a capacity of at least 1, got ${options.capacity}.`);
    }
    this.#capacity = options.capacity;
    this.#dispose = options.dispose;
    this.#log = options.log ?? ((): void => undefined);
  }

  /** Entries held now, leased or idle. */
  get size(): number {
    return this.#entries.size;
  }

  async acquire(request: CacheRequest<T>): Promise<Lease<T>> {
    const key = this.#slot(request);
    let entry = this.#entries.get(key);
    if (entry) this.#entries.delete(key);
    else entry = this.#create(key, request);
    this.#entries.set(key, entry); // last in the map = used last
    entry.leases++;
    const leased = entry;
    try {
      const value = await leased.value;
      await this.#trim();
      return this.#lease(leased, value);
    } catch (error) {
      leased.leases--;
      if (this.#entries.get(key) === leased) this.#entries.delete(key);
      throw error;
    }
  }

  /** Key of the entry with these very bytes; colliding hashes get a suffix. */
  #slot(request: CacheRequest<T>): string {
    for (let i = 0; ; i++) {
      const key = i === 0 ? request.key : `${request.key}#${i}`;
      const known = this.#entries.get(key);
      if (!known || sameBytes(known.bytes, request.bytes)) return key;
    }
  }

  #create(key: string, request: CacheRequest<T>): Entry<T> {
    const shapes = this.#sites.get(request.site) ?? new Set<string>();
    this.#sites.set(request.site, shapes.add(key));
    this.#log({ kind: 'compile', site: request.site, bytes: request.bytes.length, shapes: shapes.size });
    if (shapes.size === MANY_SHAPES + 1) {
      const message = `Expected few distinct shapes, got ${shapes.size} for \`${request.site}\`. Bucket or pad the length.`;
      this.#log({ kind: 'many-shapes', site: request.site, shapes: shapes.size, message });
    }
    return { key, bytes: request.bytes, value: request.create(), leases: 0, closed: false };
  }

  #lease(entry: Entry<T>, value: T): Lease<T> {
    let released = false;
    const release = async (): Promise<void> => {
      if (released) return;
      released = true;
      entry.leases--;
      await this.#trim();
    };
    return {
      value,
      get closed() {
        return entry.closed;
      },
      release,
    };
  }

  async #trim(): Promise<void> {
    for (const entry of this.#entries.values()) {
      if (this.#entries.size <= this.#capacity) return;
      if (entry.leases > 0) continue;
      this.#entries.delete(entry.key);
      this.#log({ kind: 'evict', key: entry.key });
      await this.#close(entry);
    }
  }

  async #close(entry: Entry<T>): Promise<void> {
    entry.closed = true;
    await this.#dispose(await entry.value);
  }

  /** Disposes everything, leased or not. */
  async clear(): Promise<void> {
    const entries = [...this.#entries.values()];
    this.#entries.clear();
    this.#sites.clear();
    for (const entry of entries) await this.#close(entry);
  }
}

/** 128 bits over the bytes of a model, in hexadecimal: four multiply-xor lanes. Not cryptographic. */
export function hashBytes(bytes: Uint8Array): string {
  const lanes = [0x9e3779b9, 0x85ebca6b, 0xc2b2ae35, 0x27d4eb2f];
  const factors = [0x01000193, 0x85ebca77, 0xc2b2ae3d, 0x165667b1];
  for (let i = 0; i < bytes.length; i++) {
    const lane = i & 3;
    const h = Math.imul(lanes[lane]! ^ bytes[i]!, factors[lane]!);
    lanes[lane] = h ^ (h >>> 15);
  }
  let carry = bytes.length;
  for (let round = 0; round < 8; round++) {
    carry = Math.imul(lanes[round & 3]! ^ carry ^ (carry >>> 13), 0x2c1b3c6d);
    lanes[round & 3] = carry ^ (carry >>> 16);
  }
  return lanes.map((h) => (h >>> 0).toString(16).padStart(8, '0')).join('');
}

/** What a graph is apart from its shapes: names of inputs, outputs and parameters, and the sequence of ops. */
export function siteOf(graph: Graph): string {
  const names = [...graph.inputs, ...graph.outputs, ...graph.params].map((x) => x.name).join(' ');
  const ops = graph.nodes.map((n) => n.op).join(' ');
  const outputs = graph.outputs.map((o) => o.name).slice(0, 4);
  return `${outputs.join(',') || 'update'}@${hashBytes(new TextEncoder().encode(`${names}\n${ops}`)).slice(0, 8)}`;
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
