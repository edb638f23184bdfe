// Reading an event back out of its sketch: the tree of its objects with attributes, an expected error each, and a verdict
// whether the data fit the structure at all.
import { CairnError } from '../errors.ts';
import { amplitudes } from './amplitudes.ts';
import { type GroupUnknown } from './_unknowns.ts';
import { fullValues, observe, type Readable } from './observe.ts';
import { type Sketcher, sketcherOf } from './sketcher.ts';
import { groupSolution, leastSquaresSolution, matchedSolution, type Solution, unknowns } from './solution.ts';
import { type StructureEdge, SIGNATURE_BITS } from './types.ts';
import type { Structure } from './structure.ts';

/** The class that was read for one one-hot group. */
export interface DecodedGroup {
  readonly start: number;
  readonly size: number;
  readonly chosen: number;
  /** Probability that the choice is right. */
  readonly confidence: number;
  /** Lead over the second most probable class. */
  readonly margin: number;
}

/** One object as it was read. */
export interface Decoded {
  readonly module: string;
  /** [m]; one-hot groups hold the chosen class. */
  readonly attributes: Float32Array;
  /** Expected rms error per attribute outside groups; 0 when every attribute is in a group. */
  readonly err: number;
  /** False: seed, structure or bytes are not those of this sketch, or too little of it is left. */
  readonly consistent: boolean;
  readonly groups: readonly DecodedGroup[];
  readonly signature: number | undefined;
  readonly reason: string | undefined;
}

/** One object and what it was made from. */
export interface UnrolledObject extends Decoded {
  readonly path: string;
  /** Weight in its parent. */
  readonly weight: number;
  readonly inputs: readonly UnrolledObject[];
}

/** An event as it was read. */
export interface Unrolled {
  readonly outputs: readonly UnrolledObject[];
  readonly how: Solution['how'];
  /** rms of what stays unexplained in units of the rounding error; 1 is perfect. */
  readonly misfit: number;
  readonly consistent: boolean;
  /** The classes are guesses: what is left of the sketch does not settle them. */
  readonly guessing: boolean;
  /** Mean confidence over all one-hot groups: the share that this reading expects to be right. */
  readonly expectedRight: number | undefined;
  readonly reason: string | undefined;
}

/** Options of `unroll`. */
export interface UnrollOptions {
  /** By default `groups` when the structure has one-hot groups, otherwise `solve`. */
  readonly how?: Solution['how'] | undefined;
}

/**
 * Reads all objects of a sketch.
 * @throws CairnError `sketch_structure` when the structure is not the one the sketch was made with
 * @example
 * unroll(fromBytes(bytes, spec), Structure.fromBytes(structureBytes)).outputs[0].inputs[3].groups[0].chosen;
 */
export function unroll(sketch: Readable, structure: Structure, options: UnrollOptions = {}): Unrolled {
  const sketcher = sketcherOf(sketch.spec);
  expectStructure(sketch, structure);
  const solution = solveBy(sketcher, sketch, structure, options.how);
  const groups = unknowns(sketcher, structure).groups;
  const groupsOf: GroupUnknown[][] = structure.objects.map(() => []);
  for (const g of groups) groupsOf[g.object]!.push(g);
  const confidence = groupConfidence(groups, solution);
  const index = new Map(groups.map((g, i) => [g, i]));
  const object = ({ object: i, weight }: StructureEdge, path: string): UnrolledObject => {
    const inputs = structure.objects[i]!.inputs.map((edge, k) => object(edge, `${path}/${k}`));
    const decoded = groupsOf[i]!.map((g) => confidence[index.get(g)!]!);
    return { path, weight, ...decodedObject(structure, i, solution, decoded), inputs };
  };
  const outputs = structure.outputs.map((edge, k) => object(edge, `${k}`));
  const right = groups.length === 0 ? undefined : confidence.reduce((s, c) => s + c.confidence, 0) / groups.length;
  const { how, misfit, consistent, reason } = solution;
  const guessing = groups.length > 0 && how === 'groups' && !(consistent && solution.settled);
  return {
    outputs,
    how,
    misfit,
    consistent,
    guessing,
    expectedRight: right,
    reason: reason ?? whyNot(solution, guessing),
  };
}

function whyNot(solution: Solution, guessing: boolean): string | undefined {
  if (solution.consistent && !guessing) return undefined;
  if (solution.consistent) return 'too few numbers are left to settle the classes: they are guesses';
  const misfit = solution.misfit.toPrecision(3);
  return guessing
    ? `the classes explain the kept numbers only to ${misfit} times the rounding error: they are guesses`
    : `${misfit} times more unexplained than the rounding error: wrong structure, wrong seed or damage`;
}

function solveBy(
  sketcher: Sketcher,
  sketch: Readable,
  structure: Structure,
  how: Solution['how'] | undefined,
): Solution {
  const observation = observe(sketcher, sketch, structure);
  const method = how ?? (unknowns(sketcher, structure).groups.length > 0 ? 'groups' : 'solve');
  if (method === 'groups') return groupSolution(sketcher, observation, structure);
  if (method === 'solve') return leastSquaresSolution(sketcher, observation, structure);
  return matchedSolution(sketcher, observation, structure);
}

/** Throws unless the sketch was made with this structure. */
export function expectStructure(sketch: Readable, structure: Structure): void {
  const hash = sketch.kind === 'stored' ? sketch.structureHash : sketch.structure.hash;
  if (hash !== structure.hash) {
    throw new CairnError('sketch_structure', `Expected structure ${hash}, got ${structure.hash}.`, {
      hint: 'Load the structure that was stored beside the sketch.',
    });
  }
}

/** Choice, confidence and margin per group: from the posterior, or from the estimated attributes for other decoders. */
function groupConfidence(groups: readonly GroupUnknown[], solution: Solution): DecodedGroup[] {
  let p = 0;
  return groups.map((g, i) => {
    const scores =
      solution.posterior === undefined
        ? classProbabilities(solution.x.subarray(g.column, g.column + g.size), solution.err[g.object]!, g.logPrior)
        : solution.posterior.subarray(p, p + g.size);
    p += g.size;
    let first = 0;
    for (let c = 1; c < g.size; c++) if (scores[c]! > scores[first]!) first = c;
    if (solution.chosen !== undefined) first = solution.chosen[i]!;
    let second = 0;
    scores.forEach((v, c) => {
      if (c !== first) second = Math.max(second, v);
    });
    const margin = scores[first]! - second;
    return { start: g.start, size: g.size, chosen: first, confidence: scores[first]!, margin };
  });
}

/** Bayes with independent errors of size err on every attribute. */
function classProbabilities(x: Float64Array, err: number, logPrior: Float64Array): Float64Array {
  const variance = Math.max(err * err, 1e-12);
  const score = x.map((v, c) => logPrior[c]! + v / variance);
  const max = score.reduce((m, v) => Math.max(m, v), -Infinity);
  const weight = score.map((v) => (Number.isFinite(variance) ? Math.exp(v - max) : 1));
  const sum = weight.reduce((s, v) => s + v, 0);
  return weight.map((v) => v / sum);
}

function decodedObject(structure: Structure, i: number, solution: Solution, groups: readonly DecodedGroup[]): Decoded {
  const o = structure.objects[i]!;
  const offset = structure.offsets[i]!;
  const attributes = Float32Array.from(solution.x.subarray(offset, offset + o.size));
  const { consistent, reason } = solution;
  let signature: number | undefined;
  if (o.signature) {
    signature = 0;
    for (let b = 0; b < SIGNATURE_BITS; b++) if (solution.x[offset + o.size + b]! > 0) signature |= 1 << b;
    signature >>>= 0;
  }
  return { module: o.module, attributes, err: solution.err[i]!, consistent, groups, signature, reason };
}

/** What a plain decode returns. */
export interface PlainDecoded {
  /** [m] */
  readonly attributes: Float32Array;
  /** Expected rms error per attribute. */
  readonly err: number;
}

/**
 * Reads one object of an event. `plain` is the paper's decoder and uses nothing but module, weight and depth; `matched`
 * knows the path; `solve` knows the structure and untangles all objects together.
 * @param path `0` is the first output, `0/2` its third input
 */
export function decode(
  sketch: Readable,
  structure: Structure,
  path: string,
  how: 'plain' | 'matched' | 'solve' | 'groups' = 'solve',
): Decoded {
  const sketcher = sketcherOf(sketch.spec);
  expectStructure(sketch, structure);
  const i = structure.at(path);
  if (how === 'plain') return plainObject(sketcher, sketch, structure, i);
  const solution = solveBy(sketcher, sketch, structure, how);
  const confidence = groupConfidence(unknowns(sketcher, structure).groups, solution);
  const own = unknowns(sketcher, structure).groups.flatMap((g, k) => (g.object === i ? [confidence[k]!] : []));
  return decodedObject(structure, i, solution, own);
}

function plainObject(sketcher: Sketcher, sketch: Readable, structure: Structure, i: number): Decoded {
  const o = structure.objects[i]!;
  const { plain } = amplitudes(structure, sketcher.spec.signatures);
  const full = fullValues(sketcher, sketch, structure);
  const kept = sketch.kind === 'stored' ? sketch.kept : sketch.spec.dim;
  const read = decodePlain(sketcher, full, kept, o.module, o.size, plain[i]! * 2 ** -o.exponent);
  return { module: o.module, ...read, consistent: true, groups: [], signature: undefined, reason: undefined };
}

/** x̂ = (d/d')/c · R_{M,1}ᵀ s, the paper's decoder. */
function decodePlain(
  sketcher: Sketcher,
  full: Float64Array,
  kept: number,
  module: string,
  size: number,
  c: number,
): PlainDecoded {
  const ratio = full.length / kept;
  let power = 0;
  for (const v of full) power += v * v;
  const back = Float64Array.from(full);
  sketcher.maps.rotateBack(sketcher.maps.map('attribute', module), back, size);
  const attributes = Float32Array.from({ length: size }, (_, j) => (ratio * back[j]!) / c);
  return { attributes, err: Math.sqrt(ratio * power) / (c * Math.sqrt(kept)) };
}
