// `cairn ask solve-board --image FILE`: reads a picture of a Sudoku, solves it, proves or withholds the answer, remembers it.
import { basename, resolve } from 'node:path';
import { CairnError } from '../../errors.ts';
import { openBoards } from '../../mind/index.ts';
import { boardText } from '../board-text.ts';
import { type Command, memoryOptions } from '../command.ts';
import { readBounded } from '../read-file.ts';

export const ask: Command = {
  name: 'ask',
  about: 'Ask the mind: read and solve the Sudoku in a picture, with a proof or not at all.',
  usage: 'ask solve-board --image FILE.png',
  options: {
    ...memoryOptions,
    image: {
      type: 'string',
      value: 'FILE',
      about: 'PNG of a 9 x 9 board: grid lines, handwriting, any size and colour',
    },
  },
  examples: ['cairn ask solve-board --image board.png --json'],
  async run(args, io) {
    const task = args.positionals[0];
    if (task !== 'solve-board') {
      throw new CairnError(
        'usage',
        `Expected the task solve-board, got ${task === undefined ? 'none' : `"${task}"`}.`,
        {
          hint: 'Run `cairn ask --help`.',
        },
      );
    }
    const file = args.text('image');
    if (file === undefined) throw new CairnError('usage', 'Expected --image FILE, got none.');
    const png = await readBounded(resolve(file), 'image', 'a picture');
    const boards = await openBoards({ ...io.place, onProgress: (text) => io.progress(text) });
    try {
      const board = await boards.askImage(png, { name: basename(file), signal: io.signal });
      return { value: board, text: boardText(board) };
    } finally {
      await boards.close();
    }
  },
};
