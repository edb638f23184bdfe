// How alike two events are part by part: objects of the same module are decoded, paired and compared by their attributes,
// each pair with the weight of its precision. For when attributes matter; `similarity` compares the sketches themselves.
import type { Readable } from './observe.ts';
import type { Structure } from './structure.ts';
import { unroll, type UnrolledObject } from './unroll.ts';

/** Two objects of one module that were compared. */
export interface MatchedObjects {
  readonly module: string;
  /** Path in the first and in the second event. */
  readonly paths: readonly [string, string];
  /** Cosine of the decoded attributes, in [-1, 1]. */
  readonly cosine: number;
  /** 1 / (err₁² + err₂²), with errors below 1e-3 taken as 1e-3. */
  readonly weight: number;
}

/** The parts that two events share, and how alike they are. */
export interface SubmoduleSimilarity {
  /** Mean cosine of the pairs by weight; an object without a partner counts as 0 with its own weight. */
  readonly similarity: number;
  /** Pairs, heaviest first; each object is in at most one. */
  readonly pairs: readonly MatchedObjects[];
  /** Paths of the objects of the first and of the second event that have no partner. */
  readonly unmatched: readonly [readonly string[], readonly string[]];
}

/** Smallest error that is told apart: what decoding calls exact is not infinitely heavy. */
const LEAST_ERROR = 1e-3;

/**
 * Compares events object by object, wherever the objects stand: greedily the most alike pair of a module first.
 * @param structures of the two sketches
 * @param module compare only objects of this module
 * @example
 * submoduleSimilarity(a, b, [structureA, structureB], 'read-digit').similarity;
 */
export function submoduleSimilarity(
  a: Readable,
  b: Readable,
  structures: readonly [Structure, Structure],
  module?: string,
): SubmoduleSimilarity {
  const left = objectsByModule(a, structures[0], module);
  const right = objectsByModule(b, structures[1], module);
  const pairs: MatchedObjects[] = [];
  const alone: [UnrolledObject[], UnrolledObject[]] = [[], []];
  for (const name of new Set([...left.keys(), ...right.keys()])) {
    const [xs, ys] = [left.get(name) ?? [], right.get(name) ?? []];
    const found = pairUp(xs, ys);
    pairs.push(...found.map(({ x, y, cosine }) => ({ ...described(x, y), cosine })));
    alone[0].push(...xs.filter((x) => !found.some((p) => p.x === x)));
    alone[1].push(...ys.filter((y) => !found.some((p) => p.y === y)));
  }
  pairs.sort((p, q) => q.weight - p.weight || q.cosine - p.cosine || (p.paths[0] < q.paths[0] ? -1 : 1));
  let sum = 0;
  let total = 0;
  for (const { cosine, weight } of pairs) {
    sum += weight * cosine;
    total += weight;
  }
  for (const o of [...alone[0], ...alone[1]]) total += 1 / (2 * squared(o.err));
  const paths = (list: readonly UnrolledObject[]): string[] => list.map((o) => o.path);
  return {
    similarity: total === 0 ? 0 : sum / total,
    pairs,
    unmatched: [paths(alone[0]), paths(alone[1])],
  };
}

function described(x: UnrolledObject, y: UnrolledObject): Omit<MatchedObjects, 'cosine'> {
  return { module: x.module, paths: [x.path, y.path], weight: 1 / (squared(x.err) + squared(y.err)) };
}

function squared(err: number): number {
  return Math.max(err, LEAST_ERROR) ** 2;
}

/** Objects with attributes, by module; a shared child counts once, at its first path. */
function objectsByModule(
  sketch: Readable,
  structure: Structure,
  module: string | undefined,
): Map<string, UnrolledObject[]> {
  const out = new Map<string, UnrolledObject[]>();
  const seen = new Set<string>();
  const visit = (o: UnrolledObject): void => {
    const first = structure.paths[structure.at(o.path)]!;
    if (seen.has(first)) return;
    seen.add(first);
    if (o.attributes.length > 0 && (module === undefined || o.module === module)) {
      out.set(o.module, [...(out.get(o.module) ?? []), { ...o, path: first }]);
    }
    o.inputs.forEach(visit);
  };
  unroll(sketch, structure).outputs.forEach(visit);
  return out;
}

interface Pair {
  readonly x: UnrolledObject;
  readonly y: UnrolledObject;
  readonly cosine: number;
}

/** The most alike pair first, then the most alike of what is left; ties go to the pair nearer in place. */
function pairUp(xs: readonly UnrolledObject[], ys: readonly UnrolledObject[]): Pair[] {
  const all = xs.flatMap((x, i) =>
    ys.map((y, j) => ({ x, y, cosine: cosineOf(x.attributes, y.attributes), apart: Math.abs(i - j) })),
  );
  all.sort((p, q) => q.cosine - p.cosine || p.apart - q.apart);
  const taken = new Set<UnrolledObject>();
  const out: Pair[] = [];
  for (const { x, y, cosine } of all) {
    if (taken.has(x) || taken.has(y)) continue;
    taken.add(x).add(y);
    out.push({ x, y, cosine });
  }
  return out;
}

/** Cosine of two attribute vectors; the shorter one counts as zero-padded. Two zero vectors are alike. */
function cosineOf(a: Float32Array, b: Float32Array): number {
  let ab = 0;
  let aa = 0;
  let bb = 0;
  for (let i = 0; i < Math.max(a.length, b.length); i++) {
    const x = a[i] ?? 0;
    const y = b[i] ?? 0;
    ab += x * y;
    aa += x * x;
    bb += y * y;
  }
  if (aa === 0 || bb === 0) return aa === bb ? 1 : 0;
  return Math.max(-1, Math.min(1, ab / Math.sqrt(aa * bb)));
}
