// `cairn ask solve-board --image FILE`: reads a picture of a Sudoku, solves it, proves or withholds the answer, remembers it.
import { readFile, stat } from 'node:fs/promises';
import { basename, resolve } from 'node:path';
import { CairnError } from '../../errors.ts';
import { openBoards } from '../../mind/index.ts';
import { boardText } from '../board-text.ts';
import { type Command, memoryOptions } from '../command.ts';

const MAX_IMAGE_BYTES = 64 * 2 ** 20;

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
    const png = await readImage(resolve(file));
    const boards = await openBoards({ ...io.place, onProgress: (text) => io.progress(text) });
    try {
      const board = await boards.askImage(png, { name: basename(file), signal: io.signal });
      return { value: board, text: boardText(board) };
    } finally {
      await boards.close();
    }
  },
};

async function readImage(file: string): Promise<Uint8Array> {
  try {
    const { size } = await stat(file);
    if (size > MAX_IMAGE_BYTES) {
      throw new CairnError(
        'image_too_large',
        `Expected a picture of at most 64 MiB, got ${Math.round(size / 2 ** 20)} MiB.`,
        {
          hint: 'Scale it down.',
        },
      );
    }
    return await readFile(file);
  } catch (cause) {
    if (CairnError.isInstance(cause)) throw cause;
    throw new CairnError('no_file', `Expected a picture that can be read, got ${file}.`, {
      hint: 'Check the path.',
      cause,
    });
  }
}
