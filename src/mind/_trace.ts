// Traces while they grow: nodes that attempts and nested calls are added to, and their conversion to what a sketch encodes.
import type { Obj } from '../sketch/index.ts';
import type { OneHotGroup } from '../sketch/index.ts';
import { CairnError } from '../errors.ts';
import type { Attempt, RouteNote, TraceInput, TraceNode, Usage } from './module.ts';

export const NO_USAGE: Usage = { flop: 0, ms: 0 };

/** A trace node under construction. */
export class Node implements TraceNode {
  readonly task: string;
  module: string | undefined;
  attributes: Float32Array = new Float32Array(0);
  groups: readonly OneHotGroup[] | undefined;
  confidence: number | undefined;
  route: RouteNote;
  readonly attempts: Attempt[] = [];
  inputs: TraceInput[] = [];
  usage: Usage = NO_USAGE;
  amended = false;

  constructor(task: string, route: RouteNote) {
    this.task = task;
    this.route = route;
  }

  addAttempt(attempt: Attempt): void {
    this.attempts.push(attempt);
    this.usage = addUsage(this.usage, attempt.usage);
  }
}

/** Sum of two usages; optional figures appear when either has them. */
export function addUsage(a: Usage, b: Usage): Usage {
  const sum = { flop: a.flop + b.flop, ms: a.ms + b.ms };
  const optional: { usd?: number; tokensIn?: number; tokensOut?: number; tokensThought?: number } = {};
  for (const key of ['usd', 'tokensIn', 'tokensOut', 'tokensThought'] as const) {
    if (a[key] !== undefined || b[key] !== undefined) optional[key] = (a[key] ?? 0) + (b[key] ?? 0);
  }
  return { ...sum, ...optional };
}

/** What a node and everything below it cost; shared nodes are counted once, failed attempts with their nested calls too. */
export function totalUsage(root: TraceNode): Usage {
  let total = NO_USAGE;
  const seen = new Set<TraceNode>();
  const visit = (node: TraceNode): void => {
    if (seen.has(node)) return;
    seen.add(node);
    total = addUsage(total, node.usage);
    for (const input of node.inputs) visit(input.node);
    for (const attempt of node.attempts) for (const call of attempt.calls ?? []) visit(call.node);
  };
  visit(root);
  return total;
}

/**
 * The part of a trace that is sketched: nodes reached by positive weights, weights normalised per node. Objects are named
 * after tasks, not modules, so that events of one kind have one structure whoever answered.
 */
export function toObject(root: TraceNode): Obj {
  const made = new Map<TraceNode, Obj>();
  const visit = (node: TraceNode): Obj => {
    const known = made.get(node);
    if (known) return known;
    const inputs = node.inputs.filter((input) => input.weight > 0);
    const sum = inputs.reduce((s, input) => s + input.weight, 0);
    const object: Obj = {
      module: node.task,
      attributes: node.attributes,
      ...(node.groups ? { groups: node.groups } : {}),
      ...(inputs.length > 0
        ? { inputs: inputs.map((input) => ({ object: visit(input.node), weight: input.weight / sum })) }
        : {}),
    };
    made.set(node, object);
    return object;
  };
  return visit(root);
}

/** @throws CairnError `bad_attributes` unless non-negative, finite and (outside one-hot groups) of norm at most 1 */
export function checkAttributes(module: string, attributes: Float32Array, groups: readonly OneHotGroup[] = []): void {
  let norm = 0;
  for (let i = 0; i < attributes.length; i++) {
    const value = attributes[i]!;
    if (!(value >= 0 && value <= 1)) {
      throw new CairnError(
        'bad_attributes',
        `Expected attributes of ${module} between 0 and 1, got ${value} at ${i}.`,
        {
          hint: 'Scale them; split signed values into a positive and a negative half.',
        },
      );
    }
    if (!groups.some((g) => i >= g.start && i < g.start + g.size)) norm += value * value;
  }
  if (norm > 1 + 1e-5) {
    throw new CairnError(
      'bad_attributes',
      `Expected attributes of ${module} with norm at most 1, got ${Math.sqrt(norm).toFixed(4)}.`,
      {
        hint: 'Divide them by their norm.',
      },
    );
  }
}
