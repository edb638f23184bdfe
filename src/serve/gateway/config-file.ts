// The configuration file as people edit it: read without its secrets, written back with them. Nothing of it is filled in, so that
// what was never written stays the default of a later version.
import { createHash } from 'node:crypto';
import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  realpathSync,
  renameSync,
  statSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { CairnError } from '../../errors.ts';
import { REDACTED, redactJson } from '../../providers/index.ts';

/** The file as it stands. */
export interface ConfigFileView {
  readonly path: string;
  readonly exists: boolean;
  /** Changes with every change of the file; a write names the one it was made from. */
  readonly version: string;
  /** What is written in it, secrets masked. An empty object where there is no file. */
  readonly config: unknown;
}

/** Reads the file; one that is no JSON has no `config`. */
export function viewConfigFile(path: string, redact: (text: string) => string): ConfigFileView {
  const text = textOf(path);
  return {
    path,
    exists: text !== undefined,
    version: versionOf(text),
    config: text === undefined ? {} : redactJson(jsonOf(text), redact),
  };
}

/**
 * What a changed view means for the file: masked texts are those of the file again.
 * @throws CairnError `config_changed` when the file is another than the one that was seen; `bad_config` for a mask in a new place
 */
export function unmask(path: string, seen: string, next: unknown, redact: (text: string) => string): unknown {
  const text = textOf(path);
  if (versionOf(text) !== seen) {
    throw new CairnError(
      'config_changed',
      'Expected the configuration file as it was seen, got one that has changed since.',
      {
        hint: 'Read it again and make the change once more.',
      },
    );
  }
  return restore(next, text === undefined ? undefined : jsonOf(text), redact, 'the file');
}

/** Writes the file as a whole or not at all, with the rights it had; a new one can be read by its owner only. */
export function writeConfigFile(path: string, config: unknown): string {
  const text = `${JSON.stringify(config, null, 2)}\n`;
  try {
    mkdirSync(dirname(path), { recursive: true });
    const exists = textOf(path) !== undefined;
    const real = exists ? realpathSync(path) : path;
    const draft = `${real}.${process.pid}.new`;
    const file = openSync(draft, 'w', exists ? statSync(real).mode & 0o777 : 0o600);
    try {
      writeSync(file, text);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(draft, real);
  } catch (cause) {
    throw new CairnError('config_not_written', `Expected to write the configuration to ${path}, got a refusal.`, {
      hint: 'Check that the folder can be written and has room; the configuration before it stays in use.',
      cause,
    });
  }
  return versionOf(text);
}

/** The version of a file that is not there. */
export const NO_FILE = 'none';

export function versionOf(text: string | undefined): string {
  return text === undefined ? NO_FILE : createHash('sha256').update(text).digest('hex').slice(0, 16);
}

export function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

/** Lists of things with ids are matched by id, others by place. */
function restore(next: unknown, now: unknown, redact: (text: string) => string, at: string): unknown {
  if (typeof next === 'string') {
    if (!next.includes(REDACTED)) return next;
    if (typeof now === 'string' && redact(now) === next) return now;
    throw new CairnError('bad_config', `Expected a value at ${at}, got the mask of a secret that is not there.`, {
      hint: 'Secrets stay in the environment or in a file: use apiKeyEnv or apiKeyFile.',
    });
  }
  if (Array.isArray(next)) {
    const list = Array.isArray(now) ? (now as readonly unknown[]) : [];
    return next.map((item: unknown, i) => {
      const id = idOf(item);
      return restore(item, id === undefined ? list[i] : list.find((x) => idOf(x) === id), redact, `${at}[${id ?? i}]`);
    });
  }
  if (typeof next !== 'object' || next === null) return next;
  const before = typeof now === 'object' && now !== null ? (now as Readonly<Record<string, unknown>>) : {};
  return Object.fromEntries(
    Object.entries(next).map(([key, value]) => [key, restore(value, before[key], redact, `${at}.${key}`)]),
  );
}

function idOf(value: unknown): string | undefined {
  const id = typeof value === 'object' && value !== null ? (value as { id?: unknown }).id : undefined;
  return typeof id === 'string' ? id : undefined;
}
