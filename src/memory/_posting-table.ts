// Posting lists in SQLite: one row per key and group of 16,384 events, folded in from the pending rows in batches; rows that
// were read stay in a bounded cache. The same table serves components and, with a count per event, words.
import type Database from 'libsql';
import { countedContain, type CountedPart, decodeCounted, encodeCounted } from './_terms.ts';
import { decodePostings, encodePostings, postingsContain } from './postings.ts';

/** Events per posting row. */
export const GROUP = 16_384;
/** Bytes of packed lists that stay in memory, and what keeping one costs besides. */
const CACHED_BYTES = 64 << 20;
const ENTRY_BYTES = 160;

/** Numbers of one group, rising, and where the table keeps them a count of each. */
type List = Omit<CountedPart, 'base'>;

interface ListForm {
  encode(list: List): Uint8Array;
  decode(bytes: Uint8Array): List;
  contains(bytes: Uint8Array, value: number): boolean;
}

const forms: Readonly<Record<'posting' | 'term', ListForm>> = {
  posting: {
    encode: ({ values }) => encodePostings(values, GROUP),
    decode: (bytes) => ({ values: decodePostings(bytes, GROUP) }),
    contains: postingsContain,
  },
  term: {
    encode: ({ values, counts }) => encodeCounted(values, counts, GROUP),
    decode: (bytes) => decodeCounted(bytes, GROUP),
    contains: countedContain,
  },
};

/** A list as it is stored, with its length. */
interface Packed {
  readonly bytes: Uint8Array;
  readonly count: number;
}

const EMPTY: List = { values: new Uint32Array(0) };
const NOTHING: Packed = { bytes: new Uint8Array(0), count: 0 };

/** The folded part of the posting lists. Pending events are the store's. */
export class PostingTable {
  readonly #get: Database.Statement;
  readonly #put: Database.Statement;
  readonly #drop: Database.Statement;
  readonly #group: Database.Statement;
  readonly #any: Database.Statement;
  readonly #groupAfter: Database.Statement;
  readonly #allKeys: Database.Statement;
  readonly #form: ListForm;
  #groups: number[];
  #cache = new Map<number, Map<number, Packed>>(); // group, key
  #cached = 0;

  constructor(db: Database.Database, table: 'posting' | 'term') {
    this.#form = forms[table];
    this.#get = db.prepare(`SELECT ords FROM ${table} WHERE grp = ? AND key = ?`).raw();
    this.#put = db.prepare(
      `INSERT INTO ${table} VALUES (?, ?, ?) ON CONFLICT (grp, key) DO UPDATE SET ords = excluded.ords`,
    );
    this.#drop = db.prepare(`DELETE FROM ${table} WHERE grp = ? AND key = ?`);
    this.#group = db.prepare(`SELECT key, ords FROM ${table} WHERE grp = ?`).raw();
    this.#any = db.prepare(`SELECT 1 FROM ${table} WHERE grp = ? AND key = ?`).raw();
    this.#groupAfter = db.prepare(`SELECT min(grp) FROM ${table} WHERE grp > ?`).raw();
    this.#allKeys = db.prepare(`SELECT DISTINCT key FROM ${table}`).raw();
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
  parts(key: number): CountedPart[] {
    return this.#groups.map((group) => ({ base: group * GROUP, ...this.#part(group, key) }));
  }

  /** How many references have a key. */
  count(key: number): number {
    let sum = 0;
    for (const group of this.#groups) sum += this.#packed(group, key).count;
    return sum;
  }

  /** Whether a reference has a key; no list is unpacked for it. */
  contains(key: number, ref: number): boolean {
    const group = Math.floor(ref / GROUP);
    if (!this.#groups.includes(group)) return false;
    const { bytes, count } = this.#packed(group, key);
    return count > 0 && this.#form.contains(bytes, ref % GROUP);
  }

  has(key: number): boolean {
    return this.#groups.some((group) => this.#any.get([group, key]) !== undefined);
  }

  keys(): number[] {
    return this.#allKeys.all([]).map((row) => (row as [number])[0]);
  }

  /** Appends rising references of one key; call inside a transaction. */
  append(key: number, refs: readonly number[], counts?: readonly number[]): void {
    for (let i = 0; i < refs.length;) {
      const group = Math.floor(refs[i]! / GROUP);
      const start = i;
      while (i < refs.length && refs[i]! < (group + 1) * GROUP) i++;
      const old = this.#part(group, key);
      const values = new Uint32Array(old.values.length + i - start);
      values.set(old.values);
      for (let at = old.values.length, j = start; j < i; j++) values[at++] = refs[j]! % GROUP;
      const list = { values, counts: joined(old, counts?.slice(start, i), i - start) };
      const bytes = this.#form.encode(list);
      this.#put.run([group, key, bytes]);
      this.#remember(group, key, { bytes, count: values.length });
      if (!this.#groups.includes(group)) this.#groups = [...this.#groups, group].sort((a, b) => a - b);
    }
  }

  /** Takes references out of every list in one pass over their groups; returns the keys that some of them were in. */
  remove(refs: Iterable<number>): Set<number> {
    const keys = new Set<number>();
    for (const [group, locals] of byGroup(refs)) {
      for (const row of this.#group.all([group])) {
        const [key, ords] = row as [number, Uint8Array];
        const bytes = new Uint8Array(ords);
        if (!locals.some((local) => this.#form.contains(bytes, local))) continue;
        keys.add(key);
        const rest = without(this.#form.decode(bytes), new Set(locals));
        if (rest.values.length === 0) this.#drop.run([group, key]);
        else this.#put.run([group, key, this.#form.encode(rest)]);
      }
    }
    this.clearCache();
    return keys;
  }

  /** The keys of some references with their counts, in one pass over their groups. */
  keysOf(refs: Iterable<number>): Map<number, { readonly key: number; readonly count: number }[]> {
    const found = new Map<number, { key: number; count: number }[]>();
    for (const [group, locals] of byGroup(refs)) {
      const wanted = new Set(locals);
      for (const ref of locals) found.set(group * GROUP + ref, []);
      for (const row of this.#group.all([group])) {
        const [key, ords] = row as [number, Uint8Array];
        const { values, counts } = this.#form.decode(new Uint8Array(ords));
        values.forEach((v, i) => {
          if (wanted.has(v)) found.get(group * GROUP + v)!.push({ key, count: counts?.[i] ?? 1 });
        });
      }
    }
    return found;
  }

  clearCache(): void {
    this.#cache.clear();
    this.#cached = 0;
  }

  #part(group: number, key: number): List {
    const { bytes, count } = this.#packed(group, key);
    return count === 0 ? EMPTY : this.#form.decode(bytes);
  }

  #packed(group: number, key: number): Packed {
    const known = this.#cache.get(group)?.get(key);
    if (known !== undefined) return known;
    const row = this.#get.get([group, key]) as [Uint8Array] | undefined;
    if (row === undefined) return this.#remember(group, key, NOTHING);
    const bytes = new Uint8Array(row[0]);
    return this.#remember(group, key, { bytes, count: this.#form.decode(bytes).values.length });
  }

  #remember(group: number, key: number, packed: Packed): Packed {
    if (this.#cached > CACHED_BYTES) this.clearCache();
    let rows = this.#cache.get(group);
    if (rows === undefined) this.#cache.set(group, (rows = new Map()));
    this.#cached += packed.bytes.length - (rows.get(key)?.bytes.length ?? -ENTRY_BYTES);
    rows.set(key, packed);
    return packed;
  }
}

function byGroup(refs: Iterable<number>): Map<number, number[]> {
  const groups = new Map<number, number[]>();
  for (const ref of refs) {
    const group = Math.floor(ref / GROUP);
    const list = groups.get(group);
    if (list === undefined) groups.set(group, [ref % GROUP]);
    else list.push(ref % GROUP);
  }
  return groups;
}

/** Counts of a list and of what is appended to it; none where all are 1. */
function joined(old: List, added: readonly number[] | undefined, n: number): Uint32Array | undefined {
  if (old.counts === undefined && (added === undefined || added.every((count) => count === 1))) return undefined;
  const counts = new Uint32Array(old.values.length + n).fill(1);
  if (old.counts !== undefined) counts.set(old.counts);
  if (added !== undefined) counts.set(added, old.values.length);
  return counts;
}

function without({ values, counts }: List, gone: ReadonlySet<number>): List {
  const kept = Array.from(values, (_, i) => i).filter((i) => !gone.has(values[i]!));
  return {
    values: Uint32Array.from(kept, (i) => values[i]!),
    counts: counts === undefined ? undefined : Uint32Array.from(kept, (i) => counts[i]!),
  };
}
