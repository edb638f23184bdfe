// The first verb: an event becomes a sketch.
import { type Encoded, type EncodeOptions, sketcherOf } from './sketcher.ts';
import type { Obj, SketchSpec } from './types.ts';

/**
 * Sketches an event: one output object, or several with equal weights.
 * @returns the full sketch `values` [d] in f32, its data-dependent part `content` [d], structure and attributes
 * @throws CairnError `sketch_cycle`, `sketch_weights`, `sketch_attributes`, `sketch_norm`, `sketch_groups`, …
 * @example
 * const spec = { dim: 1024, seed: 'mine', family: 'hd3', store: 'i8', signatures: false } as const;
 * encode({ module: 'read', attributes: Float32Array.of(0.6, 0.8) }, spec).values.length; // 1024
 */
export function encode(root: Obj | readonly Obj[], spec: SketchSpec, options: EncodeOptions = {}): Encoded {
  return sketcherOf(spec).encode(root, options);
}

/**
 * The own sketch of one object, as an event of its own: what similarity of components compares. Equal objects give equal
 * sketches wherever they occur.
 * @returns [d] f32, without what every object of this structure shares
 */
export function objectSketch(object: Obj, spec: SketchSpec): Encoded {
  return sketcherOf(spec).encode(object);
}
