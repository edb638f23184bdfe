// A list of examples with pictures and sounds, one JSON object a line:
// { "prompt": "<image>+<audio>=", "images": ["three.png"], "audio": ["four.wav"], "answer": "7" }
// Paths are relative to the list. Whatever is wrong is said with the number of its line.
import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { CairnError } from '../errors.ts';
import { readPicture, readSound } from './read-file.ts';

export interface ManifestLine {
  /** Counted from 1. */
  readonly line: number;
  readonly prompt: string;
  readonly answer: string;
  /** Absolute paths. */
  readonly images: readonly string[];
  readonly audio: readonly string[];
}

const KEYS = ['prompt', 'answer', 'images', 'audio'];

/** @throws CairnError `no_file`, `bad_manifest` naming the line */
export async function readManifest(file: string): Promise<{ lines: ManifestLine[]; text: string }> {
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new CairnError('no_file', `Expected a list of examples that can be read, got ${file}.`, {
      hint: 'Check the path.',
      cause,
    });
  });
  const lines = text
    .split('\n')
    .map((row, i) => ({ row: row.trim(), line: i + 1 }))
    .filter(({ row }) => row !== '')
    .map(({ row, line }) => parseLine(row, line, dirname(file)));
  if (lines.length < 2) {
    throw new CairnError('bad_manifest', `Expected at least two examples in ${file}, got ${lines.length}.`, {
      hint: 'A tenth of them is held out, and not learned from.',
    });
  }
  return { lines, text };
}

function parseLine(row: string, line: number, folder: string): ManifestLine {
  const bad = (expected: string, got: string): CairnError =>
    new CairnError('bad_manifest', `Expected ${expected} in line ${line}, got ${got}.`, {
      hint: 'A line is { "prompt": "<image>=", "images": ["three.png"], "answer": "3" }.',
      details: { line },
    });
  let json: unknown;
  try {
    json = JSON.parse(row);
  } catch {
    throw bad('a JSON object', JSON.stringify(row.slice(0, 40)));
  }
  if (typeof json !== 'object' || json === null || Array.isArray(json)) throw bad('a JSON object', row.slice(0, 40));
  const unknown = Object.keys(json).find((key) => !KEYS.includes(key));
  if (unknown !== undefined) throw bad(`keys ${KEYS.join(', ')}`, `\`${unknown}\``);
  const { prompt = '', answer, images = [], audio = [] } = json as Record<string, unknown>;
  if (typeof prompt !== 'string') throw bad('a text as `prompt`', JSON.stringify(prompt));
  if (typeof answer !== 'string' || answer === '') {
    throw bad('a text as `answer`', answer === undefined ? 'none' : JSON.stringify(answer));
  }
  const paths = (key: string, value: unknown): string[] => {
    if (!Array.isArray(value) || !value.every((x) => typeof x === 'string')) {
      throw bad(`a list of paths as \`${key}\``, JSON.stringify(value));
    }
    return value.map((path) => resolve(folder, path));
  };
  const made = { line, prompt, answer, images: paths('images', images), audio: paths('audio', audio) };
  if (prompt === '' && made.images.length + made.audio.length === 0) throw bad('something to ask', 'an empty prompt');
  return made;
}

/** The pictures and sounds of a line, as a model of these sizes takes them. @throws CairnError naming the line */
export async function readParts(
  { line, images, audio }: ManifestLine,
  size: { readonly image: number; readonly sampleRate: number },
): Promise<{ images: Float32Array[]; sounds: Float32Array[] }> {
  const told = <T>(file: string, reading: Promise<T>): Promise<T> =>
    reading.catch((error: unknown) => {
      throw inLine(error, line, file);
    });
  const pictures = images.map((file) => told(file, readPicture(file, size.image)));
  const sounds = audio.map((file) => told(file, readSound(file, size.sampleRate)));
  return { images: await Promise.all(pictures), sounds: await Promise.all(sounds) };
}

/** An error that names the line of the list, and the file of that line, where it is one of ours. */
export function inLine(error: unknown, line: number, file?: string): unknown {
  if (!CairnError.isInstance(error)) return error;
  const what = file === undefined ? `line ${line}` : `${file} of line ${line}`;
  return new CairnError(error.code, `${error.message} It is ${what}.`, {
    ...(error.hint === undefined ? {} : { hint: error.hint }),
    details: { line },
    cause: error,
  });
}
