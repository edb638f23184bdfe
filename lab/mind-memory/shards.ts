// A memory spread over several servers loses one: its share of the events is missing, every other answer stays. The servers
// are stores in this process that can be switched off.
import { InMemoryStore, Memory, PartitionedStore, type Store } from 'cairn/memory';
import type { Rng } from 'cairn/tensor';
import { CairnError } from 'cairn/errors';
import type { LabOptions, Part } from '../report.ts';
import { deviation, parts, scene } from './scenes.ts';

const spec = { dim: 256 } as const;

export async function shards(rng: Rng, seed: number, events: number, plot: LabOptions['plot']): Promise<Part> {
  const rows: { servers: number; lost: number; byComponent: number; wrong: number; named: boolean }[] = [];
  for (const servers of [3, 5, 8]) {
    const down = new Set<number>();
    const store = await PartitionedStore.open({
      servers: Array.from({ length: servers }, (_, i) => ({
        name: `shelf-${i}`,
        open: async () => switched(new InMemoryStore(), () => down.has(i)),
      })),
      retryMs: 0,
    });
    const memory = await Memory.open({ store, seed: `lab:${seed}`, spec });
    const scenes = Array.from({ length: events }, () => parts(rng));
    const kept = await Promise.all(
      scenes.map((s, i) =>
        memory.remember(scene(s), { task: 'see', provenance: { source: 'lab', ordinal: i }, at: i }),
      ),
    );
    const ask = async (i: number): Promise<{ whole: string | undefined; pieces: string[] }> => {
      const [whole] = await memory.recall({ root: scene(scenes[i]!) }, 1, { walk: false });
      // Parts of other scenes may fall into the same cells by chance: then all of them are answers.
      const pieces = await memory.component(scenes[i]![i % 4]!, 10);
      return { whole: whole?.id, pieces: pieces.filter((p) => p.overlap === 1).map((p) => p.id) };
    };
    const before = [];
    for (const i of kept.keys()) before.push(await ask(i));
    down.add(rng.integer(servers));
    const there = new Set<string>();
    for (const { id } of kept) if ((await memory.get(id)) !== undefined) there.add(id);
    let lost = 0;
    let byComponent = 0;
    let wrong = 0;
    for (const [i, { id }] of kept.entries()) {
      const was = before[i]!;
      const is = await ask(i);
      if (is.whole !== id) lost++;
      if (!is.pieces.includes(id)) byComponent++;
      // What is left must answer as before: by the whole, and by the part with all others that have it.
      if (was.whole !== undefined && there.has(was.whole) && is.whole !== was.whole) wrong++;
      if (was.pieces.filter((p) => there.has(p)).join() !== is.pieces.join()) wrong++;
    }
    rows.push({
      servers,
      lost: lost / events,
      byComponent: byComponent / events,
      wrong,
      named: store.missing().length === 1,
    });
    await store.close();
  }
  const worst = Math.max(
    ...rows.map(({ servers, lost }) => Math.abs(lost - 1 / servers) / deviation(1 / servers, events)),
  );
  const wrong = rows.reduce((sum, row) => sum + row.wrong + (row.named ? 0 : 1), 0);
  plot('lost-server', {
    title: 'Events that are not found any more when one server is lost',
    x: { label: 'servers' },
    y: { label: 'share of events' },
    curves: [
      { name: 'one over the number of servers', dashed: true, points: [3, 4, 5, 6, 7, 8].map((n) => [n, 1 / n]) },
      { name: 'by the whole', kind: 'dots', points: rows.map(({ servers, lost }) => [servers, lost]) },
      { name: 'by a component', kind: 'dots', points: rows.map((r) => [r.servers, r.byComponent]) },
    ],
  });
  return {
    claims: [
      {
        id: 'lost-server-costs-its-share',
        says: 'Losing one of n servers loses about one n-th of the events.',
        kind: 'measured',
        value: worst,
        target: `shares within 4 standard deviations of 1/n for n = 3, 5 and 8 (${events} events)`,
        holds: worst <= 4,
      },
      {
        id: 'lost-server-costs-nothing-else',
        says: 'Every event of the other servers is still found by the whole and by a component, and the missing one is named.',
        kind: 'identity',
        value: wrong,
        target: '0 answers that changed',
        holds: wrong === 0,
      },
    ],
    tables: [
      {
        title: 'One server lost',
        columns: ['servers', 'not found by the whole', 'not found by a component', '1 / servers'],
        rows: rows.map(({ servers, lost, byComponent }) => [servers, lost, byComponent, 1 / servers]),
      },
    ],
  };
}

/** A store whose every method fails as an unreachable server does while `isDown` says so. */
function switched(store: Store, isDown: () => boolean): Store {
  return new Proxy(store, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== 'function') return value;
      return (...args: unknown[]): unknown => {
        if (isDown() && name !== 'close') {
          return Promise.reject(
            new CairnError('store_unreachable', 'Expected an answer from this server, got none.', {
              hint: 'Start it.',
            }),
          );
        }
        return Reflect.apply(value, target, args);
      };
    },
  });
}
