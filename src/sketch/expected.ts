// What decoding will give before any data exist: rms errors from amplitudes and rounding, and the share of one-hot groups
// that will come back right, from synthetic events of the same structure.
import { Rng } from '../tensor/index.ts';
import { amplitudes } from './amplitudes.ts';
import { head, observe } from './observe.ts';
import { type Encoded, type Sketcher, sketcherOf } from './sketcher.ts';
import { factorOf, groupSolution, unknowns } from './solution.ts';
import { quantise, truncate } from './stored.ts';
import { columnsOf, type Structure } from './structure.ts';
import type { SketchSpec } from './types.ts';

/** What to predict for. */
export interface ExpectOptions {
  /** Numbers kept; default all. */
  readonly kept?: number | undefined;
  /** Default as the specification stores. */
  readonly bits?: 32 | 8 | 4 | undefined;
  /** Default `solve`. */
  readonly how?: 'plain' | 'matched' | 'solve' | undefined;
}

/**
 * Expected rms error per attribute of every object, by first path, before any data: attributes of norm 1 are assumed.
 * `plain` and `matched` are limited by cross-talk, `solve` by rounding alone; `solve` is Infinity when there are more
 * unknowns than numbers.
 * @example
 * expectedError(spec, structure, { kept: 512 }).get('0/0');
 */
export function expectedError(
  spec: SketchSpec,
  structure: Structure,
  options: ExpectOptions = {},
): Map<string, number> {
  const sketcher = sketcherOf(spec);
  const kept = options.kept ?? spec.dim;
  const how = options.how ?? 'solve';
  const { column, plain } = amplitudes(structure, spec.signatures);
  const power = contentPower(sketcher, structure);
  const noise = expectedNoise(Math.sqrt(power / spec.dim), spec.dim, options.bits ?? bitsOf(spec));
  const parts = unknowns(sketcher, structure);
  const crosstalk = how === 'plain' ? fullPower(sketcher, structure, power) : power;
  const spread = how === 'solve' ? exactSpread(sketcher, structure, kept) : undefined;
  return new Map(
    structure.objects.map((o, i) => {
      const scale = 2 ** -o.exponent;
      const a = column[i]! * scale;
      let err: number;
      if (columnsOf(o) === 0) err = 0;
      else if (how === 'plain') err = Math.sqrt((crosstalk + spec.dim * noise ** 2) / kept) / (plain[i]! * scale);
      else if (how === 'matched') err = Math.sqrt((crosstalk + spec.dim * noise ** 2) / kept) / a;
      else if (parts.count * 1.25 > kept) err = Infinity;
      else if (spread !== undefined) err = noise * spread[i]!;
      else err = noise / (a * Math.sqrt((kept / spec.dim) * (1 - parts.count / kept)));
      return [structure.paths[i]!, err];
    }),
  );
}

function bitsOf(spec: SketchSpec): 32 | 8 | 4 {
  return spec.store === 'f32' ? 32 : spec.store === 'i8' ? 8 : 4;
}

/** E ‖A (x − μ)‖²: groups vary around their prior, other attributes have norm 1. Columns count as uncorrelated. */
function contentPower(sketcher: Sketcher, structure: Structure): number {
  const { column } = amplitudes(structure, sketcher.spec.signatures);
  let power = 0;
  structure.objects.forEach((o, i) => {
    let own = 0;
    let inGroups = 0;
    for (const g of o.groups) {
      inGroups += g.size;
      for (let c = 0; c < g.size; c++) {
        const p = g.prior?.[c] ?? 1 / g.size;
        own += p * (1 - p);
      }
    }
    if (o.size > inGroups) own += 1;
    if (o.signature) own += 1;
    power += own * (column[i]! * 2 ** -o.exponent) ** 2;
  });
  return power;
}

function fullPower(sketcher: Sketcher, structure: Structure, content: number): number {
  const base = sketcher.base(structure);
  let power = content;
  for (const v of base) power += v * v;
  return power;
}

/** Rounding error of d Gaussian numbers of the given rms: the step is their expected maximum over the levels. */
function expectedNoise(rms: number, dim: number, bits: 32 | 8 | 4): number {
  if (bits === 32) return rms * 2 ** -25;
  if (bits === 4) return 0.115 * rms;
  const a = Math.sqrt(2 * Math.log(2 * dim));
  const max = a - (Math.log(Math.log(2 * dim)) + Math.log(4 * Math.PI)) / (2 * a) + 0.577 / a;
  return (rms * max) / 127 / Math.sqrt(12);
}

/** rms standard error per object and unit of noise from the factor, when that has been formed or is cheap to form. */
function exactSpread(sketcher: Sketcher, structure: Structure, kept: number): Float64Array | undefined {
  const parts = unknowns(sketcher, structure);
  if (parts.count > 1500 || parts.count * 1.25 > kept) return undefined;
  const dim = sketcher.spec.dim;
  const coordinates = Uint32Array.from({ length: dim }, (_, i) => i);
  const all = { kept: dim, coordinates, key: `${dim}`, y: new Float64Array(dim), noise: 0 };
  const ls = factorOf(sketcher, structure, head(all, kept), 'all');
  const power = new Float64Array(structure.objects.length);
  for (const g of parts.groups) {
    for (let a = 0; a < g.size - 1; a++) power[g.object] = power[g.object]! + ls.spread[g.at + a]! ** 2;
  }
  let object = 0;
  parts.plain.forEach((column, k) => {
    while (object + 1 < structure.offsets.length && structure.offsets[object + 1]! <= column) object++;
    power[object] = power[object]! + ls.spread[parts.groupSize + k]! ** 2;
  });
  return power.map((p, i) => Math.sqrt(p / Math.max(1, columnsOf(structure.objects[i]!))));
}

/** How well one-hot groups will come back. */
export interface ExpectedGroups {
  /** Expected share of groups that come back right. */
  readonly right: number;
  /** Standard error of `right`. */
  readonly error: number;
  /** Share of events that come back whole. */
  readonly whole: number;
  /** Share of events whose reading will say that it guesses. */
  readonly guessing: number;
  /** Synthetic events that were tried. */
  readonly samples: number;
}

/** Options of `expectedGroups`. */
export interface ExpectGroupsOptions {
  readonly kept?: number | undefined;
  readonly bits?: 32 | 8 | 4 | undefined;
  /** Most synthetic events to try; default 32. It stops at 8 when all of them come back whole. */
  readonly samples?: number | undefined;
  /** Seed of the synthetic events; default 0. */
  readonly seed?: number | undefined;
}

/**
 * Expected share of one-hot groups read right after keeping some numbers at some bits: synthetic events with classes
 * drawn from the priors are encoded, rounded, cut and read. Cached per structure; the first call takes up to a second.
 * @example
 * expectedGroups(spec, structure, { kept: 256 }).right; // 1
 */
export function expectedGroups(
  spec: SketchSpec,
  structure: Structure,
  options: ExpectGroupsOptions = {},
): ExpectedGroups {
  const sketcher = sketcherOf(spec);
  const kept = options.kept ?? spec.dim;
  const bits = options.bits ?? bitsOf(spec);
  const most = options.samples ?? 32;
  const seed = options.seed ?? 0;
  return sketcher.derived(
    structure,
    `expected:${kept}:${bits}:${most}:${seed}`,
    () => 64,
    () => sampleGroups(sketcher, structure, kept, bits, most, new Rng(`expected:${seed}`)),
  );
}

function sampleGroups(
  sketcher: Sketcher,
  structure: Structure,
  kept: number,
  bits: 32 | 8 | 4,
  most: number,
  rng: Rng,
): ExpectedGroups {
  const { groups } = unknowns(sketcher, structure);
  const store = bits === 32 ? 'f32' : bits === 8 ? 'i8' : 'i4';
  let sum = 0;
  let squares = 0;
  let whole = 0;
  let guessing = 0;
  let samples = 0;
  while (samples < most) {
    const event = syntheticEvent(sketcher, structure, rng.fork(samples));
    const stored = truncate(quantise(event, { store }), kept);
    const solution = groupSolution(sketcher, observe(sketcher, stored, structure), structure);
    let right = 0;
    groups.forEach((g, i) => {
      if (event.attributes[g.column + solution.chosen![i]!] === 1) right++;
    });
    const share = groups.length === 0 ? 1 : right / groups.length;
    samples++;
    sum += share;
    squares += share * share;
    if (share === 1) whole++;
    if (!(solution.consistent && solution.settled)) guessing++;
    if (samples === 8 && whole === 8) break;
  }
  const right = sum / samples;
  const variance = Math.max(0, squares / samples - right * right) / Math.max(1, samples - 1);
  // Even when all came back the next event could fail: no error is smaller than a tenth of one event.
  const error = Math.max(Math.sqrt(variance), whole === samples ? 0.1 / samples : 0);
  return { right, error, whole: whole / samples, guessing: guessing / samples, samples };
}

/** An event of a structure with classes from the priors and random attributes elsewhere. */
export function syntheticEvent(sketcher: Sketcher, structure: Structure, rng: Rng): Encoded {
  const attributes = new Float64Array(structure.columns);
  structure.objects.forEach((o, i) => {
    const offset = structure.offsets[i]!;
    let norm = 0;
    for (let j = 0; j < columnsOf(o); j++) {
      attributes[offset + j] = rng.uniform();
      if (j < o.size) norm += attributes[offset + j]! ** 2;
    }
    for (let j = 0; j < o.size; j++) attributes[offset + j] = attributes[offset + j]! / Math.sqrt(norm);
    for (let j = o.size; j < columnsOf(o); j++) attributes[offset + j] = rng.rademacher() / Math.sqrt(32);
    for (const g of o.groups) {
      attributes.fill(0, offset + g.start, offset + g.start + g.size);
      const prior = g.prior ?? Array.from({ length: g.size }, () => 1 / g.size);
      attributes[offset + g.start + rng.categorical(prior)] = 1;
    }
  });
  const content = sketcher.content(structure, attributes);
  const base = sketcher.base(structure);
  const values = Float32Array.from(content, (v, i) => v + base[i]!);
  return { kind: 'encoded', spec: sketcher.spec, structure, attributes, content, values };
}
