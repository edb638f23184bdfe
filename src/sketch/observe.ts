// What a decoder sees: the kept numbers of a sketch with what the structure already explains taken away.
import { CairnError } from '../errors.ts';
import { addTo } from './operator.ts';
import type { Encoded, Sketcher } from './sketcher.ts';
import { dequantise, keptCoordinates, type StoredSketch } from './stored.ts';
import type { Structure } from './structure.ts';
import { type SketchSpec, expectSameMaps } from './types.ts';

/** Anything that can be decoded: a fresh event or one at rest. */
export type Readable = Encoded | StoredSketch;

/** The content part of a sketch at its kept coordinates. */
export interface Observation {
  readonly kept: number;
  /** Kept coordinates, in the order of `y`. */
  readonly coordinates: Uint32Array;
  /** Names the set of coordinates, for caches. */
  readonly key: string;
  /** [kept] */
  readonly y: Float64Array;
  /** Rounding error per number, rms. */
  readonly noise: number;
}

/** The numbers of a sketch and where they stand, without any use of the structure. */
export function rawNumbers(sketch: Readable): {
  values: Float64Array;
  coordinates: Uint32Array;
  key: string;
  noise: number;
} {
  if (sketch.kind === 'stored') {
    const key = sketch.order === 0 ? `${sketch.kept}` : `${sketch.kept}@${sketch.order}`;
    return { values: dequantise(sketch), coordinates: keptCoordinates(sketch), key, noise: sketch.noise };
  }
  const d = sketch.spec.dim;
  const coordinates = Uint32Array.from({ length: d }, (_, i) => i);
  return { values: sketch.content, coordinates, key: `${d}`, noise: 0 };
}

/**
 * Content at the kept coordinates: full sketches lose their base, stored content is used as it is.
 * @throws CairnError `sketch_spec` when the sketch was made with other maps
 */
export function observe(sketcher: Sketcher, sketch: Readable, structure: Structure): Observation {
  expectSameMaps(sketch.spec, sketcher.spec);
  const { values, coordinates, key, noise } = rawNumbers(sketch);
  if (sketch.kind === 'stored' && sketch.part === 'full') {
    const base = sketcher.base(structure);
    coordinates.forEach((c, i) => {
      values[i] = values[i]! - base[c]!;
    });
  }
  return { kept: coordinates.length, coordinates, key, y: values, noise };
}

/** The observation as a vector of all coordinates, zero where nothing was kept. @returns [dim] */
export function padded(observation: Observation, dim: number): Float64Array {
  const out = new Float64Array(dim);
  observation.coordinates.forEach((c, i) => {
    out[c] = observation.y[i]!;
  });
  return out;
}

/** The first `rows` numbers of an observation. */
export function head(observation: Observation, rows: number): Observation {
  if (rows >= observation.kept) return observation;
  const at = observation.key.indexOf('@');
  const key = at < 0 ? `${rows}` : `${rows}${observation.key.slice(at)}`;
  const { noise } = observation;
  return {
    kept: rows,
    coordinates: observation.coordinates.subarray(0, rows),
    key,
    y: observation.y.subarray(0, rows),
    noise,
  };
}

/** The full values of a sketch on all coordinates, zero where nothing was kept: what the paper's decoders start from. */
export function fullValues(sketcher: Sketcher, sketch: Readable, structure?: Structure): Float64Array {
  expectSameMaps(sketch.spec, sketcher.spec);
  if (sketch.kind === 'encoded') return Float64Array.from(sketch.values);
  const out = new Float64Array(sketch.spec.dim);
  const values = dequantise(sketch);
  const coordinates = keptCoordinates(sketch);
  coordinates.forEach((c, i) => {
    out[c] = values[i]!;
  });
  if (sketch.part === 'full') return out;
  if (structure === undefined) {
    throw new CairnError('sketch_structure', 'Expected a full sketch or its structure, got content only.', {
      hint: "Pass the structure, or store with part: 'full'.",
    });
  }
  const base = new Float64Array(out.length);
  coordinates.forEach((c) => {
    base[c] = sketcher.base(structure)[c]!;
  });
  addTo(out, base, 1);
  return out;
}

/** Specification of anything readable. */
export function specOf(sketch: Readable): SketchSpec {
  return sketch.spec;
}
