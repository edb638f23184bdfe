// Counts and means of one module's outputs, read from a sketch without knowing its structure: all objects of a module share
// two maps, so what they have in common adds up.
import { amplitudes } from './amplitudes.ts';
import { fullValues, observe, type Readable } from './observe.ts';
import { sketcherOf } from './sketcher.ts';
import { groupSolution, leastSquaresSolution, unknowns } from './solution.ts';
import type { Structure } from './structure.ts';

/** How many outputs of one module an event has and what they are on average. */
export interface ModuleStats {
  readonly count: number;
  /** [m] */
  readonly mean: Float64Array;
  /** Standard deviation of the count; that of each entry of `mean` is about err / count. */
  readonly err: number;
}

/** What is known about the objects of the module. */
export interface PlainStatsOptions {
  /** Number of attributes m. */
  readonly size: number;
  /** Effective weight of each object. */
  readonly weight: number;
  /** Depth of each object, 1 for outputs. */
  readonly depth: number;
}

/**
 * Count and mean from the transparent part alone: count = (R_{M,2}ᵀ s)₀/c, sum = R_{M,1}ᵀ s/c. The error is mostly an
 * offset of the seed: averaging events does not remove it.
 */
export function plainStats(
  sketch: Readable,
  module: string,
  options: PlainStatsOptions,
  structure?: Structure,
): ModuleStats {
  const sketcher = sketcherOf(sketch.spec);
  const { dim, signatures } = sketch.spec;
  const kept = sketch.kind === 'stored' ? sketch.kept : dim;
  const full = fullValues(sketcher, sketch, structure);
  const c = options.weight * 2 ** -(4 * options.depth + 1) * (signatures ? 2 / 3 : 1);
  const ratio = dim / kept;
  let power = 0;
  for (const v of full) power += v * v;
  const marker = Float64Array.from(full);
  sketcher.maps.rotateBack(sketcher.maps.map('marker', module), marker, 1);
  const count = (ratio * marker[0]!) / c;
  sketcher.maps.rotateBack(sketcher.maps.map('attribute', module), full, options.size);
  const mean = Float64Array.from({ length: options.size }, (_, j) => (ratio * full[j]!) / c / count);
  return { count, mean, err: Math.sqrt(ratio * power) / (c * Math.sqrt(kept)) };
}

/**
 * Count and mean with the structure known: the count is exact, the mean is over the solved attributes.
 * @returns `err` is the rms error of an attribute of the mean
 */
export function stats(sketch: Readable, structure: Structure, module: string): ModuleStats {
  const sketcher = sketcherOf(sketch.spec);
  const observation = observe(sketcher, sketch, structure);
  const grouped = unknowns(sketcher, structure).groups.length > 0;
  const solve = grouped ? groupSolution : leastSquaresSolution;
  const solution = solve(sketcher, observation, structure);
  const own = structure.objects.flatMap((o, i) => (o.module === module ? [i] : []));
  const size = own.reduce((s, i) => Math.max(s, structure.objects[i]!.size), 0);
  const mean = new Float64Array(size);
  let power = 0;
  for (const i of own) {
    const offset = structure.offsets[i]!;
    for (let j = 0; j < structure.objects[i]!.size; j++) mean[j] = mean[j]! + solution.x[offset + j]! / own.length;
    power += solution.err[i]! ** 2;
  }
  return { count: own.length, mean, err: own.length === 0 ? 0 : Math.sqrt(power) / own.length };
}

/** The plain coefficient of one path, c = w · 2^-(4h+1), for a structure's object. */
export function plainCoefficient(structure: Structure, path: string, signatures = false): number {
  return amplitudes(structure, signatures).plain[structure.at(path)]!;
}
