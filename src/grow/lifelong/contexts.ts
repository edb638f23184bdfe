// The hash table of tasks: contexts become sketches, sketches become 256-bit signatures, and a signature near enough to a
// known one belongs to that bucket. Similar contexts share a task; nothing is compared with every task.
import { CairnError } from '../../errors.ts';
import { cosineOfHamming, LshIndex, type Signed, Signer } from '../../memory/index.ts';
import { type Obj, Sketcher } from '../../sketch/index.ts';

/**
 * What accompanies an example: a name, the numbers of a task code, or an object with its inputs as in a trace. Contexts
 * of different forms never meet.
 */
export type Context = string | ArrayLike<number> | Obj;

export interface ContextOptions {
  readonly seed: string;
  /** Cosine of sketches above which two contexts are the same. Default 0.8. */
  readonly same?: number;
}

const DIM = 512;

/** Buckets of contexts, numbered from 0 as they appear. */
export class Contexts {
  readonly #sketcher: Sketcher;
  readonly #signer: Signer;
  readonly #index = new LshIndex();
  readonly #exact = new Map<string, number>();
  readonly #same: number;
  #count = 0;

  constructor({ seed, same = 0.8 }: ContextOptions) {
    if (!(same > 0 && same < 1)) {
      throw new CairnError('bad_option', `Expected a cosine between 0 and 1 for equal contexts, got ${same}.`);
    }
    this.#sketcher = new Sketcher({ dim: DIM, seed, family: 'hd3', store: 'f32', signatures: false });
    this.#signer = new Signer(DIM, seed);
    this.#same = same;
  }

  get count(): number {
    return this.#count;
  }

  /** The bucket of a context, or nothing when it is new. */
  find(context: Context): number | undefined {
    if (typeof context === 'string') return this.#exact.get(context);
    const signed = this.#sign(context);
    const near = this.#index.nearest([{ centre: centreOf(context), signed }], 1)[0];
    return near !== undefined && cosineOfHamming(near.distance) >= this.#same ? near.ref : undefined;
  }

  /** A new bucket around a context. */
  add(context: Context): number {
    const ref = this.#count++;
    if (typeof context === 'string') this.#exact.set(context, ref);
    else this.#index.add(ref, this.#sign(context).bits, centreOf(context));
    return ref;
  }

  #sign(context: Exclude<Context, string>): Signed {
    if (isObject(context)) return this.#signer.sign(this.#sketcher.encode(context).values);
    return this.#signer.sign(this.#sketcher.encode(codeObject(context)).content);
  }
}

function isObject(context: Exclude<Context, string>): context is Obj {
  return 'module' in context;
}

/** Codes and traces are kept apart. */
function centreOf(context: Exclude<Context, string>): number {
  return isObject(context) ? 1 : 0;
}

/** A code as an object: signed numbers split into two non-negative halves, scaled to norm 1. */
function codeObject(code: ArrayLike<number>): Obj {
  const n = code.length;
  const attributes = new Float32Array(2 * n);
  let square = 0;
  for (let i = 0; i < n; i++) {
    const v = code[i]!;
    if (!Number.isFinite(v)) {
      throw new CairnError('not_finite', `Expected finite numbers in a context, got ${v} at ${i}.`);
    }
    square += v * v;
    attributes[v < 0 ? n + i : i] = Math.abs(v);
  }
  const scale = square > 0 ? 0.9999 / Math.sqrt(square) : 0;
  for (let i = 0; i < attributes.length; i++) attributes[i]! *= scale;
  return { module: 'code', attributes };
}
