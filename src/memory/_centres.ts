// Running means of sketches by root module, and the frozen means that signatures are made with. Sums are kept as whole
// numbers of 2^-30, so that adding and taking away are exact and the order does not matter.
import { CairnError } from '../errors.ts';
import type { Change } from './store.ts';

const UNIT = 2 ** 30;
/** A new centre is frozen at 64, 512, 4,096 ... events of a module. */
const FIRST_FREEZE = 64;
const FREEZE_FACTOR = 8;

/** A mean that signatures were made with. Older ones stay: events keep theirs. */
export interface Centre {
  readonly id: number;
  readonly module: string;
  /** [d] sum in units, or for the first centre of a module the sketch of its bare structure. */
  readonly sum: Float64Array;
  /** Events in the sum; 0 for the first centre. */
  readonly n: number;
  /** The last event in the sum. */
  readonly upTo: number;
  readonly mean: Float64Array;
}

export interface Running {
  readonly module: string;
  readonly sum: Float64Array; // [d]
  n: number;
  upTo: number;
}

export class Centres {
  readonly #dim: number;
  readonly #running = new Map<string, Running>();
  readonly #centres = new Map<number, Centre>();
  #nextId = 0;

  constructor(dim: number) {
    this.#dim = dim;
  }

  /** All centres, those of `module` first, then the latest. */
  all(module: string): Centre[] {
    const rank = (c: Centre): number => (c.module === module ? 1 : 0);
    return [...this.#centres.values()].sort((a, b) => rank(b) - rank(a) || b.id - a.id);
  }

  /** The centre that new events of a module are signed with. */
  latest(module: string): Centre | undefined {
    let found: Centre | undefined;
    for (const c of this.#centres.values())
      if (c.module === module && (found === undefined || c.id > found.id)) found = c;
    return found;
  }

  /** The first centre of a module, from what its structure alone says. */
  first(module: string, base: ArrayLike<number>): Centre {
    return this.#keep({ id: this.#nextId, module, sum: Float64Array.from(base), n: 0, upTo: 0 });
  }

  /** The mean of all events of a module, or undefined before the second. */
  mean(module: string): Float64Array | undefined {
    const running = this.#running.get(module);
    return running === undefined || running.n < 2 ? undefined : meanOf(running.sum, running.n);
  }

  running(module: string): Running | undefined {
    return this.#running.get(module);
  }

  modules(): string[] {
    return [...this.#running.keys()];
  }

  /** Adds an event; returns the centre that became due with it. */
  add(module: string, values: ArrayLike<number>, ref: number): Centre | undefined {
    let running = this.#running.get(module);
    if (running === undefined) {
      running = { module, sum: new Float64Array(this.#dim), n: 0, upTo: 0 };
      this.#running.set(module, running);
    }
    addTo(running.sum, values, 1);
    running.n++;
    running.upTo = Math.max(running.upTo, ref);
    if (!isFreezePoint(running.n) || (this.latest(module)?.n ?? 0) >= running.n) return undefined;
    return this.#keep({ id: this.#nextId, module, sum: running.sum.slice(), n: running.n, upTo: running.upTo });
  }

  /**
   * What remains without some events: the running sum and the centres that held them. Of the last events of a module only its
   * first centre is left, which holds no event, and only if they `remain` in a shorter form.
   */
  without(
    module: string,
    events: readonly { readonly vector: ArrayLike<number>; readonly ref: number }[],
    remain = false,
  ): { running: Running | undefined; centres: Centre[] } {
    const running = this.#running.get(module);
    if (running === undefined || running.n <= events.length) {
      const bare = remain ? [...this.#centres.values()].filter((c) => c.module === module && c.n === 0) : [];
      return { running: undefined, centres: bare };
    }
    const sum = running.sum.slice();
    for (const { vector } of events) addTo(sum, vector, -1);
    const centres = [...this.#centres.values()].flatMap((c) => {
      const held = events.filter(({ ref }) => ref <= c.upTo);
      if (c.module !== module || c.n === 0 || held.length === 0) return [];
      // Nothing of it may stay, but events were signed with it: it becomes the mean of those that are left.
      if (c.n <= held.length) return [withMean({ ...c, sum, n: running.n - events.length, upTo: running.upTo })];
      const rest = c.sum.slice();
      for (const { vector } of held) addTo(rest, vector, -1);
      return [withMean({ ...c, sum: rest, n: c.n - held.length })];
    });
    return { running: { ...running, sum, n: running.n - events.length }, centres };
  }

  /** Takes over what `without` prepared. */
  adopt(module: string, rest: { running: Running | undefined; centres: readonly Centre[] }): void {
    if (rest.running === undefined) {
      this.#running.delete(module);
      const kept = new Set(rest.centres.map(({ id }) => id));
      for (const c of this.all(module)) if (c.module === module && !kept.has(c.id)) this.#centres.delete(c.id);
      return;
    }
    this.#running.set(module, rest.running);
    for (const c of rest.centres) this.#centres.set(c.id, c);
  }

  /** Reads a record that `packCentre` or `packRunning` made. */
  load(bytes: Uint8Array): void {
    const { kind, ...record } = unpack(bytes, this.#dim);
    if (kind === 'running') {
      const { module, sum, n, upTo } = record;
      this.#running.set(module, { module, sum, n, upTo });
    } else this.#keep(record);
  }

  #keep(parts: Omit<Centre, 'mean'>): Centre {
    const centre = withMean(parts);
    this.#centres.set(centre.id, centre);
    this.#nextId = Math.max(this.#nextId, centre.id + 1);
    return centre;
  }
}

export function packRunning(running: Running): Uint8Array {
  return pack('running', { ...running, id: 0 });
}

export function packCentre(centre: Centre): Uint8Array {
  return pack('centre', centre);
}

/** All running means, some of them replaced; written together, because the latest of them says how far all reach. */
export function meanChanges(centres: Centres, instead: readonly Running[] = []): Change[] {
  return centres.modules().map((module) => ({
    kind: 'stat',
    name: `mean/${module}`,
    bytes: packRunning(instead.find((running) => running.module === module) ?? centres.running(module)!),
  }));
}

/** Sketch values as whole numbers of 2^-30 are exact in f64 for more than 2^22 events. */
function addTo(sum: Float64Array, values: ArrayLike<number>, sign: 1 | -1): void {
  for (let i = 0; i < sum.length; i++) sum[i]! += sign * Math.round((values[i] ?? 0) * UNIT);
}

function meanOf(sum: Float64Array, n: number): Float64Array {
  return sum.map((v) => v / (n * UNIT));
}

function withMean(parts: Omit<Centre, 'mean'>): Centre {
  return { ...parts, mean: parts.n === 0 ? parts.sum : meanOf(parts.sum, parts.n) };
}

function isFreezePoint(n: number): boolean {
  let at = FIRST_FREEZE;
  while (at < n) at *= FREEZE_FACTOR;
  return at === n;
}

function pack(kind: 'running' | 'centre', record: Omit<Centre, 'mean'>): Uint8Array {
  const head = new TextEncoder().encode(
    JSON.stringify({ kind, id: record.id, module: record.module, n: record.n, upTo: record.upTo }),
  );
  const out = new Uint8Array(4 + head.length + record.sum.length * 8);
  const view = new DataView(out.buffer);
  view.setUint32(0, head.length, true);
  out.set(head, 4);
  for (let i = 0; i < record.sum.length; i++) view.setFloat64(4 + head.length + i * 8, record.sum[i]!, true);
  return out;
}

function unpack(bytes: Uint8Array, dim: number): Omit<Centre, 'mean'> & { kind: string } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const length = bytes.length < 4 ? 0 : view.getUint32(0, true);
  if (bytes.length !== 4 + length + dim * 8) {
    throw new CairnError('memory_stat', `Expected a mean of ${dim} numbers, got ${bytes.length} bytes.`, {
      hint: 'Run `cairn doctor`; the events themselves are not affected.',
    });
  }
  const head = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length))) as Omit<Centre, 'mean' | 'sum'> & {
    kind: string;
  };
  return { ...head, sum: Float64Array.from({ length: dim }, (_, i) => view.getFloat64(4 + length + i * 8, true)) };
}
