// Which modules produced the outputs of an event, without reading attributes: the presence marker of every candidate is
// looked for at every position by its matched filter. Cheaper than `discover`, which then solves for everything.
import { rawNumbers, type Readable } from './observe.ts';
import { sketcherOf } from './sketcher.ts';
import { CairnError } from '../errors.ts';

/** A module that may have produced an output. */
export interface Identified {
  readonly module: string;
  readonly position: number;
  /** Estimated weight of the output. */
  readonly weight: number;
  /** Expected error of `weight`: cross-talk of everything else in the sketch. */
  readonly err: number;
}

/**
 * Candidates at their best position, the most evident first. Store with `part: 'full'`.
 * Cost: three maps per candidate and position.
 * @param positions outputs that the event may have
 * @throws CairnError `sketch_part` when the markers were taken out
 * @example
 * identify(encode(event, spec), ['read-digit', 'read-letter'], 4)[0].module;
 */
export function identify(sketch: Readable, modules: readonly string[], positions: number): Identified[] {
  if (sketch.kind === 'stored' && sketch.part === 'content') {
    throw new CairnError('sketch_part', 'Expected a full sketch to identify modules, got content only.', {
      hint: "Store with quantise(event, { part: 'full' }).",
    });
  }
  const { maps } = sketcherOf(sketch.spec);
  const { dim, signatures } = sketch.spec;
  const { values, coordinates } = rawNumbers(sketch);
  const numbers = sketch.kind === 'encoded' ? sketch.values : values;
  const full = new Float64Array(dim);
  let power = 0;
  coordinates.forEach((c, i) => {
    full[c] = numbers[i]!;
    power += numbers[i]! ** 2;
  });
  const kept = coordinates.length;
  const share = signatures ? 1 / 3 : 1 / 2;
  // Norm of the marker's column below an output of weight 1.
  const a = 2 ** -2.5 * share;
  const err = Math.sqrt((dim / kept) * power) / (a * Math.sqrt(kept));
  const best = new Map<string, Identified>();
  for (let position = 0; position < positions; position++) {
    const below = Float64Array.from(full);
    maps.mixBack(maps.map('position', position), below);
    for (const module of modules) {
      const g = Float64Array.from(below);
      maps.mixBack(maps.map('module', module), g);
      maps.mixBack(maps.map('fixed', 'attributes'), g, 0.5);
      maps.rotateBack(maps.map('marker', module), g, 1);
      const weight = ((dim / kept) * share * g[0]!) / (a * a);
      if (weight > (best.get(module)?.weight ?? -Infinity)) best.set(module, { module, position, weight, err });
    }
  }
  return [...best.values()].sort((p, q) => q.weight - p.weight || (p.module < q.module ? -1 : 1));
}
