// Recursable dictionary learning: finding unknown module matrices from many sketches. Matrices of the block-random family
// consist of rows of blocks, each present with a small probability and then a signed pattern that names matrix and column;
// where one contribution stands alone in a block it gives its pattern away. After section 1.14 of the construction of
// arXiv 1905.12730; not used by the encoder, whose maps are `hd3`.
import { CairnError } from '../errors.ts';
import { Rng } from '../tensor/index.ts';

/** Block-random matrices of one seed: d = blocks · size. */
export interface BlockFamily {
  readonly seed: string;
  /** Rows of blocks, B. */
  readonly blocks: number;
  /** Numbers per block, b, even. */
  readonly size: number;
  /** Probability q that a block is present; about 1 / (active columns per sketch). */
  readonly density: number;
}

/**
 * Column c of the matrix of a module: in block row r it is η σ [g ‖ k] / √(q d) with g the signature of the matrix
 * (g₀ = +1), k that of the column, η ~ Bernoulli(q) but at least two present, σ = ±1. Unit norm in expectation.
 * @returns [d]
 */
export function blockColumn(family: BlockFamily, module: string, column: number): Float64Array {
  const { blocks, size, density } = family;
  if (size < 4 || size % 2 !== 0) {
    throw new CairnError('sketch_block', `Expected an even block size of at least 4, got ${size}.`);
  }
  const base = new Rng(`block:${family.seed}`).fork(module);
  const matrixSigns = signs(base.fork('matrix'), size / 2);
  matrixSigns[0] = 1;
  const own = base.fork(column);
  const columnSigns = signs(own.fork('column'), size / 2);
  const presence = own.fork('presence');
  const scale = 1 / Math.sqrt(density * blocks * size);
  const out = new Float64Array(blocks * size);
  const present = Array.from({ length: blocks }, () => presence.uniform() < density);
  // A column without blocks would be zero: about one in 170 at five expected blocks. Every column gets at least two.
  for (const r of presence.choice(blocks, Math.min(2, blocks))) {
    if (present.filter(Boolean).length < 2) present[r] = true;
  }
  for (let r = 0; r < blocks; r++) {
    const sign = presence.rademacher();
    if (present[r] !== true) continue;
    for (let i = 0; i < size / 2; i++) {
      out[r * size + i] = sign * scale * matrixSigns[i]!;
      out[r * size + size / 2 + i] = sign * scale * columnSigns[i]!;
    }
  }
  return out;
}

function signs(rng: Rng, n: number): Int8Array {
  return Int8Array.from({ length: n }, () => rng.rademacher());
}

/** A column that was found. */
export interface LearnedColumn {
  /** [size] ±1: the first half is the signature of its matrix. */
  readonly pattern: Int8Array;
  /** [blocks] −1, 0 or 1: sign of the column in each block row. */
  readonly entries: Int8Array;
  /** How often it was seen alone. */
  readonly seen: number;
}

/** Columns that share a signature. */
export interface LearnedMatrix {
  readonly columns: readonly LearnedColumn[];
}

/** Options of `learnDictionary`. */
export interface LearnOptions {
  /** Numbers per block, b. */
  readonly size: number;
  /** Noise per number, rms. */
  readonly noise: number;
  /** Least amplitude of a contribution that is looked at, in units of a sketch number. */
  readonly least: number;
  /** Rounds of subtracting what is explained and looking again; default 3. */
  readonly rounds?: number | undefined;
}

interface Sighting {
  sample: number;
  row: number;
  sign: number;
  amplitude: number;
}

/**
 * Finds all columns of all matrices from sums y = Σ R e_c x_c with sparse x ≥ 0: nothing is known but the block size.
 * @param samples each [d]
 * @example
 * learnDictionary(samples, { size: 32, noise: 1e-3, least: 0.01 }).length; // number of matrices
 */
export function learnDictionary(samples: readonly Float64Array[], options: LearnOptions): LearnedMatrix[] {
  const { size } = options;
  const d = samples[0]?.length ?? 0;
  if (size < 4 || size % 2 !== 0 || d % size !== 0 || samples.some((y) => y.length !== d)) {
    throw new CairnError(
      'sketch_block',
      `Expected samples of one length, a multiple of an even block size, got ${d} and ${size}.`,
    );
  }
  const blocks = d / size;
  const found = new Map<string, Sighting[]>();
  const rest = samples.map((y) => Float64Array.from(y));
  for (let round = 0; round < (options.rounds ?? 3); round++) {
    const fresh = lookForSingles(rest, options, blocks, found);
    if (fresh === 0) break;
    explain(samples, rest, found, size);
  }
  const columns = [...found]
    .filter(([, sightings]) => sightings.length >= 2)
    .map(([key, s]) => toColumn(key, s, blocks));
  const matrices = new Map<string, LearnedColumn[]>();
  for (const c of columns) {
    const signature = c.pattern.subarray(0, size / 2).join();
    const own = matrices.get(signature);
    if (own === undefined) matrices.set(signature, [c]);
    else own.push(c);
  }
  return [...matrices.values()].map((own) => ({ columns: own }));
}

/** Blocks whose magnitudes are all equal hold one contribution; returns how many were new. */
function lookForSingles(
  rest: readonly Float64Array[],
  { size, noise, least }: LearnOptions,
  blocks: number,
  found: Map<string, Sighting[]>,
): number {
  let fresh = 0;
  rest.forEach((y, sample) => {
    for (let row = 0; row < blocks; row++) {
      const v = y.subarray(row * size, (row + 1) * size);
      let mean = 0;
      for (const x of v) mean += Math.abs(x) / size;
      if (mean < 5 * noise + least) continue;
      let spread = 0;
      for (const x of v) spread += (Math.abs(x) - mean) ** 2 / size;
      if (Math.sqrt(spread) > 0.02 * mean + 4 * noise) continue;
      const sign = v[0]! < 0 ? -1 : 1;
      let key = '';
      for (const x of v) key += x * sign < 0 ? '-' : '+';
      const sightings = found.get(key);
      if (sightings === undefined) found.set(key, [{ sample, row, sign, amplitude: mean }]);
      else if (!sightings.some((s) => s.sample === sample && s.row === row)) {
        sightings.push({ sample, row, sign, amplitude: mean });
      } else continue;
      fresh++;
    }
  });
  return fresh;
}

/** Subtracts every found column from the samples it was seen in: what stays may show further single contributions. */
function explain(
  samples: readonly Float64Array[],
  rest: Float64Array[],
  found: ReadonlyMap<string, readonly Sighting[]>,
  size: number,
): void {
  samples.forEach((y, i) => rest[i]!.set(y));
  for (const [key, sightings] of found) {
    if (sightings.length < 2) continue;
    const entries = entriesOf(sightings);
    const amplitudes = new Map<number, number[]>();
    for (const s of sightings) amplitudes.set(s.sample, [...(amplitudes.get(s.sample) ?? []), s.amplitude]);
    for (const [sample, seen] of amplitudes) {
      const amplitude = seen.sort((a, b) => a - b)[Math.floor(seen.length / 2)]!;
      for (const [row, sign] of entries) {
        for (let i = 0; i < size; i++) {
          const at = row * size + i;
          rest[sample]![at] = rest[sample]![at]! - sign * amplitude * (key[i] === '-' ? -1 : 1);
        }
      }
    }
  }
}

/** Sign of every block row a column was seen in, by majority. */
function entriesOf(sightings: readonly Sighting[]): Map<number, number> {
  const votes = new Map<number, number>();
  for (const s of sightings) votes.set(s.row, (votes.get(s.row) ?? 0) + s.sign);
  return new Map([...votes].filter(([, v]) => v !== 0).map(([row, v]) => [row, Math.sign(v)]));
}

function toColumn(key: string, sightings: readonly Sighting[], blocks: number): LearnedColumn {
  const entries = new Int8Array(blocks);
  for (const [row, sign] of entriesOf(sightings)) entries[row] = sign;
  const pattern = Int8Array.from(key, (c) => (c === '-' ? -1 : 1));
  return { pattern, entries, seen: sightings.length };
}
