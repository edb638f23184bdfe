// A postgres:// URL taken apart: what the driver needs, and a name for messages that carries no password.
import { CairnError } from '../../errors.ts';

export interface Target {
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string;
  readonly password: string;
  readonly tls: 'off' | 'prefer' | 'require' | 'verify-full';
  readonly schema: string;
  /** `postgres://host:port/database`, for people. */
  readonly where: string;
}

const TLS = { disable: 'off', prefer: 'prefer', require: 'require', 'verify-full': 'verify-full' } as const;

/** True for text that names a PostgreSQL server rather than a file. */
export function isPostgresUrl(text: string): boolean {
  return /^postgres(ql)?:/.test(text);
}

/**
 * Reads `postgres://user:password@host:port/database?schema=name&sslmode=require`. Throws `store_url`.
 *
 * @example
 * parseTarget('postgres://me:secret@db.example/notes').where; // 'postgres://db.example:5432/notes'
 */
export function parseTarget(text: string, schema?: string): Target {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    // The cause would repeat the text, password included.
    throw badUrl('a text that is none');
  }
  if (!isPostgresUrl(text)) throw badUrl('another protocol');
  const name = schema ?? url.searchParams.get('schema') ?? 'cairn';
  if (!/^[a-z_][a-z0-9_]{0,50}$/.test(name)) throw badUrl('a schema that is no plain lower-case name');
  const mode = url.searchParams.get('sslmode') ?? 'disable';
  if (!(mode in TLS)) throw badUrl('an sslmode other than disable, prefer, require or verify-full');
  const known = new Set(['schema', 'sslmode']);
  for (const key of url.searchParams.keys())
    if (!known.has(key)) throw badUrl(`the unknown parameter '${key.slice(0, 40)}'`);
  const host = decodeURIComponent(url.hostname) || 'localhost';
  const port = url.port === '' ? 5432 : Number(url.port);
  const user = decodeURIComponent(url.username) || 'postgres';
  const database = decodeURIComponent(url.pathname.replace(/^\//, '')) || user;
  return {
    host: host.replace(/^\[(.*)\]$/, '$1'),
    port,
    user,
    database,
    password: decodeURIComponent(url.password),
    tls: TLS[mode as keyof typeof TLS],
    schema: name,
    where: `postgres://${host}:${port}/${database}`,
  };
}

function badUrl(got: string): CairnError {
  return new CairnError('store_url', `Expected postgres://user:password@host:port/database, got ${got}.`, {
    hint: 'Write special characters of the password as %XX; ?schema=NAME and ?sslmode=MODE are the only parameters.',
  });
}
