// Names of components in remembered texts. The memory keeps components as keys alone; what they are called stands in the texts
// that have them, for as long as those are remembered.
import type { EventId, Memory } from '../memory.ts';
import { findEntities } from './entities.ts';
import { entityObject } from './trace.ts';

/** Names of the entities in some remembered turns, by the keys of their components. */
export async function namesIn(memory: Memory, ids: readonly EventId[]): Promise<Map<number, string>> {
  const events = (await Promise.all(ids.map((id) => memory.get(id)))).filter((event) => event !== undefined);
  const texts = await memory.texts(events.map((event) => event.provenance));
  const decoder = new TextDecoder();
  const names = new Map<number, string>();
  for (const bytes of texts) {
    if (bytes === undefined) continue;
    const text = decoder.decode(bytes);
    const speaker = /^\s*"?([\p{L}][\p{L}\p{N} ._-]{0,40}):\s/u.exec(text)?.[1];
    for (const entity of findEntities(text, speaker)) names.set(memory.nodeOf(entityObject(entity)), entity.name);
  }
  return names;
}
