// The PostgreSQL schema and its numbered migrations: the same records as in the SQLite file. Posting lists, LSH buckets
// and edges are hash partitioned by key, because all that is ever asked of them is a set of keys.
import { CairnError } from '../../errors.ts';
import type { Sql } from './_link.ts';
import type { Server } from './_server.ts';

/** "Carn": marks the tables as ours. */
const FORMAT = 'cairn-memory';

const partitions = (table: string, n: number): string =>
  Array.from({ length: n }, (_, i) => {
    return `CREATE TABLE ${table}_${i} PARTITION OF ${table} FOR VALUES WITH (MODULUS ${n}, REMAINDER ${i});`;
  }).join('\n');

/** All tables that hold records. */
export const TABLES = [
  'event',
  'signature',
  'document',
  'posting',
  'term',
  'bucket',
  'edge',
  'owner',
  'entity',
  'structure',
  'source',
  'source_text',
  'stat',
  'tombstone',
] as const;

/** Statements of each schema version; version n is reached by running migrations 1 to n. Never change one that shipped. */
export const migrations: readonly ((hashPartitions: number) => string)[] = [
  (n) => `
    CREATE TABLE meta (one boolean PRIMARY KEY DEFAULT true CHECK (one), format text NOT NULL, version int NOT NULL,
      next int NOT NULL, edits bigint NOT NULL, events bigint NOT NULL, epoch bigint NOT NULL, bucketed boolean NOT NULL,
      edge_log bigint NOT NULL, documents bigint NOT NULL, words bigint NOT NULL);
    INSERT INTO meta VALUES (true, '${FORMAT}', 1, 1, 0, 0, 0, false, 0, 0, 0);
    CREATE TABLE writer    (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, seq bigint NOT NULL, result text NOT NULL);
    CREATE TABLE structure (ord int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, hash text UNIQUE NOT NULL, n bigint NOT NULL,
      bytes bytea NOT NULL);
    CREATE TABLE source    (ord int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name bytea UNIQUE NOT NULL, n bigint NOT NULL,
      size bigint);
    CREATE TABLE source_text (source int, chunk int, bytes bytea NOT NULL, PRIMARY KEY (source, chunk));
    ALTER TABLE source_text ALTER bytes SET STORAGE EXTERNAL;
    CREATE TABLE event     (ref int PRIMARY KEY, id bytea UNIQUE NOT NULL, structure int NOT NULL, source int NOT NULL,
      n int NOT NULL, at bigint NOT NULL, valid_from bigint, valid_to bigint, retracted_at bigint, crc bigint NOT NULL,
      task text NOT NULL, provenance bytea NOT NULL, meta bytea NOT NULL, links bytea, terms bytea, sketch bytea NOT NULL);
    ALTER TABLE event ALTER sketch SET STORAGE EXTERNAL;
    CREATE TABLE signature (ref int PRIMARY KEY, centre int NOT NULL, sig bit(256) NOT NULL);
    CREATE TABLE document  (ref int PRIMARY KEY, words int NOT NULL);
    CREATE TABLE posting   (key bigint NOT NULL, grp int NOT NULL, first int NOT NULL, refs int[] NOT NULL,
      PRIMARY KEY (key, grp, first)) PARTITION BY HASH (key);
    CREATE INDEX ON posting (grp);
    CREATE TABLE term      (key bigint NOT NULL, grp int NOT NULL, first int NOT NULL, refs int[] NOT NULL,
      counts int[] NOT NULL, PRIMARY KEY (key, grp, first)) PARTITION BY HASH (key);
    CREATE INDEX ON term (grp);
    CREATE TABLE bucket    (key int NOT NULL, tbl smallint NOT NULL, ref int NOT NULL, centre int NOT NULL,
      sig bit(256) NOT NULL, PRIMARY KEY (key, tbl, ref)) PARTITION BY HASH (key);
    CREATE TABLE edge      (src bigint NOT NULL, kind smallint NOT NULL, dst bigint NOT NULL, weight bigint NOT NULL,
      n bigint NOT NULL, seconds bigint NOT NULL, PRIMARY KEY (src, kind, dst)) PARTITION BY HASH (src);
    CREATE TABLE owner     (name text PRIMARY KEY, at bigint NOT NULL, links bytea NOT NULL);
    CREATE TABLE entity    (key bigint PRIMARY KEY, module text NOT NULL, sig bit(256) NOT NULL);
    CREATE INDEX ON entity (module);
    CREATE TABLE stat      (name text PRIMARY KEY, bytes bytea NOT NULL);
    CREATE TABLE tombstone (hash bytea PRIMARY KEY, at bigint NOT NULL, certificate text NOT NULL);
    ${partitions('posting', n)}
    ${partitions('term', n)}
    ${partitions('bucket', n)}
    ${partitions('edge', n)}`,
];

/**
 * Creates or updates the tables of this store's schema. Foreign schemas and newer ones are refused before anything is
 * written to them. Throws `store_foreign`, `store_newer`.
 */
export async function prepareSchema(
  server: Server,
  hashPartitions: number,
  steps: readonly ((n: number) => string)[] = migrations,
): Promise<void> {
  const { schema } = server.target;
  await server.transaction(async (sql) => {
    // Two clients that open a new store at once take turns.
    await sql`SELECT pg_advisory_xact_lock(${LOCK_SPACE + 1}, hashtext(${schema}))`;
    let found = await versionOf(sql, schema, server.where);
    if (found > steps.length) {
      throw new CairnError(
        'store_newer',
        `Expected schema ${steps.length} or older at ${server.where}, got ${found}.`,
        {
          hint: 'Update Cairn, or choose another schema with ?schema=NAME; nothing was changed.',
        },
      );
    }
    if (found === steps.length) return;
    await sql.unsafe(`CREATE SCHEMA IF NOT EXISTS "${schema}"`).simple();
    for (; found < steps.length; found++) await sql.unsafe(steps[found]!(hashPartitions)).simple();
    await sql`UPDATE meta SET version = ${steps.length}`;
  });
}

/** First number of the advisory lock of a store's only user; the next one is taken while tables are made. */
export const LOCK_SPACE = 0x4361726e;

async function versionOf(sql: Sql, schema: string, where: string): Promise<number> {
  const tables = await sql<{ name: string }[]>`
    SELECT c.relname AS name FROM pg_class c JOIN pg_namespace s ON s.oid = c.relnamespace
    WHERE s.nspname = ${schema} AND c.relkind IN ('r', 'p', 'v')`;
  if (tables.length === 0) return 0;
  const foreign = new CairnError(
    'store_foreign',
    `Expected a Cairn store in schema ${schema} of ${where}, got other tables.`,
    {
      hint: 'Choose another schema with ?schema=NAME; nothing was changed.',
    },
  );
  if (!tables.some(({ name }) => name === 'meta') || !tables.some(({ name }) => name === 'writer')) throw foreign;
  const columns = await sql<{ name: string }[]>`
    SELECT column_name AS name FROM information_schema.columns WHERE table_schema = ${schema} AND table_name = 'meta'`;
  const names = columns.map(({ name }) => name);
  if (!names.includes('format') || !names.includes('version')) throw foreign;
  const [row] = await sql<{ format: string; version: number }[]>`SELECT format, version FROM meta`;
  if (row?.format !== FORMAT) throw foreign;
  return row.version;
}
