// Dense, tight buckets of objects, from which concepts emerge: objects of one module first, and where those are spread wide,
// the halves that signature bits of their attributes cut, until a half is tight or too thin. Derived from the sketches on
// demand, so that forgetting has nothing to take back here. Source: arXiv 1910.06718 with 2310.12143.
import { type UnrolledObject, unroll, fromBytes, type Obj } from '../sketch/index.ts';
import type { EventReader } from './_stored-event.ts';
import type { ComponentKeys } from './components.ts';
import type { Link } from './links.ts';
import { Signer } from './signature.ts';
import { type Change, idFromText, idToText, isCorrupt, type OwnedLinks, type Store } from './store.ts';

export interface BucketOptions {
  /** The latest events that are read; 512 by default. */
  readonly events?: number | undefined;
  /** Fewer objects are not offered; 32 by default. */
  readonly minCount?: number | undefined;
  /** Mean squared distance to the mean over mean squared norm; at least this is not offered. 0.5 by default. */
  readonly maxSpread?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface BucketMember {
  readonly event: string;
  readonly path: string;
  /** Node of the object in the graph; undefined where what was read back is not quite what was kept. */
  readonly node: number | undefined;
  /** Read back from the sketch. */
  readonly attributes: Float32Array;
  /** Expected rms error per attribute. */
  readonly err: number;
}

/** Objects of one module that lie together. */
export interface Bucket {
  readonly module: string;
  /** Signature bits that they share, oldest cut first; empty for all objects of the module. */
  readonly bits: string;
  readonly count: number;
  readonly spread: number;
  readonly centroid: Float64Array;
  readonly members: readonly BucketMember[];
}

/** What turns a bucket into a concept, such as a `ConceptBook`. */
export interface ConceptSink {
  /** Takes points that belong together; returns the number of their concept. */
  teach(points: readonly ArrayLike<number>[], ids?: readonly string[]): number;
  /** Takes one point more. */
  observe(x: ArrayLike<number>, id?: string): unknown;
  /** The concept of a point that was taken before. */
  conceptOf(id: string): number | undefined;
}

/** A concept in the graph: members are by an `is-a` edge. */
export interface ConceptNode {
  readonly module: string;
  /** Its number in the book of its module. */
  readonly concept: number;
  readonly node: number;
  /** Nodes of its members, rising. */
  readonly members: readonly number[];
}

const OWNER = 'concept/';
const MOST_BITS = 16;
/** Objects that are sorted without a pause. */
const AT_ONCE = 512;

/** Reads events and sorts their objects into buckets: by module, then by bits. */
export async function findBuckets(
  tools: { readonly store: Store; readonly reader: EventReader; readonly keys: ComponentKeys; readonly seed: string },
  options: BucketOptions = {},
): Promise<Bucket[]> {
  const { events = 512, minCount = 32, maxSpread = 0.5, signal } = options;
  const { store, reader, keys } = tools;
  const byModule = new Map<string, (Omit<BucketMember, 'node'> & { node: number | undefined })[]>();
  for (const row of await store.list({ limit: events })) {
    signal?.throwIfAborted();
    if (isCorrupt(row)) continue;
    const sketch = fromBytes(row.sketch, reader.spec);
    if (sketch.kept === 0) continue;
    const reading = unroll(sketch, await reader.structure(row.structure));
    if (!reading.consistent || reading.guessing) continue;
    const visit = (object: UnrolledObject): Obj => {
      const inputs = object.inputs.map((input) => ({ object: visit(input), weight: input.weight }));
      const trace: Obj = { module: object.module, attributes: object.attributes, inputs };
      const { path, attributes, err } = object;
      const member = { event: idToText(row.id), path, node: keys.entity(trace), attributes, err };
      const key = `${object.module} ${attributes.length}`;
      const list = byModule.get(key);
      if (list === undefined) byModule.set(key, [member]);
      else list.push(member);
      return trace;
    };
    reading.outputs.forEach(visit);
    await othersFirst(signal);
  }
  await onlyKnownNodes(store, [...byModule.values()].flat());
  const buckets: Bucket[] = [];
  for (const [key, members] of [...byModule].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const module = key.slice(0, key.lastIndexOf(' '));
    if (members[0]!.attributes.length > 0)
      buckets.push(...(await split(module, members, '', { minCount, maxSpread, signal }, tools.seed)));
  }
  return buckets;
}

async function onlyKnownNodes(store: Store, members: readonly { node: number | undefined }[]): Promise<void> {
  const nodes = [...new Set(members.map(({ node }) => node!))];
  const known = new Set<number>();
  for (let i = 0; i < nodes.length; i += 4096) {
    const some = nodes.slice(i, i + 4096);
    const { frequency } = await store.sharing(some, { limit: 0 });
    some.forEach((node, k) => frequency[k]! > 0 && known.add(node));
  }
  for (const member of members) if (!known.has(member.node!)) member.node = undefined;
}

/** The bucket itself when it is tight, else what its halves give. */
async function split(
  module: string,
  members: readonly BucketMember[],
  bits: string,
  limits: { readonly minCount: number; readonly maxSpread: number; readonly signal: AbortSignal | undefined },
  seed: string,
): Promise<Bucket[]> {
  if (members.length < limits.minCount) return [];
  const { centroid, spread } = momentsOf(members);
  if (spread < limits.maxSpread) return [{ module, bits, count: members.length, spread, centroid, members }];
  if (bits.length >= MOST_BITS) return [];
  const signer = new Signer(centroid.length, `${seed}/bucket/${module}`);
  // Centred anew in every half, so that a further bit cuts through its middle.
  const sides: [BucketMember[], BucketMember[]] = [[], []];
  for (const [i, member] of members.entries()) {
    const { bits: signature } = signer.sign(member.attributes, centroid);
    sides[(signature[bits.length >>> 5]! >>> (bits.length & 31)) & 1]!.push(member);
    if (i % AT_ONCE === AT_ONCE - 1) await othersFirst(limits.signal);
  }
  if (sides.some((side) => side.length === members.length)) {
    return bits.length + 1 >= MOST_BITS ? [] : split(module, members, `${bits}-`, limits, seed);
  }
  const halves: Bucket[] = [];
  for (const [bit, side] of sides.entries()) halves.push(...(await split(module, side, `${bits}${bit}`, limits, seed)));
  return halves;
}

/** Lets others have their turn. */
async function othersFirst(signal: AbortSignal | undefined): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
  signal?.throwIfAborted();
}

function momentsOf(members: readonly BucketMember[]): { centroid: Float64Array; spread: number } {
  const dim = members[0]!.attributes.length;
  const centroid = new Float64Array(dim);
  let square = 0;
  for (const { attributes } of members) {
    for (let i = 0; i < dim; i++) {
      centroid[i]! += attributes[i]! / members.length;
      square += attributes[i]! ** 2 / members.length;
    }
  }
  const own = centroid.reduce((sum, v) => sum + v * v, 0);
  return { centroid, spread: square === 0 ? 0 : Math.max(0, square - own) / square };
}

/** Buckets without the members of events that are gone; those that are left with none are left out. */
export async function stillThere(store: Store, buckets: readonly Bucket[]): Promise<Bucket[]> {
  const events = [...new Set(buckets.flatMap(({ members }) => members.map(({ event }) => event)))];
  const rows = await store.find(events.map(idFromText));
  const gone = new Set(events.filter((_, i) => rows[i] === undefined));
  if (gone.size === 0) return [...buckets];
  return buckets.flatMap((bucket) => {
    const members = bucket.members.filter(({ event }) => !gone.has(event));
    return members.length === 0 ? [] : [{ ...bucket, members, count: members.length, ...momentsOf(members) }];
  });
}

/** Offers buckets to the books of their modules; returns the changes that put the concepts into the graph. */
export async function conceptChanges(
  buckets: readonly Bucket[],
  bookOf: (module: string, dim: number) => ConceptSink | undefined,
  tools: { readonly keys: ComponentKeys; readonly at: number; readonly known: readonly OwnedLinks[] },
): Promise<{ readonly changes: Change[]; readonly concepts: ConceptNode[] }> {
  const members = new Map<string, { module: string; concept: number; nodes: Set<number> }>();
  for (const { module, centroid, members: own } of buckets) {
    const book = bookOf(module, centroid.length);
    if (book === undefined) continue;
    const concept = conceptOf(book, own);
    await othersFirst(undefined);
    const owner = `${OWNER}${concept}/${module}`;
    const entry = members.get(owner) ?? { module, concept, nodes: new Set<number>() };
    for (const { node } of own) if (node !== undefined) entry.nodes.add(node);
    members.set(owner, entry);
  }
  const changes: Change[] = [];
  const concepts: ConceptNode[] = [];
  for (const [owner, { module, concept, nodes }] of members) {
    const node = tools.keys.named(owner);
    for (const { from } of tools.known.find((known) => known.owner === owner)?.links ?? []) nodes.add(from);
    const list = [...nodes].sort((a, b) => a - b);
    const links = list.map((from): Link => ({ from, kind: 'is-a', to: node, weight: 2 ** 20 }));
    changes.push({ kind: 'links', owner, at: tools.at, links });
    concepts.push({ module, concept, node, members: list });
  }
  return { changes, concepts };
}

/** The concept that most members are in already, which then takes the others too; else a new one of all members. */
function conceptOf(book: ConceptSink, members: readonly BucketMember[]): number {
  const votes = new Map<number, number>();
  const fresh: { readonly id: string; readonly attributes: Float32Array }[] = [];
  for (const { event, path, attributes } of members) {
    const id = `${event}/${path}`;
    const known = book.conceptOf(id);
    if (known === undefined) fresh.push({ id, attributes });
    else votes.set(known, (votes.get(known) ?? 0) + 1);
  }
  const [first] = [...votes].sort((a, b) => b[1] - a[1] || a[0] - b[0]);
  if (first === undefined) {
    return book.teach(
      fresh.map(({ attributes }) => attributes),
      fresh.map(({ id }) => id),
    );
  }
  for (const { id, attributes } of fresh) book.observe(attributes, id);
  return first[0];
}

/** The concepts that are in the graph. */
export function conceptNodes(owners: readonly OwnedLinks[]): ConceptNode[] {
  return owners
    .filter(({ owner, links }) => owner.startsWith(OWNER) && links.length > 0)
    .map(({ owner, links }) => {
      const rest = owner.slice(OWNER.length);
      const at = rest.indexOf('/');
      const members = links.map(({ from }) => from).sort((a, b) => a - b);
      return { module: rest.slice(at + 1), concept: Number(rest.slice(0, at)), node: links[0]!.to, members };
    });
}
