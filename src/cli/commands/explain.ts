// `cairn explain`: what is known of one remembered event: a turn of a text with those around it, or a board.
import { CairnError } from '../../errors.ts';
import { openBoards } from '../../mind/index.ts';
import { type Command, memoryOptions } from '../command.ts';
import { withNote } from '../note-of.ts';
import { textExplanation } from '../notes-text.ts';

export const explain: Command = {
  name: 'explain',
  about: 'Show where a remembered event comes from and what is kept of it.',
  usage: 'explain EVENT',
  options: memoryOptions,
  examples: ['cairn explain 1f0c...e2', 'cairn explain 1f0c...e2 --json'],
  async run(args, io) {
    const [id] = args.positionals;
    if (id === undefined || args.positionals.length > 1) {
      throw new CairnError('usage', `Expected one event to explain, got ${args.positionals.length}.`, {
        hint: 'Take an id from `cairn recall`.',
      });
    }
    const note = await withNote(io.place, (notes) => notes.explain(id));
    if (note !== undefined) return { value: { text: note }, text: textExplanation(note) };
    const boards = await openBoards({ ...io.place, onProgress: (text) => io.progress(text) });
    try {
      const event = await boards.event(id);
      return {
        value: event,
        text: `${id}\n#${event.ordinal}  ${event.task}  ${event.board?.status ?? ''}  ${new Date(event.at).toISOString()}\nAll of it: --json, or the studio.`,
      };
    } finally {
      await boards.close();
    }
  },
};
