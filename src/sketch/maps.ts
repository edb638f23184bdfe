// Seeded fast orthogonal maps R = H D₃ H D₂ H D₁ and the transparent maps T = (I + R)/2 with their adjoints. Signs are a
// function of names, never of the order of calls. Three rounds: one round leaves two maps perfectly correlated. In the
// `block` family the maps of attributes, markers and signatures are block-random matrices instead; T stays as it is.
import { Rng } from '../tensor/index.ts';
import { BLOCK_SIZE, BlockMap } from './block-map.ts';
import { fwht } from './hadamard.ts';
import { checkSpec, type SketchSpec } from './types.ts';

/** Signs of the rounds of one map, ±1 each. */
export interface SignMap {
  readonly rounds: readonly Int8Array[];
}

/** A map of either family. */
export type SketchMap = SignMap | BlockMap;

/** Roles of the maps R_{M,j} of an object's own values. */
const OWN_ROLES = new Set(['attribute', 'marker', 'signature']);

const CACHE_BYTES = 32 << 20;

/** The maps of one specification, with a bounded cache of their signs. */
export class Maps {
  readonly dim: number;
  readonly #root: Rng;
  readonly #cache = new Map<string, SketchMap>();
  readonly #limit: number;
  readonly #blockSeed: string | undefined;
  readonly #rounds: number;
  readonly #scale: number;
  readonly #scratch: Float64Array;

  /** @param rounds 3 outside of tests */
  constructor(spec: Pick<SketchSpec, 'dim' | 'seed' | 'family' | 'store' | 'signatures'>, rounds = 3) {
    checkSpec(spec);
    this.dim = spec.dim;
    this.#rounds = rounds;
    this.#root = new Rng(`sketch:${spec.seed}`).fork(`${spec.family}:${spec.dim}`);
    this.#blockSeed = spec.family === 'block' ? `${spec.seed}:${spec.dim}` : undefined;
    const bytes = spec.family === 'block' ? 256 * (spec.dim / BLOCK_SIZE + BLOCK_SIZE) : 0;
    this.#limit = Math.max(64, Math.floor(CACHE_BYTES / (rounds * spec.dim + bytes)));
    this.#scale = 1 / Math.sqrt(spec.dim) ** rounds;
    this.#scratch = new Float64Array(spec.dim);
  }

  /** The map of a role and a name: ('position', 3), ('attribute', 'read-digit'). */
  map(role: string, name: string | number): SketchMap {
    const key = `${role}\0${name}`;
    const known = this.#cache.get(key);
    if (known !== undefined) {
      this.#cache.delete(key);
      this.#cache.set(key, known);
      return known;
    }
    const made = this.#make(role, name);
    this.#cache.set(key, made);
    if (this.#cache.size > this.#limit) {
      const oldest = this.#cache.keys().next();
      if (oldest.done !== true) this.#cache.delete(oldest.value);
    }
    return made;
  }

  #make(role: string, name: string | number): SketchMap {
    if (this.#blockSeed !== undefined && OWN_ROLES.has(role)) {
      return new BlockMap(this.dim, this.#blockSeed, `${role}:${name}`);
    }
    const stream = this.#root.fork(role).fork(name);
    return { rounds: Array.from({ length: this.#rounds }, (_, round) => signs(stream.fork(round), this.dim)) };
  }

  /** x ← R x. */
  rotate(map: SketchMap, x: Float64Array): void {
    if (map instanceof BlockMap) {
      x.set(map.forward(x));
      return;
    }
    const { rounds } = map;
    for (const signs of rounds) {
      for (let i = 0; i < x.length; i++) x[i] = x[i]! * signs[i]!;
      fwht(x);
    }
    const c = this.#scale;
    for (let i = 0; i < x.length; i++) x[i] = x[i]! * c;
  }

  /**
   * x ← Rᵀ x, which is R⁻¹ x for `hd3`.
   * @param count entries that will be read; the others are unspecified
   */
  rotateBack(map: SketchMap, x: Float64Array, count = x.length): void {
    if (map instanceof BlockMap) {
      x.set(map.adjoint(x, count));
      return;
    }
    const { rounds } = map;
    for (let k = rounds.length - 1; k >= 0; k--) {
      const signs = rounds[k]!;
      fwht(x);
      for (let i = 0; i < x.length; i++) x[i] = x[i]! * signs[i]!;
    }
    const c = this.#scale;
    for (let i = 0; i < x.length; i++) x[i] = x[i]! * c;
  }

  /** x ← factor · T x, T = (I + R)/2. */
  mix(map: SketchMap, x: Float64Array, factor = 1): void {
    const rotated = this.#scratch;
    rotated.set(x);
    this.rotate(map, rotated);
    const half = factor / 2;
    for (let i = 0; i < x.length; i++) x[i] = half * (x[i]! + rotated[i]!);
  }

  /** x ← factor · Tᵀ x. */
  mixBack(map: SketchMap, x: Float64Array, factor = 1): void {
    const rotated = this.#scratch;
    rotated.set(x);
    this.rotateBack(map, rotated);
    const half = factor / 2;
    for (let i = 0; i < x.length; i++) x[i] = half * (x[i]! + rotated[i]!);
  }
}

function signs(rng: Rng, dim: number): Int8Array {
  const out = new Int8Array(dim);
  for (let i = 0; i < dim; i += 32) {
    const word = rng.u32();
    for (let b = 0; b < 32 && i + b < dim; b++) out[i + b] = (word >>> b) & 1 ? -1 : 1;
  }
  return out;
}
