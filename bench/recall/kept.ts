// A figure that takes long to make, in a file beside what it belongs to: made once, read by later runs.
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';

/** What the file says, or what `make` makes, written for the next time. */
export async function kept<T>(file: string, make: () => Promise<T> | T): Promise<T> {
  if (existsSync(file)) return JSON.parse(readFileSync(file, 'utf8')) as T;
  const value = await make();
  // Whole or not at all: an interrupted run leaves nothing that looks finished.
  writeFileSync(`${file}.new`, JSON.stringify(value));
  renameSync(`${file}.new`, file);
  return value;
}
