// What an event adds to the graph: its node has its heavy components, and components of one parent are with each other. An
// object with one input stands for that input, so that chains do not become edges. Source: arXiv 1910.06718.
import { CairnError } from '../errors.ts';
import type { Obj } from '../sketch/index.ts';
import { type ComponentKeys, isList } from './components.ts';
import { EDGE_UNIT, type EdgeKind, edgeKinds, type Link } from './links.ts';

/** Components lighter than this make no edges: in a tuple of many equal parts each says little about the rest. */
const LIGHTEST = 1 / 16;
/** Components of one parent that make edges, the heaviest. */
const SIBLINGS = 8;

/** A link of an event to a node that is named by the caller. */
export interface NamedLink {
  readonly kind: EdgeKind;
  /** A node, such as `Memory.nodeOf` of another event's trace. */
  readonly to: number;
  /** In (0, 1]; 1 by default. */
  readonly weight?: number | undefined;
}

/**
 * The links of an event, all from its node or between its components; the first one starts at the node. Empty when nothing
 * in it is heavy enough and none is named.
 *
 * @throws CairnError `bad_link`
 */
export function linksOf(
  root: Obj | readonly Obj[],
  keys: ComponentKeys,
  named: readonly NamedLink[] = [],
  about: readonly number[] = [],
): Link[] {
  const memo = new Map<Obj, number>();
  const node = keys.node(root, memo);
  const links: Link[] = [];
  for (const { kind, to, weight = 1 } of named) {
    if (!edgeKinds.includes(kind) || !Number.isSafeInteger(to) || !(weight > 0 && weight <= 1)) {
      throw new CairnError('bad_link', 'Expected a kind, a node and a weight in (0, 1], got another link.', {
        hint: 'Take the node from Memory.nodeOf.',
      });
    }
    links.push({ from: node, kind, to, weight: units(weight) });
  }
  for (const frame of about) links.push({ from: node, kind: 'about', to: frame, weight: units(1) });
  const done = new Set<number>();
  const visit = (parent: number, inputs: NonNullable<Obj['inputs']>, share: number): void => {
    if (inputs.length === 1) {
      visit(parent, inputs[0]!.object.inputs ?? [], share * inputs[0]!.weight);
      return;
    }
    const children = heaviest(inputs, share, (object) => keys.entity(object, memo));
    for (const { key, weight } of children) {
      if (key !== parent) links.push({ from: parent, kind: 'has', to: key, weight: units(weight) });
    }
    children.forEach((a, i) => {
      for (const b of children.slice(i + 1)) {
        links.push({ from: a.key, kind: 'with', to: b.key, weight: units(a.weight * b.weight) });
      }
    });
    for (const { key, weight, object } of children) {
      if (done.has(key)) continue;
      done.add(key);
      visit(key, object.inputs ?? [], share * weight);
    }
  };
  const outputs = isList(root) ? root : [root];
  visit(
    node,
    outputs.map((object) => ({ object, weight: 1 / outputs.length })),
    1,
  );
  return links;
}

/** The node of the event that made some links. */
export function nodeOfLinks(links: readonly Link[]): number | undefined {
  return links[0]?.from;
}

/** Distinct children by key with their summed weight, the heaviest first, ties by key. */
function heaviest(
  inputs: NonNullable<Obj['inputs']>,
  share: number,
  keyOf: (object: Obj) => number,
): { readonly key: number; readonly weight: number; readonly object: Obj }[] {
  const children = new Map<number, { key: number; weight: number; object: Obj }>();
  for (const { object, weight } of inputs) {
    if (weight * share < LIGHTEST) continue;
    const key = keyOf(object);
    const known = children.get(key);
    if (known === undefined) children.set(key, { key, weight, object });
    else known.weight += weight;
  }
  return [...children.values()].sort((a, b) => b.weight - a.weight || a.key - b.key).slice(0, SIBLINGS);
}

function units(weight: number): number {
  return Math.max(1, Math.round(weight / EDGE_UNIT));
}
