// Finds and reads the files of `cairn remember`: a directory is searched for the formats that are known, a file that was
// named is read whatever its name says.
import { createHash } from 'node:crypto';
import { type Dirent, readdirSync, readFileSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { CairnError } from '../errors.ts';
import { formatOf, isPdf, pdfText, type TextDocument, type TextFormat } from '../memory/index.ts';

/** Larger files are refused: a text of this size is a data set. */
export const MAX_TEXT_BYTES = 256 * 1024 * 1024;
const MOST_FILES = 100_000;

export interface FoundFiles {
  /** Absolute, sorted, each once. */
  readonly files: readonly string[];
  /** Files in searched directories whose format is not known. */
  readonly skipped: number;
}

/** @throws CairnError `file_not_found`, `too_many_files` */
export function findTextFiles(paths: readonly string[]): FoundFiles {
  const files = new Set<string>();
  let skipped = 0;
  for (const given of paths) {
    const path = resolve(given);
    let directory: boolean;
    try {
      directory = statSync(path).isDirectory();
    } catch (cause) {
      throw new CairnError('file_not_found', `Expected a file or directory, got nothing at ${given}.`, {
        hint: 'Check the path.',
        cause,
      });
    }
    if (!directory) {
      files.add(path);
      continue;
    }
    for (const file of walk(path)) {
      if (formatOf(file) === undefined) skipped++;
      else files.add(file);
      if (files.size > MOST_FILES) {
        throw new CairnError('too_many_files', `Expected at most ${MOST_FILES} files below ${given}, got more.`, {
          hint: 'Name the folders one by one.',
        });
      }
    }
  }
  return { files: [...files].sort(), skipped };
}

/** Files below a directory; hidden ones, installed packages and links to elsewhere are left out. */
function* walk(directory: string): Generator<string> {
  let entries: Dirent[];
  try {
    entries = readdirSync(directory, { withFileTypes: true });
  } catch {
    return; // a directory that cannot be read holds nothing for us
  }
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    if (entry.name.startsWith('.') || entry.name === 'node_modules') continue;
    const path = join(directory, entry.name);
    if (entry.isDirectory()) yield* walk(path);
    else if (entry.isFile()) yield path;
  }
}

/** @throws CairnError `too_large`, `file_unreadable`, `bad_pdf`, `pdf_without_text` */
export async function readTextFile(path: string, at: number, format?: TextFormat): Promise<TextDocument> {
  let raw: Uint8Array;
  try {
    const { size } = statSync(path);
    if (size > MAX_TEXT_BYTES) {
      throw new CairnError('too_large', `Expected a text of at most ${MAX_TEXT_BYTES} bytes, got ${size} at ${path}.`, {
        hint: 'Split it first.',
      });
    }
    raw = new Uint8Array(readFileSync(path));
  } catch (cause) {
    if (CairnError.isInstance(cause)) throw cause;
    throw new CairnError('file_unreadable', `Expected a file that can be read, got ${path}.`, {
      hint: 'Check its permissions.',
      cause,
    });
  }
  const sha256 = createHash('sha256').update(raw).digest('hex');
  const bytes = isPdf(raw) ? await pdfText(raw, path) : raw;
  return { uri: path, bytes, sha256, format: isPdf(raw) ? 'plain' : (format ?? formatOf(path) ?? 'plain'), at };
}
