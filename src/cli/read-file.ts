// Files of a bounded size that a command line names.
import { readFile, stat } from 'node:fs/promises';
import { CairnError } from '../errors.ts';

const MAX_BYTES = 64 * 2 ** 20;

/**
 * All bytes of a file.
 * @param what what it should be, with its article
 * @throws CairnError `no_file`, or `<kind>_too_large` above 64 MiB
 */
export async function readBounded(file: string, kind: 'image' | 'audio', what: string): Promise<Uint8Array> {
  try {
    const { size } = await stat(file);
    if (size > MAX_BYTES) {
      throw new CairnError(
        `${kind}_too_large`,
        `Expected ${what} of at most 64 MiB, got ${Math.round(size / 2 ** 20)} MiB.`,
        { hint: kind === 'image' ? 'Scale it down.' : 'Cut it.' },
      );
    }
    return await readFile(file);
  } catch (cause) {
    if (CairnError.isInstance(cause)) throw cause;
    throw new CairnError('no_file', `Expected ${what} that can be read, got ${file}.`, {
      hint: 'Check the path.',
      cause,
    });
  }
}
