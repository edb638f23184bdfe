// Comparing sketches: cosine over the numbers that both keep.
import { CairnError } from '../errors.ts';
import { rawNumbers, type Readable } from './observe.ts';
import { sketcherOf } from './sketcher.ts';
import type { Structure } from './structure.ts';
import { expectSameMaps } from './types.ts';

/** What to compare. */
export interface SimilarityOptions {
  /**
   * `content` (default): what differs between events of one structure. `full`: with markers, which also compares
   * structures; stored sketches then need `structures`.
   */
  readonly part?: 'content' | 'full' | undefined;
  /** Structures of the two sketches, for stored content that is compared in full. */
  readonly structures?: readonly [Structure, Structure] | undefined;
}

/**
 * Cosine of two sketches over their common coordinates, in [-1, 1]; 0 when one of them is zero.
 * @throws CairnError `sketch_spec` for sketches of different stores, `sketch_part` when the parts do not match
 * @example
 * similarity(encode(a, spec), encode(a, spec)); // 1
 */
export function similarity(a: Readable, b: Readable, options: SimilarityOptions = {}): number {
  expectSameMaps(a.spec, b.spec);
  const part = options.part ?? 'content';
  const x = numbersOf(a, part, options.structures?.[0]);
  const y = numbersOf(b, part, options.structures?.[1]);
  const other = new Map<number, number>();
  const samePrefix = x.prefix && y.prefix;
  if (!samePrefix) y.coordinates.forEach((c, i) => other.set(c, i));
  let xy = 0;
  let xx = 0;
  let yy = 0;
  const count = samePrefix ? Math.min(x.values.length, y.values.length) : x.values.length;
  for (let i = 0; i < count; i++) {
    const j = samePrefix ? i : other.get(x.coordinates[i]!);
    if (j === undefined) continue;
    const p = x.values[i]!;
    const q = y.values[j]!;
    xy += p * q;
    xx += p * p;
    yy += q * q;
  }
  return xx === 0 || yy === 0 ? 0 : Math.max(-1, Math.min(1, xy / Math.sqrt(xx * yy)));
}

function numbersOf(
  sketch: Readable,
  part: 'content' | 'full',
  structure: Structure | undefined,
): { values: ArrayLike<number>; coordinates: Uint32Array; prefix: boolean } {
  const { values, coordinates } = rawNumbers(sketch);
  const prefix = sketch.kind === 'encoded' || sketch.order === 0;
  if (sketch.kind === 'encoded') return { values: part === 'full' ? sketch.values : values, coordinates, prefix };
  if (sketch.part === part) return { values, coordinates, prefix };
  if (structure === undefined) {
    throw new CairnError(
      'sketch_part',
      `Expected the structure of a sketch stored as ${sketch.part} to compare its ${part}.`,
      {
        hint: 'Pass structures: [a, b].',
      },
    );
  }
  const base = sketcherOf(sketch.spec).base(structure);
  const sign = part === 'full' ? 1 : -1;
  return { values: values.map((v, i) => v + sign * base[coordinates[i]!]!), coordinates, prefix };
}
