// A map of a memory for people: its events laid out so that those with like sketches are near, each tied to the events most
// like it, and the components that several of them share. A picture, not an index: recall never uses it.
import { idToText, isCorrupt, type Memory, type Row } from '../memory/index.ts';
import { fromBytes } from '../sketch/index.ts';
import { nearestPoints } from './_nearest-points.ts';
import { neighbourLayout } from './_neighbour-layout.ts';
import { principalScores } from './_principal.ts';
import { slices } from './_slices.ts';

export interface MapOptions {
  /** Events on the map; a larger memory is sampled evenly, its latest events always among them. Default 4,000. */
  readonly limit?: number;
  readonly signal?: AbortSignal;
  /** A name for a component, where one is known. */
  readonly label?: (key: number) => string | undefined;
}

export interface MapEvent {
  readonly id: string;
  readonly ordinal: number;
  readonly at: number;
  readonly task: string;
  readonly source: string;
  /** Inside [-1, 1]. */
  readonly x: number;
  readonly y: number;
}

export interface MapComponent {
  readonly key: number;
  readonly module: string;
  readonly label: string | undefined;
  /** Events on the map that have it. */
  readonly events: number;
  readonly x: number;
  readonly y: number;
}

export interface MemoryMap {
  /** Events in the memory. */
  readonly total: number;
  readonly events: readonly MapEvent[];
  /** Components that at least two events share and that are not everywhere, most shared first. */
  readonly components: readonly MapComponent[];
  /** Components that more than a fifth of the events have: they tie everything to everything and are only listed. */
  readonly everywhere: readonly MapComponent[];
  /** Pairs of places in `events`: alike. */
  readonly alike: readonly (readonly [number, number])[];
  /** Place in `events`, place in `components`. */
  readonly has: readonly (readonly [number, number])[];
  /** Share of the sketches' variance within the principal components that likeness is judged by. */
  readonly explained: number;
}

/** Numbers of a sketch that the layout looks at. */
const PREFIX = 256;
const COMPONENTS = 16;
/** Neighbours that the layout keeps near; of them the nearest are drawn as ties. */
const NEIGHBOURS = 8;
const TIES = 2;
const MOST_COMPONENTS = 1_500;
const MOST_TIES = 12_000;
const EVERYWHERE = 0.2;

/**
 * Draws the map. Works in short slices, so that a server goes on answering meanwhile.
 * @throws the reason of `signal` when it is aborted
 */
export async function memoryMap(memory: Memory, options: MapOptions = {}): Promise<MemoryMap> {
  const pause = slices(options.signal);
  const rows = await sample(memory, options.limit ?? 4_000, pause);
  const width = Math.min(PREFIX, memory.spec.dim);
  const data = await prefixesOf(memory, rows, width, pause);
  const { scores: points, explained } = await principalScores({ data, width, components: COMPONENTS, pause });
  const near = await nearestPoints({ points, width: COMPONENTS, k: NEIGHBOURS, pause });
  const plane = rows.map((_, i): [number, number] => [points[i * COMPONENTS]!, points[i * COMPONENTS + 1]!]);
  const [wx, wy] = [scaleOf(plane, 0), scaleOf(plane, 1)];
  const start = plane.map(([px, py]): [number, number] => [px / wx, py / wy]);
  const scores = await neighbourLayout({ neighbours: near, start, seed: 'memory-map', pause });
  const shared = await sharedComponents(memory, rows, options.label, scores, pause);
  const scale = Math.max(scaleOf(scores, 0), scaleOf(scores, 1));
  return {
    total: await memory.store.count(),
    events: rows.map((row, i) => ({
      id: idToText(row.id),
      ordinal: row.ref,
      at: row.at,
      task: row.task,
      source: row.source,
      x: place(scores[i]![0], scale),
      y: place(scores[i]![1], scale),
    })),
    ...shared.finish((x, y) => [place(x, scale), place(y, scale)]),
    alike: tiesOf(near),
    explained,
  };
}

type StoredRow = Exclude<Row, { corrupt: true }>;

async function sample(memory: Memory, limit: number, pause: () => Promise<void>): Promise<StoredRow[]> {
  const [latest] = await memory.store.list({ limit: 1, sketches: false });
  if (latest === undefined) return [];
  const last = latest.ref;
  const recent = Math.min(last, Math.ceil(limit / 4));
  const rest = Math.max(0, limit - recent);
  const older = last - recent;
  const step = older <= rest ? 1 : older / rest;
  const refs = new Set<number>();
  for (let k = 0; k < Math.min(rest, older); k++) refs.add(1 + Math.floor(k * step));
  for (let ref = last - recent + 1; ref <= last; ref++) refs.add(ref);
  const list = [...refs].sort((a, b) => a - b);
  const rows: StoredRow[] = [];
  for (let at = 0; at < list.length; at += 256) {
    for (const row of await memory.store.read(list.slice(at, at + 256))) {
      if (row !== undefined && !isCorrupt(row)) rows.push(row);
    }
    await pause();
  }
  return rows;
}

/** The kept prefix of every sketch. @returns [events, d] */
async function prefixesOf(
  memory: Memory,
  rows: readonly StoredRow[],
  d: number,
  pause: () => Promise<void>,
): Promise<Float64Array> {
  const data = new Float64Array(rows.length * d);
  for (const [i, row] of rows.entries()) {
    // Codes of a sketch whose random coordinates were erased are in another order: they stay at the centre.
    const { order, codes, step } = fromBytes(row.sketch, memory.spec);
    if (order === 0) for (let j = 0; j < Math.min(d, codes.length); j++) data[i * d + j] = codes[j]! * step;
    if (i % 64 === 63) await pause();
  }
  return data;
}

/** The nearest of each, every pair once. */
function tiesOf(near: readonly (readonly number[])[]): [number, number][] {
  const n = near.length;
  const pairs = new Set(near.flatMap((own, i) => own.slice(0, TIES).map((k) => Math.min(i, k) * n + Math.max(i, k))));
  return [...pairs].sort((a, b) => a - b).map((pair) => [Math.floor(pair / n), pair % n]);
}

async function sharedComponents(
  memory: Memory,
  rows: readonly StoredRow[],
  label: MapOptions['label'],
  points: readonly (readonly [number, number])[],
  pause: () => Promise<void>,
): Promise<{
  finish: (scale: (x: number, y: number) => [number, number]) => Pick<MemoryMap, 'components' | 'everywhere' | 'has'>;
}> {
  const members = new Map<number, number[]>();
  for (let at = 0; at < rows.length; at += 256) {
    const part = rows.slice(at, at + 256);
    const links = await memory.store.links(part.map((row) => row.ref));
    links.forEach((own, i) => {
      for (const key of new Set(own.filter((link) => link.kind === 'has').map((link) => link.to))) {
        const list = members.get(key);
        if (list === undefined) members.set(key, [at + i]);
        else list.push(at + i);
      }
    });
    await pause();
  }
  const shared = [...members]
    .filter(([, events]) => events.length >= 2)
    .sort((a, b) => b[1].length - a[1].length || a[0] - b[0]);
  const many = Math.max(2, EVERYWHERE * rows.length);
  const common = shared.filter(([, events]) => events.length > many).slice(0, 50);
  const own = shared.filter(([, events]) => events.length <= many).slice(0, MOST_COMPONENTS);
  const entities = await memory.store.entities([...own, ...common].map(([key]) => key));
  const describe = (
    [key, events]: [number, number[]],
    k: number,
    scale: (x: number, y: number) => [number, number],
  ): MapComponent => {
    let [x, y] = [0, 0];
    for (const i of events) {
      x += points[i]![0] / events.length;
      y += points[i]![1] / events.length;
    }
    const [px, py] = scale(x, y);
    return { key, module: entities[k]?.module ?? 'unknown', label: label?.(key), events: events.length, x: px, y: py };
  };
  return {
    finish(scale) {
      const has: [number, number][] = [];
      own.forEach(([, events], k) => {
        for (const i of events) if (has.length < MOST_TIES) has.push([i, k]);
      });
      return {
        components: own.map((entry, k) => describe(entry, k, scale)),
        everywhere: common.map((entry, k) => describe(entry, own.length + k, scale)),
        has,
      };
    },
  };
}

/** The 98th percentile of absolute values: a few far points may lie at the edge. */
function scaleOf(points: readonly ArrayLike<number>[], c: number): number {
  const sizes = points.map((p) => Math.abs(p[c]!)).sort((a, b) => a - b);
  return sizes[Math.floor(0.98 * (sizes.length - 1))] || 1;
}

function place(value: number, scale: number): number {
  return Number(Math.max(-1, Math.min(1, value / scale)).toFixed(4));
}
