// The HTTP API of the memory as a whole: its map and what it takes. Maps are drawn once for a state of the memory and kept.
import type { Hono } from 'hono';
import { CairnError } from '../errors.ts';
import { type Memory, namesIn, type TextMemory } from '../memory/index.ts';
import { memoryMap, type MapOptions, type MemoryMap } from '../mind/index.ts';
import { toInteger } from './_query.ts';
import type { BoardService } from './service.ts';

export interface MemoryParts {
  readonly boards: () => Promise<BoardService>;
  readonly notes: () => Promise<TextMemory>;
}

/** A map is at most this old while its memory grows. */
const FRESH_MS = 15_000;
const MOST_EVENTS = 10_000;

interface Drawn {
  readonly revision: number;
  readonly limit: number;
  readonly at: number;
  readonly map: Promise<MemoryMap>;
}

/** Adds `GET /api/memory/map` and `GET /api/memory/stats`. */
export function addMemoryApi(app: Hono, parts: MemoryParts): void {
  const drawn = new Map<string, Drawn>();
  const find = async (which: string | undefined): Promise<{ memory: Memory; label?: MapOptions['label'] }> => {
    if (which === 'texts') return { memory: (await parts.notes()).memory };
    if (which !== undefined && which !== 'boards') {
      throw new CairnError('bad_query', 'Expected which to be boards or texts, got another value.', {
        hint: 'Leave it out for the boards.',
      });
    }
    const service = await parts.boards();
    if (service.memory !== undefined) return service.memory;
    throw new CairnError('not_available', 'Expected a service with a memory that can be drawn, got one without.');
  };
  app.get('/api/memory/map', async (c) => {
    const which = c.req.query('which') ?? 'boards';
    const limit = toInteger('limit', c.req.query('limit'), 1, MOST_EVENTS) ?? 4_000;
    const { memory, label } = await find(which);
    const revision = await memory.store.revision();
    const known = drawn.get(which);
    const now = performance.now();
    if (known === undefined || known.limit !== limit || (known.revision !== revision && now - known.at > FRESH_MS)) {
      const plain = memoryMap(memory, { limit, ...(label === undefined ? {} : { label }) });
      const map = which === 'texts' ? plain.then((drawnMap) => withNames(memory, drawnMap)) : plain;
      drawn.set(which, { revision, limit, at: now, map });
      map.catch(() => drawn.delete(which));
    }
    return c.json(await drawn.get(which)!.map);
  });
  app.get('/api/memory/stats', async (c) => c.json(await (await find(c.req.query('which'))).memory.stats()));
}

/** Examples of a component that are read for its name, and components that get one. */
const EXAMPLES = 2;
const MOST_NAMED = 200;

/** Components of texts are called what the texts call them. */
async function withNames(memory: Memory, map: MemoryMap): Promise<MemoryMap> {
  const examples = new Map<number, string[]>();
  for (const [event, component] of map.has) {
    const list = examples.get(component) ?? [];
    if (component < MOST_NAMED && list.length < EXAMPLES) examples.set(component, [...list, map.events[event]!.id]);
  }
  const names = await namesIn(memory, [...new Set([...examples.values()].flat())]);
  return { ...map, components: map.components.map((c) => ({ ...c, label: names.get(c.key) ?? c.label })) };
}
