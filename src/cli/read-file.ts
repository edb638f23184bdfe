// Files of a bounded size that a command line names.
import { readFile, stat } from 'node:fs/promises';
import { readPng, readWav, resampleAudio, toInk } from '../data/index.ts';
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

/** A PNG as ink `[size * size]`. @throws CairnError those of `readBounded` and `readPng` */
export async function readPicture(file: string, size: number): Promise<Float32Array> {
  return toInk(readPng(await readBounded(file, 'image', 'a picture')), size);
}

/** A WAV file as samples at a rate, or at its own. @throws CairnError those of `readBounded` and `readWav` */
export async function readSound(file: string, rate?: number): Promise<Float32Array> {
  const { samples, sampleRate } = readWav(await readBounded(file, 'audio', 'a WAV file'));
  return resampleAudio(samples, sampleRate, rate ?? sampleRate);
}
