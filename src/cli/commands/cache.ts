// `cairn cache`: answers that the gateway keeps. Counts them, and deletes them for good.
import { CairnError } from '../../errors.ts';
import { openAnswerTable } from '../../serve/index.ts';
import type { Command } from '../command.ts';
import { answersPath } from '../gateway-state.ts';

export const cache: Command = {
  name: 'cache',
  about: 'Count and delete answers that the gateway keeps.',
  usage: 'cache show   |   cairn cache clear [--key NAME | --event ID]',
  options: {
    key: { type: 'string', value: 'NAME', about: 'only those of this client key' },
    event: { type: 'string', value: 'ID', about: 'only the answer of this event' },
  },
  examples: ['cairn cache show', 'cairn cache clear --key alice'],
  async run(args, io) {
    const [what] = args.positionals;
    if (what !== 'show' && what !== 'clear') {
      throw new CairnError('usage', 'Expected show or clear.', { hint: 'Run `cairn cache --help`.' });
    }
    const answers = openAnswerTable(answersPath(io));
    try {
      if (what === 'show') {
        const size = await answers.size(Date.now());
        return { value: size, text: `${size.entries} answers, ${(size.bytes / 1024).toFixed(0)} KiB` };
      }
      const [key, event] = [args.text('key'), args.text('event')];
      if (key !== undefined && event !== undefined) {
        throw new CairnError('usage', 'Expected --key or --event, got both.', { hint: 'Run it twice.' });
      }
      const dropped = await answers.drop(event !== undefined ? { event } : key !== undefined ? { key } : 'all');
      return { value: { dropped }, text: `${dropped} ${dropped === 1 ? 'answer was' : 'answers were'} deleted.` };
    } finally {
      await answers.close();
    }
  },
};
