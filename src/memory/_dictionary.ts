// Texts and structures that many events share, numbered in tables of their own and counted.
import type Database from 'libsql';

export type NameKind = 'task' | 'source' | 'module';
const kinds: readonly NameKind[] = ['task', 'source', 'module'];

/** Texts and structures that many events share, numbered, with a count of their users; gone with the last one. */
export class Dictionary {
  readonly #db: Database.Database;
  #ofName = new Map<string, number>();
  #names = new Map<number, string>();
  #ofHash = new Map<string, number>();
  #hashes = new Map<number, string>();

  constructor(db: Database.Database) {
    this.#db = db;
    this.load();
  }

  /** Reads the tables again, as after a rolled back transaction. */
  load(): void {
    this.#ofName.clear();
    this.#names.clear();
    this.#ofHash.clear();
    this.#hashes.clear();
    for (const row of this.#db.prepare('SELECT ord, kind, text FROM name').raw().all([])) {
      const [ord, kind, text] = row as [number, number, string];
      this.#setName(ord, kinds[kind] ?? 'task', text);
    }
    for (const row of this.#db.prepare('SELECT ord, hash FROM structure').raw().all([])) {
      const [ord, hash] = row as [number, string];
      this.#ofHash.set(hash, ord);
      this.#hashes.set(ord, hash);
    }
  }

  text(ord: number): string | undefined {
    return this.#names.get(ord);
  }

  hash(ord: number): string | undefined {
    return this.#hashes.get(ord);
  }

  get structures(): number {
    return this.#hashes.size;
  }

  /** The number of a text, new if need be; `users` are added to its count. Call inside a transaction. */
  name(kind: NameKind, text: string, users: number): number {
    const code = kinds.indexOf(kind);
    const known = this.#ofName.get(`${kind} ${text}`);
    if (known !== undefined) {
      if (users > 0) this.#db.prepare('UPDATE name SET n = n + ? WHERE ord = ?').run([users, known]);
      return known;
    }
    const { lastInsertRowid } = this.#db
      .prepare('INSERT INTO name (kind, text, n) VALUES (?, ?, ?)')
      .run([code, text, users]);
    const ord = Number(lastInsertRowid);
    this.#setName(ord, kind, text);
    return ord;
  }

  structure(hash: string, bytes: Uint8Array, users: number): number {
    const known = this.#ofHash.get(hash);
    if (known !== undefined) {
      this.#db.prepare('UPDATE structure SET n = n + ? WHERE ord = ?').run([users, known]);
      return known;
    }
    const insert = this.#db.prepare('INSERT INTO structure (hash, n, bytes) VALUES (?, ?, ?)');
    const ord = Number(insert.run([hash, users, bytes]).lastInsertRowid);
    this.#ofHash.set(hash, ord);
    this.#hashes.set(ord, hash);
    return ord;
  }

  structureBytes(hash: string): Uint8Array | undefined {
    const ord = this.#ofHash.get(hash);
    if (ord === undefined) return undefined;
    const row = this.#db.prepare('SELECT bytes FROM structure WHERE ord = ?').raw().get([ord]) as
      | [Uint8Array]
      | undefined;
    return row === undefined ? undefined : new Uint8Array(row[0]);
  }

  /** Number of a text that is there already. */
  numberOf(kind: NameKind, text: string): number | undefined {
    return this.#ofName.get(`${kind} ${text}`);
  }

  /** Texts of a kind with their numbers and users. */
  list(kind: NameKind): { readonly ord: number; readonly text: string; readonly users: number }[] {
    const rows = this.#db
      .prepare('SELECT ord, text, n FROM name WHERE kind = ?')
      .raw()
      .all([kinds.indexOf(kind)]);
    return rows.map((row) => {
      const [ord, text, users] = row as [number, string, number];
      return { ord, text, users };
    });
  }

  /** Forgets a text that nobody uses; call inside a transaction. */
  dropUnused(ord: number): void {
    if (Number(this.#db.prepare('DELETE FROM name WHERE ord = ? AND n <= 0').run([ord]).changes) > 0) this.#forget(ord);
  }

  /**
   * One user less of each; what nobody uses any more is deleted. Call inside a transaction. Returns the numbers of the
   * names that are gone.
   */
  release(structure: number, names: readonly number[]): number[] {
    const drop = (table: 'name' | 'structure', ord: number): boolean => {
      this.#db.prepare(`UPDATE ${table} SET n = n - 1 WHERE ord = ?`).run([ord]);
      return Number(this.#db.prepare(`DELETE FROM ${table} WHERE ord = ? AND n <= 0`).run([ord]).changes) > 0;
    };
    if (drop('structure', structure)) {
      this.#ofHash.delete(this.#hashes.get(structure) ?? '');
      this.#hashes.delete(structure);
    }
    const gone = names.filter((ord) => drop('name', ord));
    for (const ord of gone) this.#forget(ord);
    return gone;
  }

  #forget(ord: number): void {
    for (const kind of kinds) {
      const text = `${kind} ${this.#names.get(ord) ?? ''}`;
      if (this.#ofName.get(text) === ord) this.#ofName.delete(text);
    }
    this.#names.delete(ord);
  }

  #setName(ord: number, kind: NameKind, text: string): void {
    this.#ofName.set(`${kind} ${text}`, ord);
    this.#names.set(ord, text);
  }
}
