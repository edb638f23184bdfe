// Copies a store of any kind into an empty one of any kind: whole events in the order of their references, then what hangs
// on names, statistics last. Every page carries the mark of how far it reaches, so an interrupted copy goes on where it
// stopped; hash trees over both sides say at the end that nothing is missing.
import { CairnError } from '../errors.ts';
import { allSources } from './_dump.ts';
import { contentHash } from './_hash.ts';
import { digestStore, type StoreDigest } from './digest.ts';
import { SIGNATURE_WORDS } from './signature.ts';
import { type Change, idToText, type NewEvent, type Store } from './store.ts';

export interface CopyProgress {
  readonly phase: 'events' | 'owners' | 'sources' | 'tombstones' | 'statistics' | 'verify';
  /** Rows of this phase so far; `of` where their number is known. */
  readonly done: number;
  readonly of?: number;
}

export interface CopyOptions {
  readonly onProgress?: (progress: CopyProgress) => void;
  readonly signal?: AbortSignal;
  /** Events per write. Default 128. */
  readonly pageSize?: number;
}

export interface Copied {
  /** Events written by this call; the others were there already. */
  readonly events: number;
  /** True when an earlier, interrupted copy was carried on. */
  readonly resumed: boolean;
  /** Equal on both sides. */
  readonly digest: StoreDigest;
}

interface Mark {
  readonly source: string;
  readonly after: number;
}

const MARK = 'copy/mark';

/**
 * Copies everything and verifies it. A target that holds the same already is left as it is.
 *
 * @throws CairnError `copy_target_full` when the target holds something else, `copy_differs` when the two sides are not equal
 * afterwards, such as after a write to the source during the copy
 * @example
 * const { digest } = await copyStore(from, to);
 * digest.events.rows === (await from.count()); // true
 */
export async function copyStore(from: Store, to: Store, options: CopyOptions = {}): Promise<Copied> {
  const { signal, onProgress = () => undefined } = options;
  const source = await identityOf(from);
  const mark = await readMark(to);
  if (mark === undefined && !(await isEmpty(to))) return unchanged(from, to, options);
  if (mark !== undefined && mark.source !== source) {
    throw full('an unfinished copy of another store');
  }
  const events = await copyEvents(from, to, mark?.after ?? 0, source, options);
  let done = 0;
  for (const { owner, at, links } of await from.owners()) {
    signal?.throwIfAborted();
    await to.write([{ kind: 'links', owner, at, links }]);
    onProgress({ phase: 'owners', done: ++done });
  }
  done = 0;
  for await (const { uri, sha256, bytes } of allSources(from)) {
    signal?.throwIfAborted();
    if (bytes === undefined) continue;
    const [text] = await from.texts([{ source: { uri, sha256 }, lo: 0, hi: bytes }]);
    await to.write([{ kind: 'source', source: { uri, sha256 }, text }]);
    onProgress({ phase: 'sources', done: ++done });
  }
  done = 0;
  for (let after: string | undefined; ;) {
    signal?.throwIfAborted();
    const page = await from.tombstones(after, 1024);
    if (page.length === 0) break;
    await to.write(page.map((tombstone): Change => ({ kind: 'tombstone', tombstone })));
    after = page[page.length - 1]!.idHash;
    onProgress({ phase: 'tombstones', done: (done += page.length) });
  }
  await copyStatistics(from, to, onProgress);
  return { events, resumed: mark !== undefined, digest: await verify(from, to, options) };
}

async function copyEvents(
  from: Store,
  to: Store,
  start: number,
  source: string,
  options: CopyOptions,
): Promise<number> {
  const { signal, onProgress, pageSize = 128 } = options;
  const of = await from.count();
  let after = start;
  let events = 0;
  const before = await to.count();
  const markOf = (reached: number): Change => ({
    kind: 'stat',
    name: MARK,
    bytes: new TextEncoder().encode(JSON.stringify({ source, after: reached } satisfies Mark)),
  });
  if (start === 0) await to.write([markOf(0)]);
  for (;;) {
    signal?.throwIfAborted();
    const page = await from.records(after, pageSize);
    if (page.length === 0) break;
    after = page[page.length - 1]!.ref;
    const inserts = page.map(({ event, ref, count }): Change => ({ kind: 'insert', event, ref, count }));
    await to.write([...inserts, markOf(after)]);
    events += page.length;
    onProgress?.({ phase: 'events', done: before + events, of });
  }
  await reserve(to, await from.revision(), after);
  return events;
}

/**
 * References that the source has given out stay given out, also those of its latest events that are gone: statistics say up
 * to which reference they reach.
 */
async function reserve(to: Store, upTo: number, last: number): Promise<void> {
  if (upTo <= last) return;
  const id = contentHash([new TextEncoder().encode('reserved'), new TextEncoder().encode(String(upTo))]);
  const placeholder: NewEvent = {
    id,
    structure: { hash: `reserved-${idToText(id)}`, bytes: new Uint8Array(0) },
    task: 'reserved',
    source: 'reserved',
    at: 0,
    provenance: new Uint8Array(0),
    meta: new Uint8Array(0),
    sketch: new Uint8Array(0),
    signature: new Uint32Array(SIGNATURE_WORDS),
    centre: 0,
    keys: new Float64Array(0),
    entities: [],
  };
  const [there] = await to.find([id]);
  const [newest] = await to.list({ limit: 1, sketches: false });
  // Carried on after an interruption just here: the number may be taken already.
  if (there === undefined && (newest?.ref ?? 0) < upTo && (await to.revision()) <= upTo) {
    await to.write([{ kind: 'insert', event: placeholder, ref: upTo }]);
  }
  if ((await to.find([id]))[0] !== undefined) await to.write([{ kind: 'remove', id, at: 0, certificate: undefined }]);
}

/** In one write with the end of the mark: only then the target is a memory that can be opened. */
async function copyStatistics(from: Store, to: Store, onProgress: (p: CopyProgress) => void): Promise<void> {
  const names = await from.statNames();
  const changes: Change[] = [{ kind: 'stat', name: MARK, bytes: undefined }];
  for (const name of names) changes.push({ kind: 'stat', name, bytes: await from.stat(name) });
  await to.write(changes);
  onProgress({ phase: 'statistics', done: names.length, of: names.length });
}

async function unchanged(from: Store, to: Store, options: CopyOptions): Promise<Copied> {
  if ((await from.count()) !== (await to.count())) throw full('other events');
  try {
    return { events: 0, resumed: false, digest: await verify(from, to, options) };
  } catch (error) {
    if (CairnError.isInstance(error) && error.code === 'copy_differs') throw full('other events');
    throw error;
  }
}

async function verify(from: Store, to: Store, { onProgress, signal }: CopyOptions): Promise<StoreDigest> {
  onProgress?.({ phase: 'verify', done: 0 });
  const [a, b] = [await digestStore(from, signal), await digestStore(to, signal)];
  for (const kind of Object.keys(a) as (keyof StoreDigest)[]) {
    if (a[kind].rows === b[kind].rows && a[kind].root === b[kind].root) continue;
    throw new CairnError(
      'copy_differs',
      `Expected equal ${kind} on both sides, got ${a[kind].rows} and ${b[kind].rows}.`,
      {
        hint: 'Stop whatever writes to the source, empty the target, and copy again.',
        details: { kind, from: a[kind], to: b[kind] },
      },
    );
  }
  return b;
}

/** What tells one memory from another: how it was made, seed included. */
async function identityOf(store: Store): Promise<string> {
  return idToText(contentHash([(await store.stat('spec')) ?? new Uint8Array(0)]));
}

async function readMark(store: Store): Promise<Mark | undefined> {
  const bytes = await store.stat(MARK);
  return bytes === undefined ? undefined : (JSON.parse(new TextDecoder().decode(bytes)) as Mark);
}

async function isEmpty(store: Store): Promise<boolean> {
  return (await store.count()) === 0 && (await store.statNames()).length === 0;
}

function full(what: string): CairnError {
  return new CairnError('copy_target_full', `Expected an empty target, got ${what}.`, {
    hint: 'Choose another directory, schema or database; nothing was changed.',
  });
}
