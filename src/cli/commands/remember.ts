// `cairn remember`: keeps files of text, turn by turn, so that `cairn recall "question"` finds them.
import { relative } from 'node:path';
import { CairnError } from '../../errors.ts';
import { type RememberedText, textFormats, type TextFormat, type TextMemory } from '../../memory/index.ts';
import { openNotes } from '../../mind/index.ts';
import { type Command, memoryOptions } from '../command.ts';
import type { Io } from '../io.ts';
import { findTextFiles, readTextFile } from '../text-files.ts';

interface FailedFile {
  readonly file: string;
  readonly code: string;
  readonly message: string;
}

export const remember: Command = {
  name: 'remember',
  about:
    'Keep files of text (Markdown, plain text, JSONL chats, PDF); a directory is searched. Nothing leaves this machine.',
  usage: 'remember FILE|DIR... [--format plain|markdown|chat]',
  options: {
    ...memoryOptions,
    format: { type: 'string', value: 'NAME', about: 'how to read the files, whatever their names say' },
  },
  examples: ['cairn remember notes/', 'cairn remember chat.jsonl paper.pdf --json'],
  async run(args, io) {
    if (args.positionals.length === 0) {
      throw new CairnError('usage', 'Expected files or directories to remember, got none.', {
        hint: 'Try `cairn remember notes/`.',
      });
    }
    const format = toFormat(args.text('format'));
    const { files, skipped } = findTextFiles(args.positionals);
    if (files.length === 0) {
      throw new CairnError('no_text_files', `Expected text to remember, got ${skipped} files of other formats.`, {
        hint: 'Name a file itself to have it read as plain text.',
      });
    }
    const notes = await openNotes(io.place);
    const done: RememberedText[] = [];
    const failed: FailedFile[] = [];
    try {
      for (const [i, file] of files.entries()) {
        io.signal.throwIfAborted();
        const name = `${i + 1}/${files.length} ${shown(file)}`;
        try {
          done.push(await rememberFile(notes, file, format, name, io));
        } catch (error) {
          // The only file, an interruption or a fault of the memory ends it; one bad file among many does not.
          if (!CairnError.isInstance(error) || !ofFile.has(error.code) || files.length === 1) throw error;
          failed.push({ file, code: error.code, message: error.message });
          io.progress(`${name}: ${error.toText()}`);
        }
      }
    } finally {
      await notes.close();
    }
    return {
      value: { sources: done, failed, skipped },
      text: summary(done, failed, skipped),
      exitCode: failed.length === 0 ? 0 : 1,
    };
  },
};

/** Codes of faults that lie in a file, not in the memory. */
const ofFile: ReadonlySet<string> = new Set([
  'not_text',
  'bad_chat',
  'bad_pdf',
  'pdf_without_text',
  'too_large',
  'file_unreadable',
  'bad_provenance',
]);

async function rememberFile(
  notes: TextMemory,
  file: string,
  format: TextFormat | undefined,
  name: string,
  io: Io,
): Promise<RememberedText> {
  const document = await readTextFile(file, Date.now(), format);
  const kept = await notes.remember(document, {
    signal: io.signal,
    onProgress: (turns, of) => io.status(`${name}: ${turns} of ${of} turns`),
  });
  const what = kept.duplicate
    ? `known already${kept.duplicateOf === undefined ? '' : ` as ${shown(kept.duplicateOf)}`}`
    : `${kept.added} turns${kept.retracted === 0 ? '' : `, ${kept.retracted} of the earlier version set aside`}`;
  io.progress(`${name}: ${what}`);
  return kept;
}

function summary(done: readonly RememberedText[], failed: readonly FailedFile[], skipped: number): string {
  const fresh = done.filter(({ duplicate }) => !duplicate);
  const turns = fresh.reduce((sum, { added }) => sum + added, 0);
  return [
    `${turns} turns of ${fresh.length} ${fresh.length === 1 ? 'file' : 'files'} remembered`,
    ...(done.length > fresh.length ? [`${done.length - fresh.length} known already`] : []),
    ...(skipped > 0 ? [`${skipped} of other formats left out`] : []),
    ...(failed.length > 0
      ? [`${failed.length} not readable: ${failed.map(({ file }) => shown(file)).join(', ')}`]
      : []),
  ].join('; ');
}

/** A path as people write it: below the working directory without its beginning. */
export function shown(path: string): string {
  const below = relative(process.cwd(), path);
  return below === '' || below.startsWith('..') ? path : below;
}

function toFormat(text: string | undefined): TextFormat | undefined {
  if (text === undefined) return undefined;
  const format = textFormats.find((known) => known === text);
  if (format !== undefined) return format;
  throw new CairnError('usage', `Expected ${textFormats.join(', ')} for --format, got "${text}".`);
}
