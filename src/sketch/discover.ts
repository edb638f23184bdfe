// Reading a sketch whose structure is unknown: greedy pursuit over (path, position, module) with a joint solve after every
// find. Candidates are blocks of columns, the presence marker among them; its coefficient is the weight of the object.
import { CairnError } from '../errors.ts';
import { leastSquares, type LeastSquares, residualOf, solveLeastSquares } from './_least-squares.ts';
import { multiply, multiplyTransposed } from './_products.ts';
import type { Maps } from './maps.ts';
import { rawNumbers, type Readable } from './observe.ts';
import { sketcherOf } from './sketcher.ts';

/** What may occur in the event. */
export interface DiscoverOptions {
  /** Modules that may have produced an object, with their number of attributes. */
  readonly modules: readonly { readonly module: string; readonly size: number }[];
  /** Positions to try at each depth: `[4, 2]` tries four outputs with two inputs each. */
  readonly positions: readonly number[];
  /** Most objects to accept at each depth; default all positions. */
  readonly most?: readonly number[] | undefined;
}

/** An object that was found. */
export interface Discovered {
  /** Positions from the event down, as in `unroll`. */
  readonly path: string;
  readonly module: string;
  /** Effective weight, estimated from the presence marker. */
  readonly weight: number;
  /** [m] as sketched: divided by 2^exponent when the event was balanced. */
  readonly attributes: Float32Array;
  /** Expected rms error per attribute. */
  readonly err: number;
  /** Energy this object explained when it was found, over what chance would have. */
  readonly strength: number;
}

/** The objects that were found and how much of the sketch they explain. */
export interface Discovery {
  readonly objects: readonly Discovered[];
  /** ‖unexplained‖ / ‖sketch‖. */
  readonly residual: number;
  /** Whether what is unexplained is no larger than the rounding error. */
  readonly complete: boolean;
}

interface Block {
  readonly slot: string;
  readonly positions: readonly number[];
  readonly chain: readonly string[];
  readonly module: string;
  readonly size: number;
  /** [size + 1, kept] columns as rows; the marker is the last one. */
  readonly rows: Float64Array;
  /** [size + 1, kept] orthonormal rows of the same span. */
  readonly span: Float64Array;
}

/**
 * Finds modules, weights and attributes in a full sketch. Encode with `balance: false` and store with `part: 'full'`.
 * Cost: candidates × (m + 1) × d per find.
 * @throws CairnError `sketch_part` when the markers were taken out
 * @example
 * discover(encode(event, spec, { balance: false }), { modules, positions: [4, 2] }).objects;
 */
export function discover(sketch: Readable, options: DiscoverOptions): Discovery {
  const { maps } = sketcherOf(sketch.spec);
  const { y, coordinates, noise } = fullNumbers(sketch);
  const share = sketch.spec.signatures ? 1 / 3 : 1 / 2;
  const total = norm(y);
  const floor = Math.max(noise * Math.sqrt(y.length) * 1.2, 1e-7 * total);
  const chosen: { block: Block; strength: number }[] = [];
  let residual: Float64Array = y;
  let parents: { block: Block; strength: number }[] = [];
  for (let depth = 0; depth < options.positions.length; depth++) {
    const candidates = candidateBlocks(
      maps,
      options,
      depth,
      parents.map((p) => p.block),
      coordinates,
      share,
    );
    const found: { block: Block; strength: number }[] = [];
    const most = options.most?.[depth] ?? Infinity;
    while (found.length < most && norm(residual) > floor) {
      const taken = new Set(found.map((f) => f.block.slot));
      const best = strongest(
        candidates.filter((c) => !taken.has(c.slot)),
        residual,
        candidates.length,
      );
      if (best === undefined || best.strength < 1) break;
      const trial = [...chosen, ...found, best];
      const fit = solveBlocks(
        trial.map((t) => t.block),
        y,
      );
      // A marker has a positive weight of at most 1; anything else is a coincidence.
      const weight = markerOf(fit, trial.length - 1);
      candidates.splice(candidates.indexOf(best.block), 1);
      if (!(weight > 0 && weight < 1.5)) continue;
      found.push(best);
      residual = fit.residual;
    }
    residual = swapPass(chosen, found, candidates, y, residual);
    chosen.push(...found);
    parents = found;
    if (found.length === 0) break;
  }
  const objects =
    chosen.length === 0
      ? []
      : describe(
          chosen,
          solveBlocks(
            chosen.map((c) => c.block),
            y,
          ),
          noise,
        );
  objects.sort((a, b) => (a.path < b.path ? -1 : 1));
  return { objects, residual: total === 0 ? 0 : norm(residual) / total, complete: norm(residual) <= floor };
}

function fullNumbers(sketch: Readable): { y: Float64Array; coordinates: Uint32Array; noise: number } {
  const { values, coordinates, noise } = rawNumbers(sketch);
  if (sketch.kind === 'encoded') return { y: Float64Array.from(sketch.values), coordinates, noise: 0 };
  if (sketch.part === 'content') {
    throw new CairnError('sketch_part', 'Expected a full sketch to discover its structure, got content only.', {
      hint: "Store with quantise(event, { part: 'full' }), or use unroll with the stored structure.",
    });
  }
  return { y: values, coordinates, noise };
}

/** All blocks at a depth: every module at every position below the objects found one level up. */
function candidateBlocks(
  maps: Maps,
  options: DiscoverOptions,
  depth: number,
  parents: readonly Block[],
  coordinates: Uint32Array,
  share: number,
): Block[] {
  const above = depth === 0 ? [{ positions: [] as readonly number[], chain: [] as readonly string[] }] : parents;
  // Columns of a module as an object of its own: shared by all places it may stand in.
  const own = options.modules.map(({ module, size }) => ownColumns(maps, module, size, share));
  return above.flatMap(({ positions, chain }) =>
    Array.from({ length: options.positions[depth]! }, (_, position) =>
      options.modules.map(({ module, size }, k) => {
        const rows = new Float64Array((size + 1) * coordinates.length);
        own[k]!.forEach((column, j) => {
          const v = Float64Array.from(column);
          maps.mix(maps.map('position', position), v);
          for (let up = chain.length - 1; up >= 0; up--) {
            maps.mix(maps.map('fixed', 'inputs'), v, 0.5);
            maps.mix(maps.map('module', chain[up]!), v);
            maps.mix(maps.map('position', positions[up]!), v);
          }
          coordinates.forEach((c, i) => {
            rows[j * coordinates.length + i] = v[c]!;
          });
        });
        const path = [...positions, position];
        const span = orthonormal(rows, size + 1, coordinates.length);
        return { slot: path.join('/'), positions: path, chain: [...chain, module], module, size, rows, span };
      }),
    ).flat(),
  );
}

/** T_{M,0} ½ T_attr · share · R of every attribute and, last, of the presence marker. */
function ownColumns(maps: Maps, module: string, size: number, share: number): Float64Array[] {
  return Array.from({ length: size + 1 }, (_, j) => {
    const v = new Float64Array(maps.dim);
    v[j < size ? j : 0] = share;
    maps.rotate(maps.map(j < size ? 'attribute' : 'marker', module), v);
    maps.mix(maps.map('fixed', 'attributes'), v, 0.5);
    maps.mix(maps.map('module', module), v);
    return v;
  });
}

/** Gram-Schmidt over rows, each orthogonalised twice; dependent rows become zero. */
function orthonormal(rows: Float64Array, count: number, length: number): Float64Array {
  const out = Float64Array.from(rows);
  for (let k = 0; k < count; k++) {
    const own = out.subarray(k * length, (k + 1) * length);
    const before = out.subarray(0, k * length);
    const size = norm(own);
    const shared = new Float64Array(k);
    const part = new Float64Array(length);
    for (let pass = 0; pass < 2; pass++) {
      multiply(before, own, shared);
      multiplyTransposed(before, shared, part);
      for (let i = 0; i < length; i++) own[i] = own[i]! - part[i]!;
    }
    const left = norm(own);
    const scale = left > 1e-10 * size ? 1 / left : 0;
    for (let i = 0; i < length; i++) own[i] = own[i]! * scale;
  }
  return out;
}

/** The candidate that explains most, with its energy over what the best of as many random blocks would explain. */
function strongest(
  candidates: readonly Block[],
  residual: Float64Array,
  count: number,
): { block: Block; strength: number } | undefined {
  const perDirection = norm(residual) ** 2 / residual.length;
  let best: { block: Block; strength: number } | undefined;
  for (const block of candidates) {
    const seen = new Float64Array(block.size + 1);
    multiply(block.span, residual, seen);
    // Upper tail of χ² with k degrees of freedom over all candidates (Laurent and Massart 2000, lemma 1).
    const k = block.size + 1;
    const x = Math.log(count) + 3;
    const chance = perDirection * (k + 2 * Math.sqrt(k * x) + 2 * x);
    const strength = norm(seen) ** 2 / chance;
    if (best === undefined || strength > best.strength) best = { block, strength };
  }
  return best;
}

interface Fit {
  readonly blocks: readonly Block[];
  readonly system: LeastSquares;
  readonly u: Float64Array;
  readonly residual: Float64Array;
}

function solveBlocks(blocks: readonly Block[], y: Float64Array): Fit {
  const count = blocks.reduce((s, b) => s + b.size + 1, 0);
  const rows = new Float64Array(count * y.length);
  let at = 0;
  for (const b of blocks) {
    rows.set(b.rows, at * y.length);
    at += b.size + 1;
  }
  const system = leastSquares(rows, count, y.length);
  const u = solveLeastSquares(system, y);
  return { blocks, system, u, residual: residualOf(system, y, u) };
}

function markerOf(fit: Fit, index: number): number {
  let at = 0;
  for (let i = 0; i <= index; i++) at += fit.blocks[i]!.size + 1;
  return fit.u[at - 1]!;
}

/** Tries the best other module at every slot found at this depth; keeps what explains more. Changes `found`. */
function swapPass(
  chosen: readonly { block: Block; strength: number }[],
  found: { block: Block; strength: number }[],
  candidates: readonly Block[],
  y: Float64Array,
  residual: Float64Array,
): Float64Array {
  let best = residual;
  found.forEach((f, i) => {
    const rest = [...chosen, ...found.filter((_, k) => k !== i)];
    const without =
      rest.length === 0
        ? y
        : solveBlocks(
            rest.map((r) => r.block),
            y,
          ).residual;
    const rivals = candidates.filter((c) => c.slot === f.block.slot);
    const rival = strongest(rivals, without, rivals.length);
    if (rival === undefined) return;
    const fit = solveBlocks([...rest.map((r) => r.block), rival.block], y);
    if (norm(fit.residual) >= norm(best) * (1 - 1e-9)) return;
    found[i] = rival;
    best = fit.residual;
  });
  return best;
}

function describe(chosen: readonly { block: Block; strength: number }[], fit: Fit, noise: number): Discovered[] {
  let at = 0;
  return chosen.map(({ block, strength }) => {
    const first = at;
    at += block.size + 1;
    const weight = fit.u[at - 1]!;
    let power = 0;
    for (let j = first; j < at - 1; j++) power += fit.system.spread[j]! ** 2;
    const level = Math.max(noise, norm(fit.residual) / Math.sqrt(fit.residual.length));
    const err = (level * Math.sqrt(power / Math.max(1, block.size))) / weight;
    const attributes = Float32Array.from({ length: block.size }, (_, j) => fit.u[first + j]! / weight);
    return { path: block.slot, module: block.module, weight, attributes, err, strength };
  });
}

function norm(v: Float64Array): number {
  let s = 0;
  for (const x of v) s += x * x;
  return Math.sqrt(s);
}
