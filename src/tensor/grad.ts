// Reverse-mode differentiation on the graph: extends a program by its gradients. Rules are written in ops, so gradients
// can be differentiated again. Nothing is computed here.
import { CairnError } from '../errors.ts';
import type { Builder } from './builder.ts';
import { isFloat } from './dtype.ts';
import type { Port } from './graph.ts';
import { concat, pad } from './ops/slice.ts';
import { sameShape, shapeText } from './shape.ts';
import type { Tensor } from './tensor.ts';

export interface GradOptions {
  /** Throws when a tensor of `wrt` does not influence the outputs; otherwise its gradient is zero. */
  readonly strict?: boolean;
  /** Told about each tensor of `wrt` that does not influence the outputs. */
  readonly onUnreached?: (t: Tensor) => void;
}

/**
 * Gradient of a scalar with respect to each tensor of `wrt`.
 * @param loss rank 0, float
 * @throws CairnError `not_scalar`, `unreached` (with `strict`)
 * @example const [dw] = grad(loss, [w]);
 */
export function grad(loss: Tensor, wrt: readonly Tensor[], options: GradOptions = {}): Tensor[] {
  if (loss.shape.length !== 0 || !isFloat(loss.dtype)) {
    throw new CairnError(
      'not_scalar',
      `Expected a float scalar to differentiate, got ${loss.dtype}${shapeText(loss.shape)}.`,
      {
        hint: 'Reduce it with sum or mean, or use vjp.',
      },
    );
  }
  return vjp([loss], [loss.builder.constant(1, [], loss.dtype)], wrt, options);
}

/**
 * Vector-Jacobian product: the gradient of `sum_i <outputs_i, cotangents_i>` with the cotangents held fixed.
 * @throws CairnError `shape_mismatch`, `unreached` (with `strict`)
 */
export function vjp(
  outputs: readonly Tensor[],
  cotangents: readonly Tensor[],
  wrt: readonly Tensor[],
  options: GradOptions = {},
): Tensor[] {
  const builder = outputs[0]?.builder ?? wrt[0]?.builder;
  if (!builder) return [];
  const last = outputs.reduce((m, t) => Math.max(m, t.port.node), -1);
  const path = dependents(builder, wrt, last);
  const found: Found = new Map();
  outputs.forEach((t, i) => {
    const g = cotangents[i];
    if (!g || !sameShape(g.shape, t.shape) || g.dtype !== t.dtype) {
      throw new CairnError(
        'shape_mismatch',
        `Expected a cotangent ${t.dtype}${shapeText(t.shape)}, got ${g ? g.dtype + shapeText(g.shape) : 'none'}.`,
      );
    }
    if (path.wants(t)) deliver(found, t, g);
  });
  for (let id = last; id >= 0; id--) {
    if (found.has(id) && path.through(id)) pullBack(builder, id, path, found);
  }
  return wrt.map((t) => collect(found, t.port) ?? unreached(t, options));
}

/** Cotangents that have arrived, by node and port; a single sum once the port was collected. */
type Found = Map<number, (Tensor[] | undefined)[]>;

interface Path {
  /** True when the gradient of this tensor is needed on the way to `wrt`. */
  wants(t: Tensor): boolean;
  /** True when the gradient flows through this node. */
  through(id: number): boolean;
}

/** Marks the nodes whose value depends on a tensor of `wrt`. */
function dependents(builder: Builder, wrt: readonly Tensor[], last: number): Path {
  const nodes = builder.nodes();
  const marked = new Uint8Array(nodes.length);
  const targets = new Map<number, Set<number>>();
  let first = last + 1;
  for (const { port } of wrt) {
    first = Math.min(first, port.node);
    targets.set(port.node, (targets.get(port.node) ?? new Set()).add(port.port));
  }
  for (let id = first; id <= last; id++) {
    if (!builder.record(id)?.vjp) continue;
    const hit = nodes[id]!.inputs.some((p) => marked[p.node] === 1 || targets.get(p.node)?.has(p.port));
    if (hit) marked[id] = 1;
  }
  return {
    through: (id) => marked[id] === 1,
    wants: (t) =>
      isFloat(t.dtype) && (marked[t.port.node] === 1 || targets.get(t.port.node)?.has(t.port.port) === true),
  };
}

/** Runs one gradient rule and adds the results to the cotangents of the inputs. */
function pullBack(builder: Builder, id: number, path: Path, found: Found): void {
  const node = builder.nodes()[id]!;
  const inputs = node.inputs.map((p) => builder.at(p));
  const wanted = inputs.map((x) => path.wants(x));
  const rule = builder.record(id)!.vjp!;
  const results = builder.scope(node.scope === '' ? 'grad' : `grad:${node.scope}`, () =>
    rule({
      inputs,
      outputs: node.outputs.map((_, port) => builder.at({ node: id, port })),
      attrs: node.attrs,
      cotangents: node.outputs.map((_, port) => collect(found, { node: id, port })),
      needs: (i) => wanted[i] === true,
    }),
  );
  inputs.forEach((x, i) => {
    const g = results[i];
    if (!g || !wanted[i]) return;
    if (!sameShape(g.shape, x.shape) || g.dtype !== x.dtype) {
      throw new CairnError(
        'bad_gradient',
        `Expected a gradient ${x.dtype}${shapeText(x.shape)} from ${node.op}, got ${g.dtype}${shapeText(g.shape)}.`,
      );
    }
    deliver(found, x, g);
  });
}

function deliver(found: Found, t: Tensor, g: Tensor): void {
  const ports = found.get(t.port.node) ?? [];
  (ports[t.port.port] ??= []).push(g);
  found.set(t.port.node, ports);
}

/** The sum of what arrived at a port. All users of the port were visited before, so nothing arrives later. */
function collect(found: Found, port: Port): Tensor | undefined {
  const ports = found.get(port.node);
  const arrived = ports?.[port.port];
  if (!ports || !arrived) return undefined;
  const total = joinPads(arrived).reduce((sum, g) => sum.add(g));
  ports[port.port] = [total];
  return total;
}

/** A zero-padded cotangent, in parts along one axis: what the gradients of slices look like. */
interface Padded {
  readonly parts: readonly Tensor[];
  readonly axis: number;
  readonly shape: readonly number[];
  readonly lo: readonly number[];
  readonly hi: readonly number[];
}

/**
 * Cotangents of slices that lie side by side become one concat instead of padded sums: the gradient of a split is a
 * concat.
 */
function joinPads(arrived: readonly Tensor[]): Tensor[] {
  const rest = arrived.filter((g) => !asPadded(g));
  const pads = arrived.flatMap((g) => asPadded(g) ?? []);
  for (let joined = true; joined;) {
    joined = false;
    for (let i = 0; i < pads.length && !joined; i++) {
      for (let j = 0; j < pads.length && !joined; j++) {
        const both = i === j ? undefined : beside(pads[i]!, pads[j]!);
        if (!both) continue;
        pads[i] = both;
        pads.splice(j, 1);
        joined = true;
      }
    }
  }
  return [...rest, ...pads.map((p) => pad(concat(p.parts, p.axis), p.lo, p.hi))];
}

function asPadded(g: Tensor): Padded | undefined {
  const node = g.builder.nodes()[g.port.node]!;
  if (node.op !== 'pad' || node.attrs['value'] !== 0) return undefined;
  const [lo, hi] = [node.attrs['lo'], node.attrs['hi']] as [readonly number[], readonly number[]];
  const inner = g.builder.at(node.inputs[0]!);
  return { parts: [inner], axis: 0, shape: inner.shape, lo, hi };
}

/** `a` followed by `b` along the one axis where their places differ, if they touch there. */
function beside(a: Padded, b: Padded): Padded | undefined {
  const differing = a.lo.flatMap((lo, i) => (lo === b.lo[i] && a.hi[i] === b.hi[i] ? [] : [i]));
  const axis = differing[0];
  if (axis === undefined || differing.length > 1 || a.lo[axis]! + a.shape[axis]! !== b.lo[axis]) return undefined;
  const partsOf = (p: Padded): readonly Tensor[] =>
    p.parts.length === 1 || p.axis === axis ? p.parts : [concat(p.parts, p.axis)];
  const shape = a.shape.map((d, i) => (i === axis ? d + b.shape[i]! : d));
  return { parts: [...partsOf(a), ...partsOf(b)], axis, shape, lo: a.lo, hi: b.hi };
}

function unreached(t: Tensor, options: GradOptions): Tensor {
  if (options.strict === true) {
    const name = t.builder.nodes()[t.port.node]!.name;
    throw new CairnError(
      'unreached',
      `Expected the outputs to depend on ${name ? `\`${name}\`` : String(t)}, got no path.`,
      {
        hint: 'Leave it out of wrt, or do not pass strict.',
      },
    );
  }
  options.onUnreached?.(t);
  return t.builder.constant(0, [], t.dtype).expand(t.shape);
}

/**
 * Jacobian-vector product by two vjps: the directional derivatives of `outputs` along `tangents` of `inputs`.
 * @example const [dy] = jvp([y], [x], [direction]);
 */
export function jvp(outputs: readonly Tensor[], inputs: readonly Tensor[], tangents: readonly Tensor[]): Tensor[] {
  const dummies = outputs.map((y) => y.builder.placeholder(y));
  const pulled = vjp(outputs, dummies, inputs);
  return vjp(pulled, tangents, dummies);
}

/** `H v` for the Hessian of a scalar: the gradient of `<grad loss, v>`. */
export function hessianVectorProduct(loss: Tensor, wrt: readonly Tensor[], vectors: readonly Tensor[]): Tensor[] {
  return vjp(grad(loss, wrt), vectors, wrt);
}
