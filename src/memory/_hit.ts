// A found event with its reasons, and the order of the list. The score is a fixed sum, never tuned on a benchmark.
import type { Meta, Provenance } from './_record.ts';
import { unpackMeta } from './_record.ts';
import type { Relations } from './_relations.ts';
import type { SharedComponent } from './_slots.ts';
import { provenanceOf } from './_stored-event.ts';
import { idToText, type StoredRow, type Times } from './store.ts';
import type { Step } from './walk.ts';

/** Factors of the parts of a score. */
export interface ScoreWeights {
  /** Of the walk, in 0..1; 0.5 by default. */
  readonly walk?: number;
  /** Of the words, in 0..1; 1 by default. */
  readonly words?: number;
  /** Of ln(1 + importance); 0.05 by default. */
  readonly importance?: number;
}

/** Prefers late events: adds `weight * 2^(-age / halfLife)`. */
export interface Recency {
  readonly now: number;
  readonly halfLife: number;
  readonly weight: number;
}

/** What a score is made of: it is their sum. */
export interface ScoreParts {
  /** Centred cosine of the sketches; 0 without one. */
  readonly similarity: number;
  /** From the shared components: half their overlap for whole events, the overlap for component cues. */
  readonly components: number;
  /** From the random walk. */
  readonly walk: number;
  /** From the words. */
  readonly words: number;
  readonly importance: number;
  readonly recency: number;
  /** Likeness to what was not wanted, zero or negative. */
  readonly not: number;
}

/** A component of the cue as it is decoded from a found event. */
export interface DecodedComponent {
  readonly path: string;
  readonly module: string;
  readonly attributes: Float32Array;
  /** Expected rms error per attribute. */
  readonly err: number;
  /** Rms difference to the cue's attributes. */
  readonly difference: number;
}

/** An event that was found, and why. */
export interface Hit extends Relations {
  readonly id: string;
  readonly ordinal: number;
  readonly task: string;
  readonly at: number;
  readonly provenance: Provenance;
  readonly meta: Meta;
  readonly times: Times | undefined;
  readonly score: number;
  readonly parts: ScoreParts;
  /** Cosine of the two sketches as they are; undefined for a cue without a sketch. */
  readonly cosine: number | undefined;
  /** Cosine after the mean of the module was taken away; this is what the score uses. */
  readonly centred: number | undefined;
  /** Weight of the shared components over the weight of all that the cue asks for, in 0..1. */
  readonly overlap: number;
  /** What led here: a near signature, equal keys, words, or edges. */
  readonly via: readonly ('signature' | 'component' | 'words' | 'walk')[];
  /** Different bits of the two signatures, of 256. */
  readonly hamming: number | undefined;
  readonly shared: readonly SharedComponent[];
  /** The edges from the cue to a node of this event; empty without a walk. */
  readonly path: readonly Step[];
  /** The cue's components as read back from the sketch; only for the first hits of a component cue. */
  readonly decoded: readonly DecodedComponent[];
  /** Servers whose share is missing from the list; absent when all answered. */
  readonly partial?: readonly string[];
}

/** A candidate with its scores. */
export interface Found extends Pick<Hit, 'cosine' | 'centred' | 'overlap' | 'hamming'> {
  readonly row: StoredRow;
  readonly bm25: number;
  /** Score of likeness and words alone, before the walk. */
  readonly score: number;
  readonly parts: ScoreParts;
  readonly path: readonly Step[];
}

export function sumOf(parts: ScoreParts): number {
  const { similarity, components, walk, words, importance, recency, not } = parts;
  return similarity + components + walk + words + importance + recency + not;
}

export function toHit(
  { row, bm25: _bm25, ...scores }: Found,
  shared: readonly SharedComponent[],
  decoded: readonly DecodedComponent[],
  relations: Relations,
): Hit {
  const { ref, task, at, meta, times } = row;
  return {
    id: idToText(row.id),
    ordinal: ref,
    task,
    at,
    provenance: provenanceOf(row),
    meta: unpackMeta(meta),
    times,
    ...scores,
    via: [
      ...(scores.hamming === undefined ? [] : (['signature'] as const)),
      ...(shared.length === 0 ? [] : (['component'] as const)),
      ...(scores.parts.words === 0 ? [] : (['words'] as const)),
      ...(scores.parts.walk === 0 ? [] : (['walk'] as const)),
    ],
    shared,
    decoded,
    ...relations,
  };
}

/** Best score first, then the later event, then by id: nothing depends on the order of recording. */
export function best(found: readonly Found[], k: number): Found[] {
  return found
    .toSorted((a, b) => b.score - a.score || b.row.at - a.row.at || Buffer.compare(a.row.id, b.row.id))
    .slice(0, k);
}

/** Cosine over the numbers that both have, after taking away a mean. */
export function cosineOf(a: ArrayLike<number>, b: ArrayLike<number>, mean?: ArrayLike<number>): number {
  const n = Math.min(a.length, b.length);
  let ab = 0;
  let aa = 0;
  let bb = 0;
  for (let i = 0; i < n; i++) {
    const m = mean === undefined ? 0 : mean[i]!;
    const x = a[i]! - m;
    const y = b[i]! - m;
    ab += x * y;
    aa += x * x;
    bb += y * y;
  }
  return aa === 0 || bb === 0 ? 0 : ab / Math.sqrt(aa * bb);
}
