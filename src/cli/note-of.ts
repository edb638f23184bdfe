// Looks for an event among the remembered texts first: ids of texts and of boards look alike and live in two files.
import { CairnError } from '../errors.ts';
import type { TextMemory } from '../memory/index.ts';
import { hasNotes, openNotes } from '../mind/index.ts';
import type { Place } from './io.ts';

/** Does something with a remembered text; undefined when `work` does not find its event there, or nothing is remembered. */
export async function withNote<T>(place: Place, work: (notes: TextMemory) => Promise<T>): Promise<T | undefined> {
  if (!hasNotes(place)) return undefined;
  const notes = await openNotes(place);
  try {
    return await work(notes);
  } catch (error) {
    if (CairnError.isInstance(error) && error.code === 'event_not_found') return undefined;
    throw error;
  } finally {
    await notes.close();
  }
}
