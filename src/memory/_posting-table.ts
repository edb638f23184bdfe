// Posting lists in SQLite: one row per key and group of 16,384 events, folded in from the pending rows in batches; rows that
// were read stay in a bounded cache.
import type Database from 'libsql';
import type { PostingPart } from './_sharing.ts';
import { decodePostings, encodePostings, postingsContain } from './postings.ts';

/** Events per posting row. */
export const GROUP = 16_384;
const CACHED_POSTINGS = 8 << 20;

/** The folded part of the posting lists. Pending events are the store's. */
export class PostingTable {
  readonly #get: Database.Statement;
  readonly #put: Database.Statement;
  readonly #drop: Database.Statement;
  readonly #group: Database.Statement;
  readonly #any: Database.Statement;
  readonly #groupAfter: Database.Statement;
  #groups: number[];
  #cache = new Map<number, Map<number, Uint32Array>>(); // group, key: local numbers
  #cached = 0;

  constructor(db: Database.Database) {
    this.#get = db.prepare('SELECT ords FROM posting WHERE grp = ? AND key = ?').raw();
    this.#put = db.prepare(
      'INSERT INTO posting VALUES (?, ?, ?) ON CONFLICT (grp, key) DO UPDATE SET ords = excluded.ords',
    );
    this.#drop = db.prepare('DELETE FROM posting WHERE grp = ? AND key = ?');
    this.#group = db.prepare('SELECT key, ords FROM posting WHERE grp = ?').raw();
    this.#any = db.prepare('SELECT 1 FROM posting WHERE grp = ? AND key = ?').raw();
    this.#groupAfter = db.prepare('SELECT min(grp) FROM posting WHERE grp > ?').raw();
    this.#groups = this.#readGroups();
  }

  /** Reads again what a rolled back transaction may have changed. */
  reload(): void {
    this.clearCache();
    this.#groups = this.#readGroups();
  }

  #readGroups(): number[] {
    const groups: number[] = [];
    for (let last = -1; ;) {
      const [next] = this.#groupAfter.get([last]) as [number | null];
      if (next === null) return groups;
      groups.push((last = next));
    }
  }

  /** The references with a key, a part per group. */
  parts(key: number): PostingPart[] {
    return this.#groups.map((group) => ({ base: group * GROUP, values: this.#part(group, key) }));
  }

  has(key: number): boolean {
    return this.#groups.some((group) => this.#any.get([group, key]) !== undefined);
  }

  /** Appends rising references of one key; call inside a transaction. */
  append(key: number, refs: readonly number[]): void {
    for (let i = 0; i < refs.length;) {
      const group = Math.floor(refs[i]! / GROUP);
      let end = i + 1;
      while (end < refs.length && refs[end]! < (group + 1) * GROUP) end++;
      const old = this.#part(group, key);
      const list = new Uint32Array(old.length + end - i);
      list.set(old);
      for (let at = old.length; i < end; i++) list[at++] = refs[i]! % GROUP;
      this.#put.run([group, key, encodePostings(list, GROUP)]);
      this.#remember(group, key, list);
      if (!this.#groups.includes(group)) this.#groups = [...this.#groups, group].sort((a, b) => a - b);
    }
  }

  /** Takes a reference out of every list; returns the keys it was in. Call inside a transaction. */
  remove(ref: number): number[] {
    const group = Math.floor(ref / GROUP);
    const local = ref % GROUP;
    const keys: number[] = [];
    for (const row of this.#group.all([group])) {
      const [key, ords] = row as [number, Uint8Array];
      if (!postingsContain(ords, local)) continue;
      keys.push(key);
      const rest = decodePostings(ords, GROUP).filter((v) => v !== local);
      if (rest.length === 0) this.#drop.run([group, key]);
      else this.#put.run([group, key, encodePostings(rest, GROUP)]);
    }
    this.clearCache();
    return keys;
  }

  clearCache(): void {
    this.#cache.clear();
    this.#cached = 0;
  }

  #part(group: number, key: number): Uint32Array {
    const known = this.#cache.get(group)?.get(key);
    if (known !== undefined) return known;
    const row = this.#get.get([group, key]) as [Uint8Array] | undefined;
    const part = row === undefined ? new Uint32Array(0) : decodePostings(row[0], GROUP);
    this.#remember(group, key, part);
    return part;
  }

  #remember(group: number, key: number, part: Uint32Array): void {
    if (this.#cached > CACHED_POSTINGS) this.clearCache();
    let rows = this.#cache.get(group);
    if (rows === undefined) this.#cache.set(group, (rows = new Map()));
    this.#cached += part.length - (rows.get(key)?.length ?? -16);
    rows.set(key, part);
  }
}
