// A person's own texts beside the engine's events: one file of its own in the data directory, so that boards and notes never
// stand in each other's lists, and either can be deleted alone.
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { CairnError } from '../errors.ts';
import { type TextEmbedder, TextMemory } from '../memory/index.ts';
import { openBirth } from './_servers.ts';

export interface NotesOptions {
  /** The file is `notes.db` in it. */
  readonly dataDir: string;
  /** Keep the texts on a PostgreSQL server instead, or on several: `postgres://` URLs. */
  readonly store?: string | readonly string[] | undefined;
  readonly replicas?: 1 | 2 | undefined;
  /** Names the random maps of a new memory; keep it secret where others choose the texts. Default: `cairn`. */
  readonly seed?: string | undefined;
  readonly embedder?: TextEmbedder | undefined;
}

export function notesFile(dataDir: string): string {
  return join(dataDir, 'notes.db');
}

/** True when something was remembered in this directory, or may have been on servers. */
export function hasNotes({ dataDir, store }: Pick<NotesOptions, 'dataDir' | 'store'>): boolean {
  return store !== undefined || existsSync(notesFile(dataDir));
}

/**
 * Opens the texts of a data directory.
 * @throws CairnError `data_dir` and what `Memory.open` throws
 */
export async function openNotes(options: NotesOptions): Promise<TextMemory> {
  const { dataDir, seed = 'cairn', embedder, store, replicas } = options;
  const extra = embedder === undefined ? {} : { embedder };
  if (store !== undefined) {
    const opened = await openBirth(store, replicas, 'notes', { seed });
    try {
      return await TextMemory.open({ ...opened, ...extra });
    } catch (error) {
      await opened.store.close();
      throw error;
    }
  }
  const path = notesFile(dataDir);
  try {
    await mkdir(dataDir, { recursive: true });
  } catch (cause) {
    throw new CairnError('data_dir', `Expected a directory that can be written, got ${dataDir}.`, {
      cause,
      hint: 'Choose another with --data.',
    });
  }
  return TextMemory.open({
    path,
    ...(existsSync(path) ? {} : { seed }),
    ...extra,
  });
}
