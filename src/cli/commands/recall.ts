// `cairn recall`: finds remembered boards by an event, by one of its cells, or by some digits.
import { CairnError } from '../../errors.ts';
import { openBoards } from '../../mind/index.ts';
import { parseGrid } from '../../reason/index.ts';
import { hitsText } from '../board-text.ts';
import type { Command } from '../command.ts';

export const recall: Command = {
  name: 'recall',
  about: 'Find remembered boards like an event, sharing one of its cells, or holding given digits.',
  usage: 'recall [EVENT [--cell N]] [--digits 81]   (without arguments: the newest events)',
  options: {
    cell: { type: 'number', about: 'cell 0-80 of the event, row by row: others with the same digit there' },
    digits: { type: 'string', value: '81', about: '81 characters, digits and dots: boards that share most of them' },
    limit: { type: 'number', about: 'how many (default 8)' },
  },
  examples: ['cairn recall', 'cairn recall 1f0c...e2 --cell 40 --json'],
  async run(args, io) {
    const [id] = args.positionals;
    const k = args.number('limit', 1, 100) ?? 8;
    const digits = args.text('digits');
    if (id !== undefined && digits !== undefined)
      throw new CairnError('usage', 'Expected an event or --digits, got both.');
    const cell = args.number('cell', 0, 80);
    if (cell !== undefined && id === undefined)
      throw new CairnError('usage', 'Expected an event beside --cell, got none.');
    const cue = digits === undefined ? undefined : parseCue(digits);
    const boards = await openBoards({ dataDir: io.dataDir, onProgress: (text) => io.progress(text) });
    try {
      if (cue) {
        const hits = await boards.recall({ digits: cue }, k);
        return { value: { hits }, text: hitsText(hits) };
      }
      if (id !== undefined) {
        const related = await boards.related(id, cell, k);
        return { value: related, text: hitsText(related.hits) };
      }
      const events = await boards.list({ limit: k });
      return {
        value: { events },
        text: events.length
          ? events
              .map((b) => `${b.id}  #${b.ordinal}  ${b.status}  ${new Date(b.at).toISOString()}  ${b.source}`)
              .join('\n')
          : `Nothing is remembered in ${io.dataDir} yet. Run \`cairn serve\` or \`cairn ask\`.`,
      };
    } finally {
      await boards.close();
    }
  },
};

function parseCue(text: string): number[] {
  const grid = parseGrid(text);
  if (grid.length !== 81) throw new CairnError('usage', `Expected 81 characters for --digits, got ${grid.length}.`);
  return [...grid];
}
