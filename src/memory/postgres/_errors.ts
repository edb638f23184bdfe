// From the faults of PostgreSQL and of the network to coded errors that say what to do next. No message, cause or detail
// carries a password or a parameter.
import { CairnError } from '../../errors.ts';

/** 'conflict' and 'connection' may be tried again; 'final' may not. */
export type FaultKind = 'conflict' | 'connection' | 'final';

const CONFLICTS = new Set(['40001', '40P01', '55P03']);
const CONNECTION =
  /^(08\w{3}|57P0[123]|53300|CONNECTION_(CLOSED|ENDED|DESTROYED)|CONNECT_TIMEOUT|ECONNREFUSED|ECONNRESET|EPIPE|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|EAI_AGAIN)$/;

interface Fault {
  readonly test: RegExp;
  readonly code: string;
  readonly message: (where: string, found: string) => string;
  readonly hint: string;
}

const faults: readonly Fault[] = [
  {
    test: /^28/,
    code: 'store_denied',
    message: (where) => `Expected ${where} to let this user in, got a refusal.`,
    hint: 'Check user and password in the URL, and the server’s rules for this address.',
  },
  {
    test: /^(3D000|ENOTFOUND)$/,
    code: 'store_missing',
    message: (where, found) => `Expected a database at ${where}, got none (${found}).`,
    hint: 'Create the database, or correct the URL.',
  },
  {
    test: /^(42501|25006)$/,
    code: 'store_not_writable',
    message: (where) => `Expected the right to write in ${where}, got a refusal.`,
    hint: 'Grant the user CREATE on the database, or name the primary server instead of a read-only one.',
  },
  {
    test: /^53(1|2)00$/,
    code: 'store_full',
    message: (where) => `Expected room to write in ${where}, got a full server.`,
    hint: 'Free space on the server; what was acknowledged is safe and nothing was half written.',
  },
  {
    test: /^(XX001|XX002)$/,
    code: 'store_corrupt',
    message: (where) => `Expected intact pages in ${where}, got damaged ones.`,
    hint: 'Restore a backup of the server, or copy what is readable with `cairn store copy`.',
  },
];

export function faultKind(error: unknown): FaultKind {
  const code = sqlState(error);
  if (CONFLICTS.has(code)) return 'conflict';
  return CONNECTION.test(code) ? 'connection' : 'final';
}

/** A CairnError for any error of the driver; CairnErrors pass through. `where` names the server without its password. */
export function toPostgresError(error: unknown, where: string): CairnError {
  if (CairnError.isInstance(error)) return error;
  const code = sqlState(error);
  if (faultKind(error) === 'connection') {
    return new CairnError('store_unreachable', `Expected an answer from ${where}, got none (${code}).`, {
      hint: 'Start the server or check the address, then try again: an event that did arrive is recognised.',
      details: { cause: code },
    });
  }
  if (faultKind(error) === 'conflict') {
    return new CairnError('store_busy', `Expected ${where} to let a write through, got conflicts again and again.`, {
      hint: 'Try again, or look for a transaction that stays open on the server.',
      details: { cause: code },
    });
  }
  const fault = faults.find((f) => f.test.test(code));
  if (fault !== undefined) {
    return new CairnError(fault.code, fault.message(where, code), { hint: fault.hint, details: { cause: code } });
  }
  const text = error instanceof Error && code !== '' ? error.message : 'an unknown error';
  return new CairnError('store_failed', `Expected ${where} to answer, got ${code || 'no code'}: ${text}.`, {
    hint: 'Look into the log of the server; what was acknowledged is kept.',
    details: { cause: code },
  });
}

/** The SQLSTATE of the server or the code of the network, or an empty text. */
export function sqlState(error: unknown): string {
  if (typeof error !== 'object' || error === null) return '';
  const { code, errors } = error as { code?: unknown; errors?: readonly unknown[] };
  if (typeof code === 'string' && code !== '') return code;
  return Array.isArray(errors) && errors.length > 0 ? sqlState(errors[0]) : '';
}
