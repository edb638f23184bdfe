// From the faults of SQLite and of the file system to coded errors that say what to do next.
import { CairnError } from '../errors.ts';

interface Fault {
  readonly test: RegExp;
  readonly code: string;
  readonly message: (path: string) => string;
  readonly hint: string;
}

const faults: readonly Fault[] = [
  {
    test: /^(SQLITE_FULL|ENOSPC|EDQUOT|SQLITE_IOERR_WRITE|SQLITE_IOERR_FSYNC)$/,
    code: 'store_full',
    message: (path) => `Expected room to write ${path}, got a full disk.`,
    hint: 'Free some space or move the data directory; what was acknowledged is safe and nothing was half written.',
  },
  {
    test: /^(SQLITE_READONLY.*|EACCES|EPERM|EROFS|SQLITE_CANTOPEN.*|ENOENT|EEXIST|ENOTDIR|EISDIR|SQLITE_PERM|SQLITE_IOERR_ACCESS)$/,
    code: 'store_not_writable',
    message: (path) => `Expected a place to write at ${path}, got one that cannot be written.`,
    hint: 'Check owner and permissions, or choose another directory with --data.',
  },
  {
    test: /^SQLITE_NOTADB$/,
    code: 'store_foreign',
    message: (path) => `Expected a Cairn store at ${path}, got another kind of file.`,
    hint: 'Choose another path, or move the file away; it was not changed.',
  },
  {
    test: /^(SQLITE_CORRUPT.*|SQLITE_FORMAT|SQLITE_IOERR_SHORT_READ|SQLITE_IOERR_CORRUPTFS)$/,
    code: 'store_corrupt',
    message: (path) => `Expected an intact store at ${path}, got damaged pages.`,
    hint: 'Keep a copy of the file, restore a backup, or move it away to start empty.',
  },
  {
    test: /^(SQLITE_BUSY.*|SQLITE_LOCKED.*|SQLITE_PROTOCOL)$/,
    code: 'store_locked',
    message: (path) => `Expected to be the only user of ${path}, got one that another process has open.`,
    hint: 'Stop the other process, or give this one its own directory with --data.',
  },
  {
    test: /^SQLITE_IOERR.*$/,
    code: 'store_io',
    message: (path) => `Expected to read and write ${path}, got an input/output error.`,
    hint: 'Check the disk; what was acknowledged before is kept.',
  },
];

/** A CairnError for any error of the database; CairnErrors pass through. */
export function toStoreError(error: unknown, path: string): CairnError {
  if (CairnError.isInstance(error)) return error;
  const code = codeOf(error);
  const fault = faults.find((f) => f.test.test(code));
  if (fault !== undefined) {
    return new CairnError(fault.code, fault.message(path), {
      hint: fault.hint,
      cause: error,
      details: { cause: code },
    });
  }
  const text = error instanceof Error ? error.message : String(error);
  return new CairnError('store_failed', `Expected the database at ${path} to answer, got: ${text}.`, {
    hint: 'Run `cairn doctor`; if the file is intact, please report this.',
    cause: error,
  });
}

/** The code that SQLite or the file system gave, or an empty text. */
export function codeOf(error: unknown): string {
  if (typeof error !== 'object' || error === null) return '';
  const { code, message } = error as { code?: unknown; message?: unknown };
  if (typeof code === 'string' && code !== '') return code;
  if (typeof message !== 'string') return '';
  // The driver reports a failed open as a text that ends in SQLite's number.
  const number = /ConnectionFailed\(.*: (\d+)"?\)$/.exec(message)?.[1];
  if (number === '26' || message.includes('not a database')) return 'SQLITE_NOTADB';
  return number === undefined ? '' : 'SQLITE_CANTOPEN';
}
