// Edges of the implicit knowledge graph: what one event contributes (links), how contributions add up (edges), and the byte
// form in which an event keeps its own, so that forgetting takes exactly them away. Edges point at nodes, which are keys of
// entities, never at records. Source: arXiv 1910.06718.
import { CairnError } from '../errors.ts';
import { isSealed, readKey, seal, writeKey } from './_segments.ts';
import { readVarint, varintLength, writeVarint } from './postings.ts';

/** Weights are whole numbers of 2^-20, so that adding and taking away are exact in any order. */
export const EDGE_UNIT = 2 ** -20;

/**
 * Every kind has an inverse: a link from a to b is found from both ends. `with` is its own. `about` leads from a statement to
 * what is left of it without one of its values: statements about the same with other values may contradict each other.
 * Kinds are stored by their place here: new ones go to the end.
 */
export const edgeKinds = [
  'has',
  'in',
  'with',
  'next',
  'previous',
  'supersedes',
  'superseded',
  'is-a',
  'member',
  'about',
  'told',
] as const;
export type EdgeKind = (typeof edgeKinds)[number];

const inverse: Readonly<Record<EdgeKind, EdgeKind>> = {
  has: 'in',
  in: 'has',
  with: 'with',
  next: 'previous',
  previous: 'next',
  supersedes: 'superseded',
  superseded: 'supersedes',
  'is-a': 'member',
  member: 'is-a',
  about: 'told',
  told: 'about',
};

/** One contribution to the graph. Its inverse is implied. */
export interface Link {
  readonly from: number;
  readonly kind: EdgeKind;
  readonly to: number;
  /** Whole units of `EDGE_UNIT`, at least 1. */
  readonly weight: number;
}

/** The sum of all contributions from one node to another. */
export interface Edge {
  readonly from: number;
  readonly kind: EdgeKind;
  readonly to: number;
  /** Whole units of `EDGE_UNIT`. */
  readonly weight: number;
  /** Contributions. */
  readonly count: number;
  /** Sum of their times in whole seconds since 1970. */
  readonly seconds: number;
  /** Mean time of the contributions in whole seconds since 1970, rounded down: unlike the latest time it can be taken back. */
  readonly time: number;
}

/** What a change adds to one directed edge; `seconds` is a sum over the contributions. */
export interface EdgeIncrement {
  readonly from: number;
  readonly kind: EdgeKind;
  readonly to: number;
  weight: number;
  count: number;
  seconds: number;
}

/** Sums increments by edge, with the implied inverses; edges that come out unchanged are left out when read. */
export class EdgeSum {
  readonly #edges = new Map<string, EdgeIncrement>();

  /** Adds (`sign` 1) or takes away (-1) the links of one owner, dated `at` milliseconds since 1970. */
  add(links: readonly Link[], at: number, sign: 1 | -1): void {
    const seconds = Math.floor(at / 1000);
    for (const { from, kind, to, weight } of links) {
      this.#add(from, kind, to, weight, seconds, sign);
      this.#add(to, inverse[kind], from, weight, seconds, sign);
    }
  }

  /** In order of from, kind and to. */
  increments(): EdgeIncrement[] {
    return [...this.#edges.values()]
      .filter(({ weight, count, seconds }) => weight !== 0 || count !== 0 || seconds !== 0)
      .sort(byEdge);
  }

  #add(from: number, kind: EdgeKind, to: number, weight: number, seconds: number, sign: 1 | -1): void {
    const name = edgeName(from, kind, to);
    let edge = this.#edges.get(name);
    if (edge === undefined) this.#edges.set(name, (edge = { from, kind, to, weight: 0, count: 0, seconds: 0 }));
    edge.weight += sign * weight;
    edge.count += sign;
    edge.seconds += sign * seconds;
  }
}

export function edgeName(from: number, kind: EdgeKind, to: number): string {
  return `${from} ${edgeKinds.indexOf(kind)} ${to}`;
}

/** Order of the canonical list: by source node, kind, target node. */
export function byEdge(a: Pick<Edge, 'from' | 'kind' | 'to'>, b: Pick<Edge, 'from' | 'kind' | 'to'>): number {
  return a.from - b.from || edgeKinds.indexOf(a.kind) - edgeKinds.indexOf(b.kind) || a.to - b.to;
}

/** Order in which a node's edges are cut to a limit: heaviest first, then canonical. */
export function byWeight(a: Edge, b: Edge): number {
  return b.weight - a.weight || byEdge(a, b);
}

/** Throws `bad_link` unless both ends are keys and the weight is a positive whole number of units. */
export function checkLinks(links: readonly Link[]): void {
  for (const { from, kind, to, weight } of links) {
    const isKey = (n: number): boolean => Number.isSafeInteger(n) && n >= 0;
    if (!isKey(from) || !isKey(to) || !edgeKinds.includes(kind) || !Number.isSafeInteger(weight) || weight < 1) {
      throw new CairnError(
        'bad_link',
        `Expected two node keys, a kind and a positive whole weight, got ${String(from)} ${String(kind)} ${String(to)} ${String(weight)}.`,
        { hint: 'Take keys from Memory.nodeOf and weights in whole units of EDGE_UNIT.' },
      );
    }
  }
}

/** Bytes of a list of links: distinct nodes once, then a few bytes per link, then a checksum. */
export function packLinks(links: readonly Link[]): Uint8Array {
  const nodes = [...new Set(links.flatMap(({ from, to }) => [from, to]))].sort((a, b) => a - b);
  const place = new Map(nodes.map((node, i) => [node, i] as const));
  let size = varintLength(nodes.length) + nodes.length * 7 + varintLength(links.length) + 4;
  for (const { from, to, weight } of links)
    size += 1 + varintLength(place.get(from)!) + varintLength(place.get(to)!) + varintLength(weight);
  const out = new Uint8Array(size);
  const view = new DataView(out.buffer);
  let at = writeVarint(out, 0, nodes.length);
  for (const node of nodes) {
    writeKey(view, at, node);
    at += 7;
  }
  at = writeVarint(out, at, links.length);
  for (const { from, kind, to, weight } of links) {
    out[at++] = edgeKinds.indexOf(kind);
    at = writeVarint(out, at, place.get(from)!);
    at = writeVarint(out, at, place.get(to)!);
    at = writeVarint(out, at, weight);
  }
  return seal(out);
}

/** The links that `packLinks` packed; throws `store_corrupt` on other bytes. */
export function unpackLinks(bytes: Uint8Array): Link[] {
  if (!isSealed(bytes)) {
    throw new CairnError('store_corrupt', 'Expected the packed links of an event, got bytes with another checksum.', {
      hint: 'Keep a copy of the file and restore a backup.',
    });
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let [n, at] = readVarint(bytes, 0);
  const nodes: number[] = [];
  for (; n > 0; n--, at += 7) nodes.push(readKey(view, at));
  [n, at] = readVarint(bytes, at);
  const links: Link[] = [];
  for (; n > 0; n--) {
    const kind = edgeKinds[bytes[at]!]!;
    const [from, a] = readVarint(bytes, at + 1);
    const [to, b] = readVarint(bytes, a);
    const [weight, c] = readVarint(bytes, b);
    links.push({ from: nodes[from]!, kind, to: nodes[to]!, weight });
    at = c;
  }
  return links;
}
