// What goes into a sketch: the specification of the store, and objects as the modules of a trace produce them.
// Source: Ghazi, Panigrahy, Wang, "Recursive Sketches for Modular Deep Learning" (arXiv 1905.12730).
import { CairnError } from '../errors.ts';

/** Sizes that a sketch may have. */
export type SketchDim = 64 | 128 | 256 | 512 | 1024 | 2048 | 4096 | 8192 | 16384;

/** How one store sketches: two sketches can only be compared, added or decoded under the same specification. */
export interface SketchSpec {
  /** Numbers per sketch, d: a power of two. */
  readonly dim: SketchDim;
  /** Names the random maps; keep it secret when attributes may be chosen by an adversary. */
  readonly seed: string;
  /**
   * `hd3`: three rounds of random signs and a Walsh-Hadamard transform, orthogonal. `block`: the maps of attributes,
   * markers and signatures are block-random matrices with columns of norm 1; needs dim >= 512.
   */
  readonly family: 'hd3' | 'block';
  /** How many bits a stored number takes. */
  readonly store: 'f32' | 'i8' | 'i4';
  /** Whether objects carry a 32-bit signature (a pointer into the store). */
  readonly signatures: boolean;
}

/** A block of attributes of which exactly one is 1 and the rest 0: a class. */
export interface OneHotGroup {
  /** First attribute of the block. */
  readonly start: number;
  /** Number of classes, at least 2. */
  readonly size: number;
  /** Known share of each class; uniform without it. Positive, sums to 1. */
  readonly prior?: readonly number[] | undefined;
}

/** One output of one module. Traces are directed acyclic graphs: an object may be an input of several. */
export interface Obj {
  readonly module: string;
  /** [m] non-negative; the part outside `groups` has norm at most 1. */
  readonly attributes: Float32Array;
  /** Weights are positive and sum to 1. */
  readonly inputs?: readonly { readonly object: Obj; readonly weight: number }[] | undefined;
  /** Blocks of `attributes` that are one-hot. */
  readonly groups?: readonly OneHotGroup[] | undefined;
  /** Inputs without order: equal modules add up instead of being told apart by position. */
  readonly bag?: boolean | undefined;
  /** A 32-bit pointer into the store; needs `signatures` in the specification. */
  readonly signature?: number | undefined;
}

/** One object of a structure. */
export interface StructureObject {
  readonly module: string;
  /** Number of attributes m. */
  readonly size: number;
  /** Attributes are divided by 2^exponent before they are sketched. */
  readonly exponent: number;
  readonly groups: readonly OneHotGroup[];
  readonly signature: boolean;
  readonly bag: boolean;
  readonly inputs: readonly StructureEdge[];
}

/** A weighted reference to an object by its index. */
export interface StructureEdge {
  readonly object: number;
  readonly weight: number;
}

/** Bits that carry a signature. */
export const SIGNATURE_BITS = 32;

/** Tolerance of "weights sum to 1" and "norm at most 1". */
export const TOLERANCE = 1e-6;

/** Throws unless the specification is usable; returns it. */
export function checkSpec(spec: SketchSpec): SketchSpec {
  const { dim } = spec;
  if (!Number.isInteger(dim) || dim < 64 || dim > 16384 || (dim & (dim - 1)) !== 0) {
    throw new CairnError('sketch_dim', `Expected a power of two between 64 and 16384 as dim, got ${dim}.`, {
      hint: 'Use 1024.',
    });
  }
  if (spec.family !== 'hd3' && spec.family !== 'block') {
    throw new CairnError('sketch_family', `Expected family 'hd3' or 'block', got '${String(spec.family)}'.`, {
      hint: "Use family: 'hd3'.",
    });
  }
  if (spec.family === 'block' && dim < 512) {
    throw new CairnError('sketch_dim', `Expected a dim of at least 512 for the block family, got ${dim}.`, {
      hint: "Use 512 or more, or family: 'hd3'.",
    });
  }
  if (spec.store !== 'f32' && spec.store !== 'i8' && spec.store !== 'i4') {
    throw new CairnError('sketch_store', `Expected store 'f32', 'i8' or 'i4', got '${String(spec.store)}'.`);
  }
  return spec;
}

/** Throws unless both specifications use the same maps. */
export function expectSameMaps(a: SketchSpec, b: SketchSpec): void {
  if (a.dim !== b.dim || a.seed !== b.seed || a.family !== b.family || a.signatures !== b.signatures) {
    throw new CairnError('sketch_spec', `Expected sketches of one store, got ${describe(a)} and ${describe(b)}.`, {
      hint: 'Encode both with the same dim, seed, family and signatures.',
    });
  }
}

function describe(spec: SketchSpec): string {
  return `dim ${spec.dim}, family ${spec.family}, signatures ${spec.signatures}`;
}
