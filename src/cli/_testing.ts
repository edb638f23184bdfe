// What a command is given in tests: a folder of its own, nothing printed.
import { join } from 'node:path';
import type { Io } from './io.ts';

export function quietIo(folder: string, more: Partial<Io> = {}): Io {
  const dataDir = join(folder, 'data');
  return {
    json: false,
    quiet: false,
    debug: false,
    color: false,
    root: folder,
    dataDir,
    place: { dataDir, store: undefined, replicas: undefined },
    signal: new AbortController().signal,
    progress: () => undefined,
    status: () => undefined,
    print: () => undefined,
    ...more,
  };
}
