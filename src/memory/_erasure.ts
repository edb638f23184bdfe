// Forgetting: what an erasure does to an event, its lists and its statistics, and the certificate that says so.
import { CairnError } from '../errors.ts';
import {
  fromBytes,
  type StoredSketch,
  type Structure,
  toBytes,
  truncate,
  unroll,
  type UnrolledObject,
} from '../sketch/index.ts';
import { type Centres, meanChanges, packCentre } from './_centres.ts';
import { contentHash } from './_hash.ts';
import { purgeOf } from './_purge.ts';
import type { EventReader } from './_stored-event.ts';
import type { ComponentKeys } from './components.ts';
import { type Change, type Id, idToText, isCorrupt, type Store, type StoredRow } from './store.ts';

/** Take the event out entirely, or keep only so many numbers of its sketch (a multiple of 32; 0 archives it). */
export type ForgetHow = 'subtract' | { readonly keep: number };

/** How well an object can be read: rms error expected per attribute, and the probability that all its classes are right. */
export interface Readability {
  readonly error: number;
  readonly confidence: number;
}

export interface ErasedObject {
  readonly path: string;
  readonly module: string;
  /** undefined for 'subtract', which leaves nothing to compare with. */
  readonly before: Readability | undefined;
  readonly after: Readability | undefined;
}

/** The certificate of an erasure. */
export interface Erasure {
  readonly event: string;
  readonly how: ForgetHow;
  /** When, as the caller said. */
  readonly at: number;
  /** Bytes of the stored sketch. */
  readonly bytesBefore: number;
  readonly bytesAfter: number;
  /** Numbers of the sketch. */
  readonly keptBefore: number;
  readonly keptAfter: number;
  readonly objects: readonly ErasedObject[];
  /** Whether the event can still be found by its components: only while its sketch still tells them. */
  readonly components: 'kept' | 'removed';
  /** Statistics that the event was taken out of. */
  readonly aggregates: readonly string[];
  /** SHA-256 of the stored sketch before. */
  readonly recordHash: string;
  /** Revision of the store after it. */
  readonly revision: number;
  /** Owners of edges, such as concepts, that were made with the event and may still be shaped by it. */
  readonly influenced: readonly string[];
}

export interface ErasureTask {
  readonly store: Store;
  readonly reader: EventReader;
  readonly centres: Centres;
  readonly keys: ComponentKeys;
  readonly at: number;
  /** Committed with it, before it. */
  readonly also: readonly Change[];
}

/** With a larger error an attribute cannot be read from what is kept, so its component must not be found by it either. */
const READABLE_ERROR = 0.25;

/** Carries out one erasure; durable when it resolves. Throws `event_not_found`, `event_quarantined`, `sketch_kept`. */
export async function eraseEvent(task: ErasureTask, id: Id, how: ForgetHow): Promise<Erasure> {
  if (how === 'subtract') return (await eraseEvents(task, [id]))[0]!;
  return shorten(task, id, how.keep);
}

/** Takes events out entirely, all in one write, each with its certificate. */
export async function eraseEvents(task: ErasureTask, ids: readonly Id[]): Promise<Erasure[]> {
  const { at, store, reader, keys } = task;
  const found = await store.find(ids);
  const revision = (await store.revision()) + 1;
  const intact: StoredRow[] = [];
  for (const [i, row] of found.entries()) {
    if (row === undefined) throw notFound(ids[i]!);
    if (!isCorrupt(row)) intact.push(row);
  }
  const statistics = await withoutEvents(task, intact);
  const purge = await purgeOf(store, intact, keys);
  const erasures = await Promise.all(
    found.map(async (row, i): Promise<Erasure> => {
      const common = { event: idToText(ids[i]!), how: 'subtract', at, revision, components: 'removed' } as const;
      const sizes = { bytesAfter: 0, keptAfter: 0 };
      if (isCorrupt(row!)) {
        // Its share in the means cannot be told any more and stays.
        const unknown = { bytesBefore: 0, keptBefore: 0, objects: [], aggregates: [], recordHash: '', influenced: [] };
        return { ...common, ...sizes, ...unknown };
      }
      const structure = await reader.structure(row!.structure);
      return {
        ...common,
        ...sizes,
        bytesBefore: row!.sketch.length,
        keptBefore: fromBytes(row!.sketch, reader.spec).kept,
        objects: structure.paths.map((path, o) => {
          return { path, module: structure.objects[o]!.module, before: undefined, after: undefined };
        }),
        aggregates: [...statistics.names, ...purge.names],
        recordHash: Buffer.from(contentHash([row!.sketch], 32)).toString('hex'),
        influenced: purge.influenced,
      };
    }),
  );
  const removals = erasures.map((erasure, i): Change => {
    return { kind: 'remove', id: ids[i]!, at, certificate: certificateText(erasure) };
  });
  await store.write([...task.also, ...statistics.changes, ...purge.changes, ...removals]);
  statistics.adopt();
  return erasures;
}

/** Keeps the first numbers of a sketch, none for an archived event. */
async function shorten(task: ErasureTask, id: Id, keep: number): Promise<Erasure> {
  const { at, store, reader } = task;
  const [row] = await store.find([id]);
  if (row === undefined) throw notFound(id);
  if (isCorrupt(row)) {
    throw new CairnError('event_quarantined', `Expected an intact event, got a damaged row for ${idToText(id)}.`, {
      hint: "Forget it with 'subtract'.",
    });
  }
  const revision = (await store.revision()) + 1;
  const structure = await reader.structure(row.structure);
  const sketch = fromBytes(row.sketch, reader.spec);
  const kept = keep === 0 ? { ...sketch, kept: 0, codes: sketch.codes.slice(0, 0) } : truncate(sketch, keep);
  const bytes = toBytes(kept);
  const before = readingOf(sketch, structure);
  const after = readingOf(kept, structure);
  const statistics = await withoutEvents(task, [row], true);
  await store.write([
    ...task.also,
    ...statistics.changes,
    { kind: 'replace', id, sketch: bytes, dropKeys: !after.readable },
  ]);
  statistics.adopt();
  return {
    event: idToText(id),
    how: { keep },
    at,
    revision,
    bytesBefore: row.sketch.length,
    bytesAfter: bytes.length,
    keptBefore: sketch.kept,
    keptAfter: kept.kept,
    objects: structure.paths.map((path, i) => ({
      path,
      module: structure.objects[i]!.module,
      before: before.objects.get(path),
      after: after.objects.get(path),
    })),
    components: after.readable ? 'kept' : 'removed',
    aggregates: statistics.names,
    recordHash: Buffer.from(contentHash([row.sketch], 32)).toString('hex'),
    influenced: [],
  };
}

function notFound(id: Id): CairnError {
  return new CairnError('event_not_found', `Expected the id of a stored event, got ${idToText(id)}.`, {
    hint: 'List the events to see what is there; it may have been forgotten already.',
  });
}

/** The means without some events: what to write with their removal, and how to take it over afterwards. */
async function withoutEvents(
  { centres, reader }: ErasureTask,
  rows: readonly StoredRow[],
  remain = false,
): Promise<{ changes: Change[]; names: string[]; adopt: () => void }> {
  const byModule = new Map<string, { vector: Float64Array; ref: number }[]>();
  for (const row of rows) {
    const { module, vector, complete } = await reader.vector(row);
    // A shortened event left the means when it was shortened.
    if (complete) byModule.set(module, [...(byModule.get(module) ?? []), { vector, ref: row.ref }]);
  }
  const changes: Change[] = [];
  const names: string[] = [];
  const rests = new Map(
    [...byModule].map(([module, events]) => [module, centres.without(module, events, remain)] as const),
  );
  const instead = [...rests.values()].flatMap(({ running }) => (running === undefined ? [] : [running]));
  if (instead.length > 0) changes.push(...meanChanges(centres, instead));
  for (const [module, rest] of rests) {
    names.push(`mean/${module}`);
    if (rest.running === undefined) {
      changes.push({ kind: 'stat', name: `mean/${module}`, bytes: undefined });
      for (const c of centres.all(module)) {
        if (c.module === module && !rest.centres.includes(c))
          changes.push({ kind: 'stat', name: `centre/${c.id}`, bytes: undefined });
      }
      continue;
    }
    for (const c of rest.centres) {
      names.push(`centre/${c.id}`);
      changes.push({ kind: 'stat', name: `centre/${c.id}`, bytes: packCentre(c) });
    }
  }
  const adopt = (): void => rests.forEach((rest, module) => centres.adopt(module, rest));
  return { changes, names, adopt };
}

/** What a sketch can be read back to, per path, and whether that settles its components. */
function readingOf(
  sketch: StoredSketch,
  structure: Structure,
): { readable: boolean; objects: Map<string, Readability> } {
  const objects = new Map<string, Readability>();
  if (sketch.kept === 0) {
    for (const path of structure.paths) objects.set(path, { error: Infinity, confidence: 0 });
    return { objects, readable: false };
  }
  const { outputs, consistent, guessing } = unroll(sketch, structure);
  let worst = 0;
  const visit = (o: UnrolledObject): void => {
    objects.set(o.path, { error: o.err, confidence: o.groups.reduce((p, g) => p * g.confidence, 1) });
    worst = Math.max(worst, o.err);
    o.inputs.forEach(visit);
  };
  outputs.forEach(visit);
  return { objects, readable: consistent && !guessing && worst <= READABLE_ERROR };
}

/** The tombstone keeps the certificate without the list of objects: it must not grow with the event. */
function certificateText(erasure: Erasure): string {
  const { event: _event, objects, ...rest } = erasure;
  return JSON.stringify({ ...rest, objects: objects.length });
}
