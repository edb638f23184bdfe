// What a write means for each partition: looks up the events that it names, numbers the new ones, and sorts its changes.
import { sourceText } from '../_source-name.ts';
import { CairnError } from '../../errors.ts';
import { checkContent } from '../_in-memory-state.ts';
import {
  type Change,
  type Entity,
  eventNotFound,
  expectRef,
  type Id,
  idToText,
  isCorrupt,
  type NewEvent,
  type Row,
  type SourceName,
  type Written,
} from '../store.ts';
import { INTERNAL } from './_journal.ts';
import { idOfName, type Partition } from './_layout.ts';

/** Changes that alter what was there, and so raise the revision. */
const EDITS: ReadonlySet<Change['kind']> = new Set([
  'replace',
  'remove',
  'times',
  'relink',
  'links',
  'source',
  'blank',
]);
/** Texts are kept under a name that no event has: a partition must not drop one because its own last event goes. */
const TEXT = '\u0002';
/** All other names are behind this one. */
export const BEHIND_KEPT: SourceName = { uri: '\u0003', sha256: '' };
/** More than a memory believes to be known at any time. */
const MOST_ENTITIES = 524_288;

export interface Plan {
  readonly written: Written[];
  readonly byPartition: Map<Partition, Change[]>;
  /** For every server. */
  readonly stats: Change[];
  readonly next: number;
  readonly edited: boolean;
}

export interface Lookup {
  /** Where an id belongs. */
  home(id: Id): Partition;
  /** The rows of some ids and where they were found; throws `server_down` when their partition does not answer. */
  find(ids: readonly Id[]): Promise<{ row: Row | undefined; partition: Partition }[]>;
  /** Events that name a source; undefined when not all partitions answer. */
  users(source: SourceName): Promise<number | undefined>;
}

export function toKept({ uri, sha256 }: SourceName): SourceName {
  return { uri: TEXT + uri, sha256 };
}

export function fromKept({ uri, sha256 }: SourceName): SourceName | undefined {
  return uri.startsWith(TEXT) ? { uri: uri.slice(TEXT.length), sha256 } : undefined;
}

export function homeOfSource(source: SourceName, home: (id: Id) => Partition): Partition {
  return home(idOfName('source', sourceText(source)));
}

interface Known {
  readonly partition: Partition;
  readonly row: Row | undefined;
  ref: number;
  count: number;
  state: 'old' | 'fresh' | 'gone' | 'none';
}

/** Components by key, so that a partition gets those that its events need and another one has. */
export class EntityCache {
  readonly #entities = new Map<number, Entity>();
  readonly #held = new Map<Partition, Set<number>>();

  /** The event with the entities that its partition may lack. */
  complete(event: NewEvent, partition: Partition): NewEvent {
    for (const entity of event.entities) {
      if (this.#entities.has(entity.key)) continue;
      if (this.#entities.size >= MOST_ENTITIES) this.#entities.delete(this.#entities.keys().next().value!);
      this.#entities.set(entity.key, entity);
    }
    let held = this.#held.get(partition);
    if (held === undefined || held.size > MOST_ENTITIES) this.#held.set(partition, (held = new Set()));
    const entities: Entity[] = [];
    for (const key of event.keys) {
      const entity = this.#entities.get(key);
      if (entity === undefined || held.has(key)) continue;
      entities.push(entity);
      held.add(key);
    }
    const listed = new Set(entities.map(({ key }) => key));
    for (const entity of event.entities) if (!listed.has(entity.key)) entities.push(entity);
    return { ...event, entities };
  }

  /** After a removal or a failure nobody knows what a partition still holds. */
  forget(): void {
    this.#held.clear();
  }
}

export async function planWrite(
  changes: readonly Change[],
  next: number,
  entities: EntityCache,
  lookup: Lookup,
): Promise<Plan> {
  for (const change of changes) {
    checkContent(change);
    const uri = change.kind === 'insert' ? change.event.source : change.kind === 'source' ? change.source.uri : '';
    if (uri.startsWith(TEXT)) throw reserved('names of sources', '\\u0002');
  }
  const known = await knownEvents(changes, lookup);
  const plan = { written: [] as Written[], byPartition: new Map<Partition, Change[]>(), stats: [] as Change[], next };
  const put = (partition: Partition, change: Change): void => {
    const list = plan.byPartition.get(partition);
    if (list === undefined) plan.byPartition.set(partition, [change]);
    else list.push(change);
  };
  const balance = new Map<string, { source: SourceName; users: number }>();
  const use = (source: SourceName, users: number): void => {
    const entry = balance.get(sourceText(source)) ?? { source, users: 0 };
    entry.users += users;
    balance.set(sourceText(source), entry);
  };
  const left: SourceName[] = [];
  for (const change of changes) {
    switch (change.kind) {
      case 'insert': {
        const entry = known.get(idToText(change.event.id))!;
        const count = change.count ?? 1;
        if (entry.state === 'old' || entry.state === 'fresh') {
          entry.count += count;
          put(entry.partition, { kind: 'insert', event: change.event, count });
          plan.written.push({ ref: entry.ref, fresh: false, count: entry.count });
          break;
        }
        const ref = change.ref ?? plan.next;
        expectRef(ref, plan.next);
        plan.next = ref + 1;
        Object.assign(entry, { ref, count, state: 'fresh' });
        const event = entities.complete(change.event, entry.partition);
        put(entry.partition, { kind: 'insert', event, ref, count });
        use({ uri: event.source, sha256: event.sourceHash ?? '' }, 1);
        plan.written.push({ ref, fresh: true, count });
        break;
      }
      case 'replace':
      case 'remove':
      case 'times':
      case 'relink': {
        const entry = known.get(idToText(change.id))!;
        if (entry.row === undefined || entry.state === 'gone' || entry.state === 'fresh')
          throw eventNotFound(change.id);
        put(entry.partition, change);
        if (change.kind === 'replace') entities.forget();
        if (change.kind === 'remove') {
          entities.forget();
          entry.state = 'gone';
          if (!isCorrupt(entry.row)) {
            const source = { uri: entry.row.source, sha256: entry.row.sourceHash };
            use(source, -1);
            left.push(source);
          }
        }
        plan.written.push({ ref: entry.ref, fresh: true, count: change.kind === 'remove' ? 0 : entry.count });
        break;
      }
      case 'links':
        put(lookup.home(idOfName('owner', change.owner)), change);
        plan.written.push(nothing);
        break;
      case 'source':
      case 'blank':
        put(homeOfSource(change.source, lookup.home), { ...change, source: toKept(change.source) });
        plan.written.push(nothing);
        break;
      case 'tombstone':
        put(lookup.home(Buffer.from(change.tombstone.idHash, 'hex')), change);
        plan.written.push(nothing);
        break;
      case 'stat':
        if (change.name.startsWith(INTERNAL)) throw reserved('names of statistics', INTERNAL);
        plan.stats.push(change);
        plan.written.push(nothing);
        break;
      default:
        change satisfies never;
    }
  }
  for (const source of new Map(left.map((s) => [sourceText(s), s] as const)).values()) {
    const before = await lookup.users(source);
    if (before === undefined || before + balance.get(sourceText(source))!.users > 0) continue;
    put(homeOfSource(source, lookup.home), { kind: 'source', source: toKept(source), text: undefined });
  }
  return { ...plan, edited: changes.some(({ kind }) => EDITS.has(kind)) };
}

const nothing: Written = { ref: 0, fresh: true, count: 0 };

async function knownEvents(changes: readonly Change[], lookup: Lookup): Promise<Map<string, Known>> {
  const ids = new Map<string, Id>();
  for (const change of changes) {
    if (change.kind === 'insert') ids.set(idToText(change.event.id), change.event.id);
    else if ('id' in change) ids.set(idToText(change.id), change.id);
  }
  const found = await lookup.find([...ids.values()]);
  return new Map(
    [...ids.keys()].map((name, i): [string, Known] => {
      const { row, partition } = found[i]!;
      const count = row === undefined || isCorrupt(row) ? 0 : row.count;
      return [name, { partition, row, ref: row?.ref ?? 0, count, state: row === undefined ? 'none' : 'old' }];
    }),
  );
}

function reserved(what: string, prefix: string): CairnError {
  return new CairnError('reserved_name', `Expected ${what} that do not start with '${prefix}', got one that does.`, {
    hint: 'The servers keep their own records under such names; choose another.',
  });
}
