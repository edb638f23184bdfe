// `cairn recall`: finds remembered texts by a question, and boards by an event, by one of its cells, or by some digits.
import { CairnError } from '../../errors.ts';
import { parseDate } from '../../memory/index.ts';
import { hasNotes, openBoards, openNotes } from '../../mind/index.ts';
import { parseGrid } from '../../reason/index.ts';
import { hitsText } from '../board-text.ts';
import { type Args, type Command, type CommandResult, memoryOptions } from '../command.ts';
import type { Io } from '../io.ts';
import { textHits } from '../notes-text.ts';

export const recall: Command = {
  name: 'recall',
  about: 'Find remembered texts by a question, or boards like an event, sharing a cell, or holding given digits.',
  usage: 'recall ["QUESTION" | EVENT [--cell N] | --digits 81]   (without arguments: the newest boards)',
  options: {
    ...memoryOptions,
    cell: { type: 'number', about: 'cell 0-80 of the event, row by row: others with the same digit there' },
    digits: { type: 'string', value: '81', about: '81 characters, digits and dots: boards that share most of them' },
    limit: { type: 'number', about: 'how many (default 8)' },
    source: { type: 'string', value: 'TEXT', about: 'texts: only of files whose path contains this' },
    from: { type: 'string', value: 'DATE', about: 'texts: said on this day or later' },
    to: { type: 'string', value: 'DATE', about: 'texts: said on this day or earlier' },
  },
  examples: ['cairn recall "Where did Ann find the key?"', 'cairn recall', 'cairn recall 1f0c...e2 --cell 40 --json'],
  async run(args, io) {
    const [id] = args.positionals;
    if (id !== undefined && !/^[0-9a-f]{32}$/.test(id)) return recallText(args, io);
    const k = args.number('limit', 1, 100) ?? 8;
    const digits = args.text('digits');
    if (id !== undefined && digits !== undefined)
      throw new CairnError('usage', 'Expected an event or --digits, got both.');
    const cell = args.number('cell', 0, 80);
    if (cell !== undefined && id === undefined)
      throw new CairnError('usage', 'Expected an event beside --cell, got none.');
    const cue = digits === undefined ? undefined : parseCue(digits);
    const boards = await openBoards({ ...io.place, onProgress: (text) => io.progress(text) });
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

async function recallText(args: Args, io: Io): Promise<CommandResult> {
  const question = args.positionals.join(' ');
  for (const other of ['digits', 'cell']) {
    if (args.text(other) !== undefined) {
      throw new CairnError('usage', `Expected a question without --${other}, got both.`);
    }
  }
  const k = args.number('limit', 1, 100) ?? 8;
  const from = toDay(args.text('from'), 'from');
  const to = toDay(args.text('to'), 'to');
  const between =
    from === undefined && to === undefined ? undefined : ([from ?? -Infinity, (to ?? Infinity) + DAY_MS - 1] as const);
  const source = args.text('source');
  if (!hasNotes(io.place)) {
    return { value: { hits: [] }, text: `No text is remembered in ${io.dataDir} yet. Run \`cairn remember FILE\`.` };
  }
  const notes = await openNotes(io.place);
  try {
    const hits = await notes.recall(question, k, {
      ...(between === undefined ? {} : { between }),
      ...(source === undefined ? {} : { source }),
    });
    return { value: { hits }, text: textHits(hits) };
  } finally {
    await notes.close();
  }
}

const DAY_MS = 86_400_000;

function toDay(text: string | undefined, name: string): number | undefined {
  if (text === undefined) return undefined;
  const at = parseDate(text);
  if (at !== undefined) return at;
  throw new CairnError('usage', `Expected a date for --${name}, got "${text}".`, { hint: 'Write it as 2024-05-07.' });
}

function parseCue(text: string): number[] {
  const grid = parseGrid(text);
  if (grid.length !== 81) throw new CairnError('usage', `Expected 81 characters for --digits, got ${grid.length}.`);
  return [...grid];
}
