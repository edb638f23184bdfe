// A memory on servers: it gets its seed when it is new, and is asked for none later.
import { Memory, type MemoryOptions, openStore, type Store } from '../memory/index.ts';

/** Opens the store of a memory and what makes a new one. `part` tells several memories of the same servers apart. */
export async function openBirth(
  where: string | readonly string[],
  replicas: 1 | 2 | undefined,
  part: string | undefined,
  birth: Pick<MemoryOptions, 'seed' | 'spec'>,
): Promise<{ store: Store } & Pick<MemoryOptions, 'seed' | 'spec'>> {
  const store = await openStore(where, {
    ...(replicas === undefined ? {} : { replicas }),
    ...(part === undefined ? {} : { part }),
  });
  try {
    return { store, ...((await store.stat('spec')) === undefined ? birth : {}) };
  } catch (error) {
    await store.close();
    throw error;
  }
}

export async function openOnServers(...args: Parameters<typeof openBirth>): Promise<Memory> {
  const options = await openBirth(...args);
  try {
    return await Memory.open(options);
  } catch (error) {
    await options.store.close();
    throw error;
  }
}
