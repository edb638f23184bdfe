// Taking in new servers: every event whose server changes is written to the new one and taken from the old one in one write,
// in the order of references, so that an interruption loses nothing and a second run goes on where the first stopped. While
// it lasts, new events still go by the old rule and are moved when their turn comes.
import { sourceText } from '../_source-name.ts';
import type { Change, FullRecord, SourceName } from '../store.ts';
import type { Cluster } from './_cluster.ts';
import { idOfName, type Partition, partitionOf } from './_layout.ts';
import { fromKept, toKept } from './_plan.ts';
import type { StoreKey } from './_seats.ts';
import type { Turns } from './_turns.ts';

export interface RebalanceProgress {
  /** References looked at, of about `last`. */
  readonly reference: number;
  readonly last: number;
  readonly moved: number;
}

const PAGE = 128;

/** Returns how many events have moved in this run; 0 when no server is new. */
export async function rebalance(
  cluster: Cluster,
  turns: Turns,
  options: { readonly onProgress?: (p: RebalanceProgress) => void; readonly signal?: AbortSignal },
): Promise<number> {
  if (!(await turns.write(() => begin(cluster)))) return 0;
  let moved = 0;
  for (;;) {
    options.signal?.throwIfAborted();
    const step = await turns.write(() => movePage(cluster));
    if (step === undefined) break;
    moved += step.moved;
    options.onProgress?.({ reference: step.after, last: cluster.next - 1, moved });
  }
  return moved;
}

/** Numbers the new servers and says in the layout that keys are moving; false when there is nothing to do. */
async function begin(cluster: Cluster): Promise<boolean> {
  const { layout, seats } = cluster;
  if (layout.moving !== undefined) return true;
  const spare = seats.filter(
    (seat) => seat.live && (seat.number === undefined || !layout.servers.includes(seat.number)),
  );
  if (spare.length === 0) return false;
  let number = Math.max(...layout.servers, ...seats.map((seat) => seat.number ?? 0));
  for (const seat of spare) if (seat.number === undefined) await cluster.admit(seat, ++number);
  // Statistics are on every server.
  const names = (await cluster.askAny((store) => store.statNames())).filter((name) => !name.startsWith('part/'));
  for (const name of names) {
    const bytes = await cluster.askAny((store) => store.stat(name));
    for (const seat of spare) await seat.chair.write([{ kind: 'stat', name, bytes }]);
  }
  const servers = [...layout.servers, ...spare.map((seat) => seat.number!)].sort((a, b) => a - b);
  await cluster.setLayout({ ...layout, version: layout.version + 1, moving: { servers, after: 0 } });
  return true;
}

/** Moves what has to move among the next events; undefined when all have been looked at and the layout is settled. */
async function movePage(cluster: Cluster): Promise<{ after: number; moved: number } | undefined> {
  const { layout } = cluster;
  const { servers, after } = layout.moving!;
  const { replicas } = layout;
  const pages = await cluster.askAll((store) => store.records(after, PAGE));
  const records = pages
    .flat()
    .sort((a, b) => a.ref - b.ref)
    .slice(0, PAGE);
  const shares = new Map<StoreKey, Change[]>();
  const put = (partition: Partition, change: Change): void => {
    for (const key of cluster.keysOf(partition)) shares.set(key, [...(shares.get(key) ?? []), change]);
  };
  if (records.length === 0) {
    await moveNames(cluster, put);
    await cluster.setLayout({ version: layout.version + 1, servers, replicas }, shares);
    return undefined;
  }
  let moved = 0;
  for (const record of records) {
    const from = partitionOf(layout.servers, replicas, record.event.id);
    const to = partitionOf(servers, replicas, record.event.id);
    if (from === to) continue;
    moved++;
    move(record, from, to, put);
  }
  const last = records[records.length - 1]!.ref;
  // In one write with what was moved, so that a second run starts exactly behind it.
  await cluster.setLayout({ ...layout, version: layout.version + 1, moving: { servers, after: last } }, shares);
  return { after: last, moved };
}

function move(
  { event, ref, count }: FullRecord,
  from: Partition,
  to: Partition,
  put: (partition: Partition, change: Change) => void,
): void {
  put(to, { kind: 'insert', event, ref, count });
  put(from, { kind: 'remove', id: event.id, at: 0, certificate: undefined });
}

/** Kept texts and the links of owners follow the keys of their names. */
async function moveNames(cluster: Cluster, put: (partition: Partition, change: Change) => void): Promise<void> {
  const { layout } = cluster;
  const { servers } = layout.moving!;
  const places = (kind: 'source' | 'owner', name: string): [Partition, Partition] => {
    const id = idOfName(kind, name);
    return [partitionOf(layout.servers, layout.replicas, id), partitionOf(servers, layout.replicas, id)];
  };
  for (const { owner, at, links } of (await cluster.askAll((store) => store.owners())).flat()) {
    const [from, to] = places('owner', owner);
    if (from === to) continue;
    put(to, { kind: 'links', owner, at, links });
    put(from, { kind: 'links', owner, at, links: [] });
  }
  for (const partition of cluster.partitions()) {
    for (let after: SourceName | undefined; ;) {
      const page = await cluster.ask(partition, (store) => store.sources(after, 256));
      if (page === undefined || page.value.length === 0) break;
      after = page.value.at(-1);
      for (const info of page.value) {
        const source = fromKept(info);
        if (source === undefined || info.bytes === undefined) continue;
        const [from, to] = places('source', sourceText(source));
        if (from === to || from !== partition) continue;
        const bytes = info.bytes;
        const answer = await cluster.ask(partition, (store) =>
          store.texts([{ source: toKept(source), lo: 0, hi: bytes }]),
        );
        put(to, { kind: 'source', source: toKept(source), text: answer?.value[0] });
        put(from, { kind: 'source', source: toKept(source), text: undefined });
      }
    }
  }
}
