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
import type { EventReader } from './_stored-event.ts';
import { type Change, type Id, idToText, isCorrupt, type Store, type StoredRow } from './store.ts';

/** Take the event out entirely, or keep only so many numbers of its sketch (a multiple of 64). */
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
}

interface Task {
  readonly id: Id;
  readonly how: ForgetHow;
  readonly at: number;
  readonly store: Store;
  readonly reader: EventReader;
  readonly centres: Centres;
  /** Committed with it, before it. */
  readonly also: readonly Change[];
}

/** With a larger error an attribute cannot be read from what is kept, so its component must not be found by it either. */
const READABLE_ERROR = 0.25;

/** Carries out one erasure; durable when it resolves. */
export async function eraseEvent(task: Task): Promise<Erasure> {
  const { id, how, at, store, reader } = task;
  const [row] = await store.find([id]);
  if (row === undefined) {
    throw new CairnError('event_not_found', `Expected the id of a stored event, got ${idToText(id)}.`, {
      hint: 'List the events to see what is there; it may have been forgotten already.',
    });
  }
  const common = { event: idToText(id), how, at, revision: (await store.revision()) + 1 };
  if (isCorrupt(row)) return eraseDamaged(task, common);
  const structure = await reader.structure(row.structure);
  const sketch = fromBytes(row.sketch, reader.spec);
  const kept = how === 'subtract' ? undefined : truncate(sketch, how.keep);
  const bytes = kept === undefined ? undefined : toBytes(kept);
  const after = kept === undefined ? undefined : readingOf(kept, structure);
  const before = kept === undefined ? undefined : readingOf(sketch, structure);
  const keepsKeys = after?.readable === true;
  const statistics = await withoutEvent(task, row);
  const erasure: Erasure = {
    ...common,
    bytesBefore: row.sketch.length,
    bytesAfter: bytes?.length ?? 0,
    keptBefore: sketch.kept,
    keptAfter: kept?.kept ?? 0,
    objects: structure.paths.map((path, i) => ({
      path,
      module: structure.objects[i]!.module,
      before: before?.objects.get(path),
      after: after?.objects.get(path),
    })),
    components: keepsKeys ? 'kept' : 'removed',
    aggregates: statistics.names,
    recordHash: Buffer.from(contentHash([row.sketch], 32)).toString('hex'),
  };
  const change: Change =
    bytes === undefined
      ? { kind: 'remove', id, at, certificate: certificateText(erasure) }
      : { kind: 'replace', id, sketch: bytes, dropKeys: !keepsKeys };
  await store.write([...task.also, ...statistics.changes, change]);
  statistics.adopt();
  return erasure;
}

/** A damaged row can still be removed; its share in the means cannot be told any more and stays. */
async function eraseDamaged(task: Task, common: Pick<Erasure, 'event' | 'how' | 'at' | 'revision'>): Promise<Erasure> {
  if (task.how !== 'subtract') {
    throw new CairnError('event_quarantined', `Expected an intact event, got a damaged row for ${common.event}.`, {
      hint: "Forget it with 'subtract'.",
    });
  }
  const sizes = { bytesBefore: 0, bytesAfter: 0, keptBefore: 0, keptAfter: 0 };
  const erasure: Erasure = { ...common, ...sizes, objects: [], components: 'removed', aggregates: [], recordHash: '' };
  await task.store.write([
    ...task.also,
    { kind: 'remove', id: task.id, at: task.at, certificate: certificateText(erasure) },
  ]);
  return erasure;
}

/** The means without an event: what to write with its removal, and how to take it over afterwards. */
async function withoutEvent(
  { centres, reader }: Task,
  row: StoredRow,
): Promise<{ changes: Change[]; names: string[]; adopt: () => void }> {
  const { module, vector, complete } = await reader.vector(row);
  // A shortened event left the means when it was shortened.
  if (!complete) return { changes: [], names: [], adopt: () => undefined };
  const dropped = centres.all(module).filter((c) => c.module === module);
  const rest = centres.without(module, vector, row.ref);
  const names = [`mean/${module}`];
  const changes: Change[] = [];
  if (rest.running === undefined) {
    changes.push({ kind: 'stat', name: `mean/${module}`, bytes: undefined });
    for (const c of dropped) changes.push({ kind: 'stat', name: `centre/${c.id}`, bytes: undefined });
  } else {
    changes.push(...meanChanges(centres, rest.running));
    for (const c of rest.centres) {
      names.push(`centre/${c.id}`);
      changes.push({ kind: 'stat', name: `centre/${c.id}`, bytes: packCentre(c) });
    }
  }
  return { changes, names, adopt: () => centres.adopt(module, rest) };
}

/** What a sketch can be read back to, per path, and whether that settles its components. */
function readingOf(
  sketch: StoredSketch,
  structure: Structure,
): { readable: boolean; objects: Map<string, Readability> } {
  const { outputs, consistent, guessing } = unroll(sketch, structure);
  const objects = new Map<string, Readability>();
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
