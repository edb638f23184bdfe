// Where a memory is kept, as a person writes it: a file, one postgres:// URL, or several of them for several servers. The
// stores on servers are loaded when they are asked for.
import { CairnError } from '../errors.ts';
import type { LshOptions } from './lsh.ts';
import { isPostgresUrl, parseTarget } from './postgres/_target.ts';
import { SqliteStore } from './sqlite-store.ts';
import type { Store } from './store.ts';

export interface OpenStoreOptions {
  readonly lsh?: LshOptions;
  /** Refuses to grow a file beyond this many bytes. */
  readonly maxBytes?: number;
  /** On how many of several servers each event is kept. Default 1, or what the store was made with. */
  readonly replicas?: 1 | 2;
  /** Another store of the same servers: its tables get names of their own. */
  readonly part?: string;
}

/** While one of several servers is silent the others answer, so it is not waited for as long as the only one. */
const MEMBER_PATIENCE_MS = 1500;

/**
 * Opens a store for one user: a path or ':memory:', a `postgres://` URL, or several URLs, in a list or with commas between.
 *
 * @throws CairnError `bad_store` for a mixture, and what `SqliteStore.open`, `PostgresStore.open` and `PartitionedStore.open`
 * throw
 * @example
 * const store = await openStore('postgres://me:secret@db-1/notes,postgres://me:secret@db-2/notes');
 */
export async function openStore(where: string | readonly string[], options: OpenStoreOptions = {}): Promise<Store> {
  const places = splitPlaces(where);
  const urls = places.filter(isPostgresUrl);
  const { lsh, maxBytes, replicas, part } = options;
  if (urls.length === 0 && places.length === 1) {
    const limits = { ...(lsh === undefined ? {} : { lsh }), ...(maxBytes === undefined ? {} : { maxBytes }) };
    return SqliteStore.open({ path: places[0]!, ...limits });
  }
  if (urls.length !== places.length || urls.length === 0) {
    throw new CairnError('bad_store', `Expected one path or only postgres:// URLs, got ${places.length} places.`, {
      hint: 'Several servers are several URLs with commas between; a comma in a password is written as %2C.',
    });
  }
  const { PostgresStore } = await import('./postgres/postgres-store.ts');
  const common = { exclusive: true, ...(lsh === undefined ? {} : { lsh }) };
  const schemaOf = (url: string, name: string): string =>
    [parseTarget(url).schema, part, name].filter((text) => text !== undefined && text !== '').join('_');
  if (urls.length === 1) {
    if (replicas === 2) {
      throw new CairnError('bad_replicas', 'Expected at least two servers to keep every event twice, got one.', {
        hint: 'Name another postgres:// URL.',
      });
    }
    return PostgresStore.open({ url: urls[0]!, schema: schemaOf(urls[0]!, ''), ...common });
  }
  const { PartitionedStore } = await import('./partitioned/partitioned-store.ts');
  const servers = urls.map((url) => ({
    name: parseTarget(url).where,
    open: (name: string) =>
      PostgresStore.open({ url, schema: schemaOf(url, name), patienceMs: MEMBER_PATIENCE_MS, ...common }),
  }));
  return PartitionedStore.open({ servers, ...(replicas === undefined ? {} : { replicas }) });
}

/** The places that a text or a list of texts names. */
export function splitPlaces(where: string | readonly string[]): string[] {
  const texts = typeof where === 'string' ? [where] : where;
  return texts.flatMap((text) => (isPostgresUrl(text) ? text.split(',').map((t) => t.trim()) : [text]));
}

/** The place without user and password, for people. */
export function placeText(where: string | readonly string[]): string {
  return splitPlaces(where)
    .map((place) => (isPostgresUrl(place) ? parseTarget(place).where : place))
    .join(', ');
}
