// Recall by the sketch alone: the signatures nearest to the cue's, compared by their sketches, and only of the best the whole
// rows. No components, words or walks: the shortest way from an event to those like it, in stores of any size.
import { CairnError } from '../errors.ts';
import { fromBytes, type Sketcher, type StoredSketch } from '../sketch/index.ts';
import type { Centres } from './_centres.ts';
import type { Cue } from './_cue.ts';
import { best, cosineOf, type Found, type ScoreParts } from './_hit.ts';
import { type EventReader, moduleOf } from './_stored-event.ts';
import { isLimited, passes } from './_validity.ts';
import type { Signer } from './signature.ts';
import { idFromText, isCorrupt, type Store, type StoredSketchRow } from './store.ts';

interface Tools {
  readonly store: Store;
  readonly sketcher: Sketcher;
  readonly signer: Signer;
  readonly centres: Centres;
  readonly reader: EventReader;
}

interface Scored {
  readonly ref: number;
  readonly cosine: number;
  readonly centred: number;
}

const CANDIDATES = 32;
const MOST_CENTRES = 32;
const MOST_HITS = 10_000;
const NO_PARTS: ScoreParts = { similarity: 0, components: 0, walk: 0, words: 0, importance: 0, recency: 0, not: 0 };

/**
 * The events whose sketch is most like the cue's, after the mean of its kind was taken away.
 * @throws CairnError `bad_cue` unless the cue is a root or an event, `event_not_found`, `bad_event_id`
 */
export async function findBySketch(cue: Cue, k: number, tools: Tools): Promise<Found[]> {
  const { store, signer, centres, reader } = tools;
  const { vector, module } = await vectorOf(cue, tools);
  const queries = centres
    .all(module)
    .slice(0, MOST_CENTRES)
    .map((c) => ({ centre: c.id, signed: signer.sign(vector, c.mean) }));
  const near = await store.near(queries, isLimited(cue) ? MOST_HITS : Math.max(CANDIDATES, 2 * k));
  const distance = new Map(near.map((n) => [n.ref, n.distance] as const));
  const mean = centres.mean(module) ?? centres.latest(module)?.mean;
  const scored: Scored[] = [];
  const own = new Float64Array(vector.length);
  for (const row of await sketchesOf(store, [...distance.keys()])) {
    const sketch = fromBytes(row.sketch, reader.spec);
    // Waiting for what is there already would cost more than the comparison.
    const structure = reader.knownStructure(sketch.structureHash) ?? (await reader.structure(sketch.structureHash));
    const n = readVector(own, sketch, reader.baseOf(sketch, structure));
    scored.push({ ref: row.ref, ...cosinesOf(vector, own, n, moduleOf(structure) === module ? mean : undefined) });
  }
  scored.sort((a, b) => b.centred - a.centred);
  const found: Found[] = [];
  // The best k, more where some do not hold at the time asked for, and all that are as good as the last one.
  for (let at = 0; at < scored.length;) {
    const last = found[k - 1];
    if (last !== undefined && scored[at]!.centred < last.score) break;
    const some = scored.slice(at, (at += last === undefined ? k : 1));
    const rows = await store.read(some.map(({ ref }) => ref));
    some.forEach(({ ref, cosine, centred }, i) => {
      const row = rows[i];
      if (row === undefined || isCorrupt(row) || !passes(row, cue)) return;
      const parts = { ...NO_PARTS, similarity: centred };
      const scores = { cosine, centred, overlap: 0, hamming: distance.get(ref), bm25: 0, score: centred };
      found.push({ row, ...scores, parts, path: [] });
    });
  }
  return best(found, k);
}

async function vectorOf(
  cue: Cue,
  { store, sketcher, reader }: Tools,
): Promise<{ vector: Float64Array; module: string }> {
  if ('root' in cue) {
    const encoded = sketcher.encode(cue.root);
    return { vector: new Float64Array(encoded.values), module: moduleOf(encoded.structure) };
  }
  if (!('event' in cue)) {
    throw new CairnError('bad_cue', 'Expected a root or an event to compare by its sketch, got another cue.', {
      hint: "Leave `by: 'sketch'` out for components and words.",
    });
  }
  const [row] = await store.find([idFromText(cue.event)]);
  if (row === undefined || isCorrupt(row)) {
    throw new CairnError('event_not_found', `Expected the id of a readable event, got ${cue.event}.`, {
      hint: 'List the events to see what is there; it may have been forgotten.',
    });
  }
  return reader.vector(row);
}

/** Sketches of what is readable, without their rows where the store can do so. */
async function sketchesOf(store: Store, refs: readonly number[]): Promise<StoredSketchRow[]> {
  const rows = store.sketches === undefined ? await store.read(refs) : await store.sketches(refs);
  return rows.filter((row): row is StoredSketchRow => row !== undefined && !('corrupt' in row));
}

/** The values of a sketch as `EventReader.vectorOf` makes them, in a vector that is there; returns how many they are. */
function readVector(out: Float64Array, { codes, step }: StoredSketch, base: ArrayLike<number> | undefined): number {
  const n = Math.min(out.length, codes.length);
  if (base === undefined) for (let i = 0; i < n; i++) out[i] = codes[i]! * step;
  else for (let i = 0; i < n; i++) out[i] = codes[i]! * step + base[i]!;
  return n;
}

/** The cosine of the first n numbers of two vectors as they are, and after a mean was taken away; in one pass. */
function cosinesOf(
  a: Float64Array,
  b: Float64Array,
  n: number,
  mean: Float64Array | undefined,
): { cosine: number; centred: number } {
  if (mean === undefined) {
    const cosine = cosineOf(a.subarray(0, n), b);
    return { cosine, centred: cosine };
  }
  let [ab, aa, bb] = [0, 0, 0];
  let [xy, xx, yy] = [0, 0, 0];
  for (let i = 0; i < n; i++) {
    const p = a[i]!;
    const q = b[i]!;
    ab += p * q;
    aa += p * p;
    bb += q * q;
    const x = p - mean[i]!;
    const y = q - mean[i]!;
    xy += x * y;
    xx += x * x;
    yy += y * y;
  }
  const over = (dot: number, u: number, v: number): number => (u === 0 || v === 0 ? 0 : dot / Math.sqrt(u * v));
  return { cosine: over(ab, aa, bb), centred: over(xy, xx, yy) };
}
