// The edges in SQLite: one row per directed edge with its sums, and the packed links of each event or other owner that made
// them. Nothing here opens a transaction.
import type Database from 'libsql';
import {
  byWeight,
  type Edge,
  type EdgeIncrement,
  type EdgeKind,
  edgeKinds,
  type Link,
  packLinks,
  unpackLinks,
} from './links.ts';
import type { Degree, OwnedLinks } from './store.ts';

type RawEdge = [from: number, kind: number, to: number, weight: number, n: number, seconds: number];

const EDGE = 'SELECT src, kind, dst, weight, n, seconds FROM edge';
const OWNER = 'links/';

export class GraphTable {
  readonly #statements: Record<
    | 'add'
    | 'drop'
    | 'of'
    | 'degree'
    | 'page'
    | 'links'
    | 'linksOf'
    | 'put'
    | 'blank'
    | 'remove'
    | 'stat'
    | 'setStat'
    | 'dropStat'
    | 'owners',
    Database.Statement
  >;

  constructor(db: Database.Database) {
    this.#statements = {
      add: db.prepare(
        `INSERT INTO edge VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (src, kind, dst)
         DO UPDATE SET weight = weight + excluded.weight, n = n + excluded.n, seconds = seconds + excluded.seconds`,
      ),
      drop: db.prepare('DELETE FROM edge WHERE src = ? AND kind = ? AND dst = ? AND n <= 0'),
      of: db.prepare(`${EDGE} WHERE src = ? AND kind = ? ORDER BY weight DESC, dst LIMIT ?`).raw(),
      degree: db.prepare('SELECT count(*), total(weight) FROM edge WHERE src = ? AND kind = ?').raw(),
      page: db.prepare(`${EDGE} WHERE (src, kind, dst) > (?, ?, ?) ORDER BY src, kind, dst LIMIT ?`).raw(),
      links: db.prepare('SELECT bytes FROM link WHERE ord = ?').raw(),
      linksOf: db.prepare('SELECT ord, bytes FROM link WHERE ord IN (SELECT value FROM json_each(?))').raw(),
      put: db.prepare('INSERT INTO link VALUES (?, ?)'),
      blank: db.prepare('UPDATE link SET bytes = zeroblob(length(bytes)) WHERE ord = ?'),
      remove: db.prepare('DELETE FROM link WHERE ord = ?'),
      stat: db.prepare('SELECT bytes FROM stat WHERE name = ?').raw(),
      setStat: db.prepare('INSERT OR REPLACE INTO stat VALUES (?, ?)'),
      dropStat: db.prepare('DELETE FROM stat WHERE name = ?'),
      owners: db
        .prepare(`SELECT name, bytes FROM stat WHERE name >= '${OWNER}' AND name < 'links0' ORDER BY name`)
        .raw(),
    };
  }

  apply(increments: readonly EdgeIncrement[]): void {
    for (const { from, kind, to, weight, count, seconds } of increments) {
      const code = edgeKinds.indexOf(kind);
      this.#statements.add.run([from, code, to, weight, count, seconds]);
      if (count <= 0) this.#statements.drop.run([from, code, to]);
    }
  }

  edges(node: number, kinds: readonly EdgeKind[], limit: number): Edge[] {
    const found = [...new Set(kinds)].flatMap((kind) =>
      this.#statements.of.all([node, edgeKinds.indexOf(kind), limit]).map((row) => toEdge(row as RawEdge)),
    );
    return found.sort(byWeight).slice(0, limit);
  }

  degree(node: number, kinds: readonly EdgeKind[]): Degree {
    let edges = 0;
    let weight = 0;
    for (const kind of new Set(kinds)) {
      const [n, sum] = this.#statements.degree.get([node, edgeKinds.indexOf(kind)]) as [number, number];
      edges += n;
      weight += sum;
    }
    return { edges, weight };
  }

  page(after: Pick<Edge, 'from' | 'kind' | 'to'> | undefined, limit: number): Edge[] {
    const from = after === undefined ? [-1, 0, 0] : [after.from, edgeKinds.indexOf(after.kind), after.to];
    return this.#statements.page.all([...from, limit]).map((row) => toEdge(row as RawEdge));
  }

  links(ref: number): Link[] {
    const row = this.#statements.links.get([ref]) as [Uint8Array] | undefined;
    return row === undefined ? [] : unpackLinks(new Uint8Array(row[0]));
  }

  /** Links of some events, in order, in one statement. */
  linksOf(refs: ArrayLike<number>): Link[][] {
    const found = new Map<number, Link[]>();
    for (const raw of this.#statements.linksOf.all([JSON.stringify(Array.from(refs))])) {
      const [ref, bytes] = raw as [number, Uint8Array];
      found.set(ref, unpackLinks(new Uint8Array(bytes)));
    }
    return Array.from(refs, (ref) => found.get(ref) ?? []);
  }

  putLinks(ref: number, links: readonly Link[]): void {
    this.#statements.blank.run([ref]);
    this.#statements.remove.run([ref]);
    if (links.length > 0) this.#statements.put.run([ref, packLinks(links)]);
  }

  owned(owner: string): OwnedLinks | undefined {
    const row = this.#statements.stat.get([OWNER + owner]) as [Uint8Array] | undefined;
    return row === undefined ? undefined : toOwned(owner, row[0]);
  }

  putOwned({ owner, at, links }: OwnedLinks): void {
    if (links.length === 0) {
      this.#statements.dropStat.run([OWNER + owner]);
      return;
    }
    const packed = packLinks(links);
    const bytes = new Uint8Array(packed.length + 8);
    new DataView(bytes.buffer).setFloat64(0, at, true);
    bytes.set(packed, 8);
    this.#statements.setStat.run([OWNER + owner, bytes]);
  }

  owners(): OwnedLinks[] {
    return this.#statements.owners.all([]).map((row) => {
      const [name, bytes] = row as [string, Uint8Array];
      return toOwned(name.slice(OWNER.length), bytes);
    });
  }

  /** Whether a statistic is one of these and not the memory's. */
  static isOwner(name: string): boolean {
    return name.startsWith(OWNER);
  }
}

function toEdge([from, kind, to, weight, count, seconds]: RawEdge): Edge {
  return { from, kind: edgeKinds[kind]!, to, weight, count, seconds, time: Math.floor(seconds / count) };
}

function toOwned(owner: string, row: Uint8Array): OwnedLinks {
  const bytes = new Uint8Array(row);
  const at = new DataView(bytes.buffer).getFloat64(0, true);
  return { owner, at, links: unpackLinks(bytes.slice(8)) };
}
