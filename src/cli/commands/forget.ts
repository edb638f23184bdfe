// `cairn forget`: takes one event, or a whole source of texts, out of memory and out of the file's bytes, with a certificate.
import { resolve } from 'node:path';
import { CairnError } from '../../errors.ts';
import { openBoards, openNotes } from '../../mind/index.ts';
import { type Command, memoryOptions } from '../command.ts';
import { withNote } from '../note-of.ts';
import { textErasure } from '../notes-text.ts';

export const forget: Command = {
  name: 'forget',
  about: 'Forget an event, or all of a source: lists, statistics and bytes. Prints a certificate.',
  usage: 'forget EVENT | --source FILE',
  options: {
    ...memoryOptions,
    source: { type: 'string', value: 'FILE', about: 'everything remembered of this file, in all versions' },
  },
  examples: ['cairn forget 1f0c...e2', 'cairn forget --source notes/2024.md --json'],
  async run(args, io) {
    const [id] = args.positionals;
    const source = args.text('source');
    if ((id === undefined) === (source === undefined) || args.positionals.length > 1) {
      throw new CairnError('usage', 'Expected one event or --source FILE, got neither or several.', {
        hint: 'Take an id from `cairn recall`.',
      });
    }
    if (source !== undefined) {
      const notes = await openNotes(io.place);
      try {
        const known = await notes.sources();
        const uri = known.some((state) => state.uri === source) ? source : resolve(source);
        const erased = await notes.forgetSource(uri, Date.now(), {
          signal: io.signal,
          onProgress: (turns, of) => io.status(`forgotten ${turns} of ${of} turns`),
        });
        return { value: { text: erased }, text: textErasure(erased) };
      } finally {
        await notes.close();
      }
    }
    const note = await withNote(io.place, (notes) => notes.forget(id!, Date.now()));
    if (note !== undefined) return { value: { text: note }, text: textErasure(note) };
    const boards = await openBoards({ ...io.place, onProgress: (text) => io.progress(text) });
    try {
      const erased = await boards.forget(id!, 'subtract');
      return { value: erased, text: `Board ${id!} forgotten.` };
    } finally {
      await boards.close();
    }
  },
};
