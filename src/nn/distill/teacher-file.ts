// What a teacher expects at every token of a text, kept sparse: k next tokens. A file is the length of a JSON header (u64), the
// header, then one record a token: k ids (u16, or u32 beyond 65,535 tokens) and k log probabilities (f16), likeliest first.
// Records have one size, so any range is read without the rest. Not a cache of logits.
import { closeSync, fstatSync, openSync, readSync, renameSync, rmSync, writeSync } from 'node:fs';
import { z } from 'zod';
import { CairnError } from '../../errors.ts';
import { convert, type HostTensor } from '../../tensor/index.ts';

const headerSchema = z.looseObject({
  format: z.literal('cairn-teacher-1'),
  /** SHA-256 of the teacher's weights. */
  teacher: z.string(),
  /** SHA-256 of the token ids the records belong to. */
  text: z.string(),
  k: z.int().min(1),
  vocab: z.int().min(1),
  /** Temperature of the probabilities. */
  temperature: z.number().positive(),
  /**
   * `likeliest`: the k largest probabilities, the rest is implied. `drawn`: a distribution on k tokens that is right on average, see
   * `drawSparse`. Files without the key have the likeliest.
   */
  kept: z.enum(['likeliest', 'drawn']).optional(),
  /** Records: record t is about the token after token t. */
  tokens: z.int().min(0),
});

export type TeacherHeader = z.infer<typeof headerSchema>;

/** Records of a range, `[count, k]`. */
export interface TeacherRecords {
  readonly ids: Int32Array;
  /** Log probabilities, or log weights of drawn tokens, largest first. */
  readonly logp: Float32Array;
}

export interface TeacherFile extends Disposable {
  readonly header: TeacherHeader;
  /**
   * Records `start` to before `start + count`.
   * @throws CairnError `bad_range`
   */
  read(start: number, count: number): TeacherRecords;
  close(): void;
}

/** Bytes of one record. */
export function recordBytes({ k, vocab }: Pick<TeacherHeader, 'k' | 'vocab'>): number {
  return k * ((vocab > 65_535 ? 4 : 2) + 2);
}

const HEAD = 8;
const MAX_HEADER = 1_000_000;

/**
 * Opens a teacher file.
 * @throws CairnError `bad_teacher` for a file that is none, or is cut off
 * @example
 * using teacher = openTeacher('teacher.bin');
 * const { ids, logp } = teacher.read(1000, 64); // [64, k]
 */
export function openTeacher(path: string): TeacherFile {
  const fd = openFile(path);
  try {
    const { header, start } = readHeader(fd, path);
    const size = recordBytes(header);
    const expected = start + size * header.tokens;
    const actual = fstatSync(fd).size;
    if (actual !== expected) throw bad(path, `${expected} bytes`, `${actual}`);
    const close = (): void => closeSync(fd);
    return {
      header,
      read(from, count) {
        if (
          !Number.isInteger(from) ||
          !Number.isInteger(count) ||
          from < 0 ||
          count < 0 ||
          from + count > header.tokens
        ) {
          throw new CairnError(
            'bad_range',
            `Expected records from 0 to ${header.tokens}, got ${from} to ${from + count}.`,
          );
        }
        const bytes = new Uint8Array(size * count);
        readFully(fd, bytes, start + size * from, path);
        return unpack(bytes, header, count);
      },
      close,
      [Symbol.dispose]: close,
    };
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

function openFile(path: string): number {
  try {
    return openSync(path, 'r');
  } catch (cause) {
    throw new CairnError('bad_teacher', `Expected a teacher file at ${path}, got none that can be read.`, {
      hint: 'Write one with `cairn train teacher`.',
      cause,
    });
  }
}

function readHeader(fd: number, path: string): { header: TeacherHeader; start: number } {
  const head = new Uint8Array(HEAD);
  readFully(fd, head, 0, path);
  const length = Number(new DataView(head.buffer).getBigUint64(0, true));
  if (length > MAX_HEADER) throw bad(path, `a header of at most ${MAX_HEADER} bytes`, `${length}`);
  const text = new Uint8Array(length);
  readFully(fd, text, HEAD, path);
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder().decode(text));
  } catch {
    throw bad(path, 'a JSON header', 'something else');
  }
  const parsed = headerSchema.safeParse(json);
  if (!parsed.success) {
    const key = parsed.error.issues[0]!.path.join('.');
    throw bad(path, `a valid key \`${key}\` in its header`, parsed.error.issues[0]!.message);
  }
  if (parsed.data.k > parsed.data.vocab) throw bad(path, `k of at most ${parsed.data.vocab}`, `${parsed.data.k}`);
  return { header: parsed.data, start: HEAD + length };
}

function readFully(fd: number, into: Uint8Array, at: number, path: string): void {
  let done = 0;
  while (done < into.length) {
    const n = readSync(fd, into, done, into.length - done, at + done);
    if (n === 0) throw bad(path, `${at + into.length} bytes`, `${at + done}`);
    done += n;
  }
}

function bad(path: string, expected: string, got: string): CairnError {
  return new CairnError('bad_teacher', `Expected ${expected} in ${path}, got ${got}.`, {
    hint: 'Write the file again with `cairn train teacher`.',
  });
}

function unpack(bytes: Uint8Array, header: TeacherHeader, count: number): TeacherRecords {
  const { k, vocab } = header;
  const wide = vocab > 65_535;
  const view = new DataView(bytes.buffer);
  const ids = new Int32Array(count * k);
  const half = new Uint16Array(count * k);
  let at = 0;
  for (let r = 0; r < count; r++) {
    for (let i = 0; i < k; i++, at += wide ? 4 : 2)
      ids[r * k + i] = wide ? view.getUint32(at, true) : view.getUint16(at, true);
    for (let i = 0; i < k; i++, at += 2) half[r * k + i] = view.getUint16(at, true);
  }
  return { ids, logp: Float32Array.from(convert(half, 'f16', 'f32')) };
}

/** The loss that fits what a file has kept. */
export function teacherLoss({ kept }: TeacherHeader): 'tail' | 'renorm' {
  return kept === 'drawn' ? 'renorm' : 'tail';
}

/** Feeds `teacher.ids` and `teacher.logp` `[starts, length, k]` of windows of the text. */
export function teacherFeeds(file: TeacherFile, starts: Int32Array, length: number): Record<string, HostTensor> {
  const { k } = file.header;
  const ids = new Int32Array(starts.length * length * k);
  const logp = new Float32Array(ids.length);
  starts.forEach((start, row) => {
    const records = file.read(start, length);
    ids.set(records.ids, row * length * k);
    logp.set(records.logp, row * length * k);
  });
  const shape = [starts.length, length, k];
  return { 'teacher.ids': { data: ids, shape, dtype: 'i32' }, 'teacher.logp': { data: logp, shape, dtype: 'f32' } };
}

export interface TeacherWriter {
  /** Appends records; `logp` descending in each. */
  append(records: TeacherRecords): void;
  /** Puts the file in its place; before, there is only a temporary one. */
  finish(): void;
  /** Removes what was written so far. */
  abandon(): void;
}

/** Begins a file of `header.tokens` records. */
export function createTeacherFile(path: string, header: TeacherHeader): TeacherWriter {
  const temporary = `${path}.${process.pid}.part`;
  const fd = openSync(temporary, 'w');
  const text = new TextEncoder().encode(JSON.stringify(header));
  const padded = new Uint8Array(Math.ceil((HEAD + text.length) / 8) * 8 - HEAD).fill(0x20);
  padded.set(text);
  const head = new Uint8Array(HEAD);
  new DataView(head.buffer).setBigUint64(0, BigInt(padded.length), true);
  writeSync(fd, head);
  writeSync(fd, padded);
  const { k, vocab } = header;
  const wide = vocab > 65_535;
  let written = 0;
  return {
    append({ ids, logp }) {
      const count = ids.length / k;
      const bytes = new Uint8Array(recordBytes(header) * count);
      const view = new DataView(bytes.buffer);
      const half = convert(logp, 'f32', 'f16');
      let at = 0;
      for (let r = 0; r < count; r++) {
        for (let i = 0; i < k; i++, at += wide ? 4 : 2) {
          if (wide) view.setUint32(at, ids[r * k + i]!, true);
          else view.setUint16(at, ids[r * k + i]!, true);
        }
        for (let i = 0; i < k; i++, at += 2) view.setUint16(at, half[r * k + i]!, true);
      }
      writeSync(fd, bytes);
      written += count;
    },
    finish() {
      closeSync(fd);
      if (written !== header.tokens) {
        rmSync(temporary, { force: true });
        throw new CairnError('bad_teacher', `Expected ${header.tokens} records, got ${written}.`);
      }
      renameSync(temporary, path);
    },
    abandon() {
      closeSync(fd);
      rmSync(temporary, { force: true });
    },
  };
}
