// The gateway's state on a PostgreSQL server, so that several gateways share keys, budgets, added models, outcomes and decisions.
// A budget binds over all of them: what is reserved is counted in one transaction under locks of its accounts. Every change is
// numbered in the order of commits; gateways ask for the numbers they have not seen.
import { CairnError } from '../../errors.ts';
import {
  fromPostgresText,
  numberArray,
  parsePostgresUrl,
  PostgresServer,
  type Sql,
  textArray,
  toPostgresText,
} from '../../memory/index.ts';
import type { Account, GatewayState, KeptChange, Reserved } from './state.ts';

/** How long a call waits for a server that does not answer. */
const PATIENCE_MS = 2_000;
const WATCH_EVERY_MS = 1_000;
/** Calls that were settled are remembered this long, so that a call that is sent again after a broken connection counts once. */
const SETTLED_MS = 3_600_000;
const VERSION = 1;

const SCHEMA = `
CREATE TABLE gateway (one boolean PRIMARY KEY DEFAULT true CHECK (one), version int NOT NULL, changes bigint NOT NULL);
INSERT INTO gateway VALUES (true, ${VERSION}, 0);
CREATE TABLE account (name text, since bigint, spent double precision NOT NULL, PRIMARY KEY (name, since));
CREATE TABLE reservation (id text, name text, since bigint, amount double precision NOT NULL, expires bigint NOT NULL,
  PRIMARY KEY (id, name));
CREATE INDEX ON reservation (name, since);
CREATE INDEX ON reservation (expires);
CREATE TABLE settled (id text PRIMARY KEY, at bigint NOT NULL);
CREATE INDEX ON settled (at);
CREATE TABLE kept (kind text, key text, value text, change bigint NOT NULL, PRIMARY KEY (kind, key));
CREATE INDEX ON kept (change);
CREATE TABLE decision (seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, id text UNIQUE NOT NULL, at bigint NOT NULL,
  value text NOT NULL);
CREATE FUNCTION reserve(call text, names text[], windows bigint[], amounts double precision[], limits double precision[],
                        expires_at bigint, now_ms bigint, OUT over int, OUT used double precision) AS $$
DECLARE held double precision; gone double precision;
BEGIN
  DELETE FROM reservation WHERE expires <= now_ms OR id = call;
  INSERT INTO account SELECT n, w, 0 FROM unnest(names, windows) AS t(n, w) ORDER BY n, w ON CONFLICT DO NOTHING;
  PERFORM 1 FROM account a JOIN unnest(names, windows) AS t(n, w) ON a.name = n AND a.since = w ORDER BY a.name, a.since FOR UPDATE OF a;
  FOR i IN 1 .. cardinality(names) LOOP
    SELECT spent INTO gone FROM account WHERE name = names[i] AND since = windows[i];
    SELECT COALESCE(SUM(amount), 0) INTO held FROM reservation WHERE name = names[i] AND since = windows[i];
    IF gone + held + amounts[i] > limits[i] THEN over := i; used := gone + held; RETURN; END IF;
  END LOOP;
  INSERT INTO reservation SELECT call, n, w, a, expires_at FROM unnest(names, windows, amounts) AS t(n, w, a);
END $$ LANGUAGE plpgsql;
CREATE FUNCTION settle(call text, names text[], windows bigint[], amounts double precision[], now_ms bigint) RETURNS void AS $$
BEGIN
  DELETE FROM settled WHERE at < now_ms - ${SETTLED_MS};
  INSERT INTO settled VALUES (call, now_ms) ON CONFLICT DO NOTHING;
  IF NOT FOUND THEN RETURN; END IF;
  DELETE FROM reservation WHERE id = call;
  INSERT INTO account AS a SELECT n, w, m FROM unnest(names, windows, amounts) AS t(n, w, m) ORDER BY n, w
    ON CONFLICT (name, since) DO UPDATE SET spent = a.spent + excluded.spent;
END $$ LANGUAGE plpgsql;
CREATE FUNCTION keep(what text, which text, content text) RETURNS boolean AS $$
DECLARE n bigint; before text;
BEGIN
  UPDATE gateway SET changes = changes + 1 RETURNING changes INTO n;
  SELECT value INTO before FROM kept WHERE kind = what AND key = which;
  INSERT INTO kept VALUES (what, which, content, n) ON CONFLICT (kind, key) DO UPDATE SET value = excluded.value, change = excluded.change;
  RETURN before IS NOT NULL;
END $$ LANGUAGE plpgsql;
`;

export interface PostgresStateOptions {
  /** The URL is that of a memory: the state goes into a schema beside it, `<schema>_gateway`. */
  readonly beside?: boolean;
  /** How often changes of other gateways are asked for, milliseconds. Default 1000. */
  readonly watchEveryMs?: number;
  readonly patienceMs?: number;
  readonly now?: () => number;
}

/**
 * Opens the state at `postgres://user:password@host:port/database?schema=NAME` (default schema: cairn_gateway) and makes its tables
 * when they are missing.
 * @throws CairnError `store_url`, `store_unreachable`, `store_denied`, `store_foreign`, `store_newer`
 */
export async function openPostgresState(url: string, options: PostgresStateOptions = {}): Promise<GatewayState> {
  const named = parsePostgresUrl(url);
  const schema = options.beside === true || !/[?&]schema=/.test(url) ? `${named.schema}_gateway` : named.schema;
  const target = { ...named, schema };
  const server = new PostgresServer(target, options.patienceMs ?? PATIENCE_MS);
  try {
    const changes = await server.transaction((sql) => prepare(sql, target.schema, target.where));
    return new PostgresState(server, changes, options);
  } catch (error) {
    await server.close();
    throw error;
  }
}

/** The number that is the same for gateways that open one schema at once. */
const LOCK = 0x43676174;

/** Makes the tables where they are missing; the number of the last change. */
async function prepare(sql: Sql, schema: string, where: string): Promise<number> {
  await sql`SELECT pg_advisory_xact_lock(${LOCK}, hashtext(${schema}))`;
  const tables = await sql<{ name: string }[]>`
    SELECT table_name AS name FROM information_schema.tables WHERE table_schema = ${schema}`;
  if (tables.length === 0) {
    await sql.unsafe(`CREATE SCHEMA IF NOT EXISTS "${schema}"`).simple();
    await sql.unsafe(SCHEMA).simple();
    return 0;
  }
  if (!tables.some(({ name }) => name === 'gateway')) {
    throw new CairnError(
      'store_foreign',
      `Expected the state of a gateway in schema ${schema} of ${where}, got other tables.`,
      { hint: 'Choose another schema with ?schema=NAME; nothing was changed.' },
    );
  }
  const [row] = await sql<{ version: number; changes: number }[]>`SELECT version, changes FROM gateway`;
  if (row!.version !== VERSION) {
    throw new CairnError('store_newer', `Expected schema ${VERSION} at ${where}, got ${row!.version}.`, {
      hint: 'Update Cairn, or choose another schema with ?schema=NAME; nothing was changed.',
    });
  }
  return row!.changes;
}

class PostgresState implements GatewayState {
  readonly shared = true;
  readonly #server: PostgresServer;
  readonly #watchEveryMs: number;
  readonly #now: () => number;
  readonly #watches = new Set<() => void>();
  /** Changes up to this one were there when the state was opened. */
  readonly #opened: number;

  constructor(server: PostgresServer, changes: number, options: PostgresStateOptions) {
    this.#server = server;
    this.#opened = changes;
    this.#watchEveryMs = options.watchEveryMs ?? WATCH_EVERY_MS;
    this.#now = options.now ?? Date.now;
  }

  async reserve(id: string, accounts: readonly Account[], expiresAt: number, now: number): Promise<Reserved> {
    const [row] = await this.#server.read(
      (sql) => sql<{ over: number | null; used: number | null }[]>`
        SELECT over, used FROM reserve(${id}, ${textArray(accounts.map((a) => a.name))}::text[], ${numberArray(accounts.map((a) => a.window))}::bigint[],
          ${numberArray(accounts.map((a) => a.amount))}::double precision[], ${numberArray(accounts.map((a) => a.limit))}::double precision[],
          ${expiresAt}, ${now})`,
    );
    const { over, used } = row!;
    return over === null
      ? { ok: true, reservation: { id, accounts } }
      : { ok: false, over: accounts[over - 1]!, used: used! };
  }

  async settle(
    { id, accounts }: { id: string; accounts: readonly Account[] },
    spent: readonly number[],
  ): Promise<void> {
    const names = accounts.map((a) => a.name);
    const windows = accounts.map((a) => a.window);
    const amounts = accounts.map((_, i) => spent[i] ?? 0);
    await this.#server.read(
      (sql) => sql`
        SELECT settle(${id}, ${textArray(names)}::text[], ${numberArray(windows)}::bigint[], ${numberArray(amounts)}::double precision[], ${this.#now()})`,
    );
  }

  async usage(
    names: readonly { readonly name: string; readonly window: number }[],
    now: number,
  ): Promise<{ spent: number; reserved: number }[]> {
    const rows = await this.#server.read(
      (sql) => sql<{ spent: number; reserved: number }[]>`
        SELECT COALESCE((SELECT spent FROM account a WHERE a.name = t.n AND a.since = t.w), 0) AS spent,
               COALESCE((SELECT SUM(amount) FROM reservation r WHERE r.name = t.n AND r.since = t.w AND r.expires > ${now}), 0) AS reserved
        FROM unnest(${textArray(names.map((x) => x.name))}::text[], ${numberArray(names.map((x) => x.window))}::bigint[]) WITH ORDINALITY AS t(n, w, i)
        ORDER BY t.i`,
    );
    return rows.map(({ spent, reserved }) => ({ spent, reserved }));
  }

  async get(kind: string, key: string): Promise<string | undefined> {
    const rows = await this.#server.read(
      (sql) =>
        sql<
          { value: string }[]
        >`SELECT value FROM kept WHERE kind = ${kind} AND key = ${toPostgresText(key)} AND value IS NOT NULL`,
    );
    return rows[0] && fromPostgresText(rows[0].value);
  }

  async put(kind: string, key: string, value: string): Promise<void> {
    await this.#keep(kind, key, value);
  }

  drop(kind: string, key: string): Promise<boolean> {
    return this.#keep(kind, key, null);
  }

  /** A value that is dropped leaves its name, without content, so that other gateways hear of it. */
  async #keep(kind: string, key: string, value: string | null): Promise<boolean> {
    const [row] = await this.#server.read(
      (sql) =>
        sql<
          { had: boolean }[]
        >`SELECT keep(${kind}, ${toPostgresText(key)}, ${value === null ? null : toPostgresText(value)}::text) AS had`,
    );
    return row!.had;
  }

  async list(kind: string): Promise<{ key: string; value: string }[]> {
    const rows = await this.#server.read(
      (sql) => sql<{ key: string; value: string }[]>`
        SELECT key, value FROM kept WHERE kind = ${kind} AND value IS NOT NULL ORDER BY key COLLATE "C"`,
    );
    return rows.map(({ key, value }) => ({ key: fromPostgresText(key), value: fromPostgresText(value) }));
  }

  async record(decisions: readonly { id: string; at: number; value: string }[], keep: number): Promise<void> {
    if (decisions.length === 0) return;
    // The last word about an event, when a batch holds several.
    const last = [...new Map(decisions.map((d) => [d.id, d])).values()];
    await this.#server.read(async (sql) => {
      await sql`
        INSERT INTO decision (id, at, value)
        SELECT * FROM unnest(${textArray(last.map((d) => d.id))}::text[], ${numberArray(last.map((d) => d.at))}::bigint[], ${textArray(last.map((d) => d.value))}::text[])
        ON CONFLICT (id) DO UPDATE SET value = excluded.value`;
      await sql`DELETE FROM decision WHERE seq <= (SELECT MAX(seq) FROM decision) - ${keep}::bigint`;
    });
  }

  async decision(id: string): Promise<string | undefined> {
    const rows = await this.#server.read(
      (sql) => sql<{ value: string }[]>`SELECT value FROM decision WHERE id = ${toPostgresText(id)}`,
    );
    return rows[0] && fromPostgresText(rows[0].value);
  }

  async decisions(limit: number, before?: number): Promise<{ id: string; at: number; value: string }[]> {
    const rows = await this.#server.read(
      (sql) => sql<{ id: string; at: number; value: string }[]>`
        SELECT id, at, value FROM decision WHERE at < ${before ?? Number.MAX_SAFE_INTEGER}::bigint ORDER BY seq DESC LIMIT ${limit}`,
    );
    return rows.map(({ id, at, value }) => ({ id: fromPostgresText(id), at, value: fromPostgresText(value) }));
  }

  watch(kinds: readonly string[], listener: (change: KeptChange) => void): () => void {
    let seen = this.#opened;
    let asking = false;
    const ask = async (): Promise<void> => {
      const rows = await this.#server.read(
        (sql) => sql<{ kind: string; key: string; value: string | null; change: number }[]>`
          SELECT kind, key, value, change FROM kept WHERE change > ${seen} AND kind = ANY(${textArray(kinds)}::text[]) ORDER BY change`,
      );
      for (const { kind, key, value, change } of rows) {
        // A question that was under way when the watch was stopped tells nothing more.
        if (!this.#watches.has(stop)) return;
        seen = change;
        listener({ kind, key: fromPostgresText(key), value: value === null ? undefined : fromPostgresText(value) });
      }
    };
    const timer = setInterval(() => {
      if (asking) return;
      asking = true;
      // A server that is away is asked again; nothing is missed, since changes are numbered.
      void ask()
        .catch(() => undefined)
        .finally(() => (asking = false));
    }, this.#watchEveryMs).unref();
    const stop = (): void => {
      clearInterval(timer);
      this.#watches.delete(stop);
    };
    this.#watches.add(stop);
    return stop;
  }

  async close(): Promise<void> {
    for (const stop of this.#watches) stop();
    await this.#server.close();
  }
}
