// Counter-based random numbers: Philox 4x32-10 with named forks. Randomness never lives in a graph; it is made here and
// fed. Not for cryptography. Source: Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3" (2011).
import { CairnError } from '../errors.ts';

const M0 = 0xd2511f53;
const M1 = 0xcd9e8d57;
const W0 = 0x9e3779b9;
const W1 = 0xbb67ae85;

/** High 32 bits of the unsigned product of two 32-bit words. */
function mulHigh(a: number, b: number): number {
  const al = a & 0xffff;
  const ah = a >>> 16;
  const bl = b & 0xffff;
  const bh = b >>> 16;
  const low = al * bl;
  const mid = ah * bl + (low >>> 16);
  const mid2 = al * bh + (mid & 0xffff);
  return (ah * bh + Math.floor(mid / 65536) + Math.floor(mid2 / 65536)) >>> 0;
}

/**
 * One Philox 4x32-10 block.
 * @param counter four 32-bit words
 * @param key two 32-bit words
 * @param out receives four 32-bit words at `offset`
 */
export function philox(
  counter: readonly [number, number, number, number],
  key: readonly [number, number],
  out: Uint32Array,
  offset = 0,
): void {
  let [c0, c1, c2, c3] = counter;
  let [k0, k1] = key;
  for (let round = 0; round < 10; round++) {
    const h0 = mulHigh(M0, c0);
    const l0 = Math.imul(M0, c0) >>> 0;
    const h1 = mulHigh(M1, c2);
    const l1 = Math.imul(M1, c2) >>> 0;
    c0 = (h1 ^ c1 ^ k0) >>> 0;
    c1 = l1;
    c2 = (h0 ^ c3 ^ k1) >>> 0;
    c3 = l0;
    k0 = (k0 + W0) >>> 0;
    k1 = (k1 + W1) >>> 0;
  }
  out[offset] = c0;
  out[offset + 1] = c1;
  out[offset + 2] = c2;
  out[offset + 3] = c3;
}

const MASK64 = (1n << 64n) - 1n;

/** FNV-1a, 64 bits, over the UTF-8 bytes of a text. */
export function fnv1a64(text: string): bigint {
  let h = 0xcbf29ce484222325n;
  for (const byte of new TextEncoder().encode(text)) h = ((h ^ BigInt(byte)) * 0x100000001b3n) & MASK64;
  return h;
}

function mixKey(parent: readonly [number, number], name: string): [number, number] {
  const h = fnv1a64(name);
  const out = new Uint32Array(4);
  philox([Number(h & 0xffffffffn), Number(h >> 32n), 0x6361_6972, 0x6e], parent, out);
  return [out[0]!, out[1]!];
}

/**
 * A stream of random numbers that is a pure function of its seed and of the names it was forked by. Forks do not depend
 * on how much of the parent was drawn, so adding a consumer changes no other.
 *
 * @example
 * const rng = new Rng(7);
 * rng.fork('dropout').fork(3).uniform() === new Rng(7).fork('dropout').fork(3).uniform(); // true
 */
export class Rng {
  readonly #key: [number, number];
  #block = 0;
  #buffer = new Uint32Array(4);
  #used = 4;
  #spare: number | undefined;

  constructor(seed: bigint | number | string) {
    if (typeof seed === 'number' && !Number.isFinite(seed)) {
      throw new CairnError('bad_seed', `Expected a finite number, a bigint or a text as seed, got ${seed}.`, {
        hint: 'Pass an integer such as 7.',
      });
    }
    const h = typeof seed === 'bigint' ? BigInt.asUintN(64, seed) : fnv1a64(`${typeof seed}:${seed}`);
    this.#key = [Number(h & 0xffffffffn), Number(h >> 32n)];
  }

  /** An independent stream named `name` below this one; independent of what was drawn here. */
  fork(name: string | number): Rng {
    const child = new Rng(0n);
    const key = mixKey(this.#key, `${typeof name === 'number' ? '#' : '$'}${name}`);
    child.#key[0] = key[0];
    child.#key[1] = key[1];
    return child;
  }

  /** Where this stream stands; `restore` continues from it. */
  state(): { block: number; used: number; spare: number | null } {
    return { block: this.#block, used: this.#used, spare: this.#spare ?? null };
  }

  restore(state: { block: number; used: number; spare: number | null }): this {
    this.#block = state.used < 4 ? state.block - 1 : state.block;
    if (state.used < 4) this.#refill();
    this.#used = state.used;
    this.#spare = state.spare ?? undefined;
    return this;
  }

  /** A 32-bit word. */
  u32(): number {
    if (this.#used === 4) this.#refill();
    return this.#buffer[this.#used++]!;
  }

  #refill(): void {
    philox([this.#block >>> 0, Math.floor(this.#block / 4294967296), 0, 0], this.#key, this.#buffer);
    this.#block++;
    this.#used = 0;
  }

  /** Uniform in [0, 1) with 53 bits. */
  uniform(): number {
    const a = this.u32() >>> 5;
    const b = this.u32() >>> 6;
    return (a * 67108864 + b) / 9007199254740992;
  }

  /** Uniform in [0, 1) with 24 bits: exact in f32. */
  uniformF32(): number {
    return (this.u32() >>> 8) / 16777216;
  }

  /** Uniform integer in [0, n), without bias. */
  integer(n: number): number {
    if (!Number.isInteger(n) || n < 1 || n > 4294967296) {
      throw new CairnError('bad_range', `Expected an integer between 1 and 2^32, got ${n}.`);
    }
    const limit = Math.floor(4294967296 / n) * n;
    let w = this.u32();
    while (w >= limit) w = this.u32();
    return w % n;
  }

  /** Standard normal (Box-Muller). */
  normal(): number {
    if (this.#spare !== undefined) {
      const z = this.#spare;
      this.#spare = undefined;
      return z;
    }
    const r = Math.sqrt(-2 * Math.log(1 - this.uniform()));
    const t = 2 * Math.PI * this.uniform();
    this.#spare = r * Math.sin(t);
    return r * Math.cos(t);
  }

  gumbel(): number {
    return -Math.log(this.exponential());
  }

  /** Exponential with mean 1. */
  exponential(): number {
    return -Math.log(1 - this.uniform());
  }

  /** Gamma with the given shape and scale 1 (Marsaglia-Tsang). */
  gamma(shape: number): number {
    if (!(shape > 0)) throw new CairnError('bad_parameter', `Expected a positive gamma shape, got ${shape}.`);
    if (shape < 1) return this.gamma(shape + 1) * (1 - this.uniform()) ** (1 / shape);
    const d = shape - 1 / 3;
    const c = 1 / Math.sqrt(9 * d);
    for (;;) {
      const x = this.normal();
      const v = (1 + c * x) ** 3;
      if (v <= 0) continue;
      const u = 1 - this.uniform();
      if (Math.log(u) < 0.5 * x * x + d - d * v + d * Math.log(v)) return d * v;
    }
  }

  beta(a: number, b: number): number {
    const x = this.gamma(a);
    return x / (x + this.gamma(b));
  }

  dirichlet(alpha: readonly number[]): number[] {
    const g = alpha.map((a) => this.gamma(a));
    const total = g.reduce((s, x) => s + x, 0);
    return g.map((x) => x / total);
  }

  /** Index drawn with probability proportional to non-negative weights. */
  categorical(weights: ArrayLike<number>): number {
    let total = 0;
    for (let i = 0; i < weights.length; i++) total += weights[i]!;
    if (!(total > 0) || !Number.isFinite(total)) {
      throw new CairnError(
        'bad_weights',
        `Expected non-negative weights with a finite positive sum, got sum ${total}.`,
      );
    }
    let u = this.uniform() * total;
    let last = 0;
    for (let i = 0; i < weights.length; i++) {
      const w = weights[i]!;
      if (w <= 0) continue;
      last = i;
      if (u < w) return i;
      u -= w;
    }
    return last;
  }

  bernoulli(p = 0.5): boolean {
    return this.uniform() < p;
  }

  /** -1 or +1. */
  rademacher(): -1 | 1 {
    return (this.u32() & 1) === 0 ? -1 : 1;
  }

  /** A random order of 0..n-1 (Fisher-Yates from the end). */
  permutation(n: number): Uint32Array {
    const p = Uint32Array.from({ length: n }, (_, i) => i);
    for (let i = n - 1; i > 0; i--) {
      const j = this.integer(i + 1);
      const t = p[i]!;
      p[i] = p[j]!;
      p[j] = t;
    }
    return p;
  }

  /** A shuffled copy. */
  shuffle<T>(items: readonly T[]): T[] {
    return Array.from(this.permutation(items.length), (i) => items[i]!);
  }

  /** k distinct integers of [0, n), in random order. */
  choice(n: number, k: number): Uint32Array {
    if (k > n) throw new CairnError('bad_range', `Expected at most ${n} draws without replacement, got ${k}.`);
    return this.permutation(n).slice(0, k);
  }

  /** Fills with standard normals times `scale`. */
  fillNormal(out: Float32Array | Float64Array, scale = 1): void {
    for (let i = 0; i < out.length; i++) out[i] = this.normal() * scale;
  }

  /** Fills with uniforms in [low, high). */
  fillUniform(out: Float32Array | Float64Array, low = 0, high = 1): void {
    for (let i = 0; i < out.length; i++) out[i] = low + (high - low) * this.uniform();
  }
}
