// What the mind keeps beside its memory: the fitted routers, one small JSON file, replaced as a whole.
import { randomBytes } from 'node:crypto';
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { CairnError } from '../errors.ts';
import type { RouterState } from '../route/index.ts';

export interface MindState {
  readonly version: 1;
  readonly routers: Readonly<Record<string, RouterState>>;
}

/** @throws CairnError `bad_state` for a file that is not a mind's state */
export async function readState(path: string): Promise<MindState | undefined> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    const state: unknown = JSON.parse(text);
    if (isState(state)) return state;
  } catch {
    // told below
  }
  throw new CairnError('bad_state', 'Expected the fitted routers of version 1 in mind.json, got another file.', {
    hint: 'Delete mind.json in the data directory; routers are fitted again.',
  });
}

/** Writes to a temporary file, syncs, renames: the old state or the new one is there, never half of it. */
export async function writeState(path: string, state: MindState): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const temporary = `${path}.${randomBytes(4).toString('hex')}.tmp`;
  try {
    const file = await open(temporary, 'w');
    try {
      await file.writeFile(JSON.stringify(state));
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

function isState(value: unknown): value is MindState {
  if (typeof value !== 'object' || value === null) return false;
  const { version, routers }: { version?: unknown; routers?: unknown } = value;
  return version === 1 && typeof routers === 'object' && routers !== null;
}
