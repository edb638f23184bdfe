// Safetensors on disk: atomic writes, whole reads and reads of single tensors by range. Node only, loaded on first use.
import type { FileHandle } from 'node:fs/promises';
import { CairnError } from '../errors.ts';
import {
  decodeEntry,
  headerLength,
  parseHeader,
  readSafetensors,
  type Safetensors,
  type StoredTensor,
  type TensorEntry,
  writeSafetensors,
} from './safetensors.ts';

/** Writes bytes so that after a crash the path holds either the old or the new content: temporary file, fsync, rename. */
export async function writeFileAtomic(path: string, bytes: Uint8Array | string): Promise<void> {
  const fs = await import('node:fs/promises');
  const { dirname } = await import('node:path');
  const temporary = `${path}.${process.pid}.tmp`;
  try {
    const file = await fs.open(temporary, 'w');
    try {
      await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
    await fs.rename(temporary, path);
  } catch (cause) {
    await fs.rm(temporary, { force: true });
    throw new CairnError(
      'write_failed',
      `Expected to write ${path}, got ${cause instanceof Error ? cause.message : String(cause)}.`,
      {
        hint: 'Check that the folder exists, is writable and has space left.',
        cause,
      },
    );
  }
  // The rename itself is durable once the folder is; some file systems cannot sync a folder, which loses only the rename.
  const folder = await fs.open(dirname(path), 'r').catch(() => undefined);
  await folder?.sync().catch(() => undefined);
  await folder?.close();
}

/** `writeSafetensors` to a path, atomically. */
export async function writeSafetensorsFile(
  path: string,
  tensors: Iterable<readonly [string, StoredTensor]> | Readonly<Record<string, StoredTensor>>,
  metadata: Readonly<Record<string, string>> = {},
): Promise<void> {
  await writeFileAtomic(path, writeSafetensors(tensors, metadata));
}

async function opened(path: string): Promise<FileHandle> {
  const fs = await import('node:fs/promises');
  try {
    return await fs.open(path, 'r');
  } catch (cause) {
    throw new CairnError('file_missing', `Expected a safetensors file at ${path}, got none that can be read.`, {
      hint: 'Check the path.',
      cause,
    });
  }
}

/** `readSafetensors` of a path. */
export async function readSafetensorsFile(path: string, options: { raw?: boolean } = {}): Promise<Safetensors> {
  const file = await opened(path);
  try {
    return readSafetensors(await file.readFile(), options);
  } finally {
    await file.close();
  }
}

/** A file whose tensors are read one by one. */
export interface LazySafetensors extends AsyncDisposable {
  readonly entries: readonly TensorEntry[];
  readonly metadata: Readonly<Record<string, string>>;
  read(name: string): Promise<StoredTensor>;
  close(): Promise<void>;
}

/**
 * Opens a file and reads only its header; `read(name)` fetches one tensor by its byte range.
 * @throws CairnError `bad_safetensors` or `file_missing`
 */
export async function openSafetensors(path: string, options: { raw?: boolean } = {}): Promise<LazySafetensors> {
  const file = await opened(path);
  try {
    const { size } = await file.stat();
    const first = await exactly(file, 0, Math.min(8, size));
    const n = headerLength(first);
    if (n > size - 8) {
      throw new CairnError('bad_safetensors', `Expected a header of ${n} bytes, got a file of ${size} bytes.`, {
        hint: 'The file may be truncated: fetch it again.',
      });
    }
    const { entries, metadata } = parseHeader(await exactly(file, 8, n), size - 8 - n);
    return {
      entries,
      metadata,
      async read(name) {
        const entry = entries.find((e) => e.name === name);
        if (!entry) throw new CairnError('no_such_tensor', `Expected a tensor of ${path}, got "${name}".`);
        return decodeEntry(entry, await exactly(file, 8 + n + entry.begin, entry.end - entry.begin), options.raw);
      },
      close: () => file.close(),
      [Symbol.asyncDispose]: () => file.close(),
    };
  } catch (error) {
    await file.close();
    throw error;
  }
}

async function exactly(file: FileHandle, position: number, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  let at = 0;
  while (at < length) {
    const { bytesRead } = await file.read(bytes, at, length - at, position + at);
    if (bytesRead === 0)
      throw new CairnError('bad_safetensors', `Expected ${length} bytes at ${position}, got ${at}.`, {
        hint: 'The file was cut while it was read.',
      });
    at += bytesRead;
  }
  return bytes;
}
