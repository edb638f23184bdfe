// One store's sketching: the maps and two bounded caches (structures seen, matrices compiled). Everything it returns is
// a pure function of the specification and the input; the caches only save time.
import { CairnError } from '../errors.ts';
import { compile, type Compiled, compiledBytes, compiledContent, meanAttributes, signatureValues } from './compiled.ts';
import { Maps } from './maps.ts';
import { applyOperator } from './operator.ts';
import { columnsOf, type Structure } from './structure.ts';
import { outputsOf, structureOf } from './trace.ts';
import { checkSpec, type Obj, type SketchSpec, TOLERANCE } from './types.ts';

/** A freshly encoded event. */
export interface Encoded {
  readonly kind: 'encoded';
  readonly spec: SketchSpec;
  readonly structure: Structure;
  /** [n] attributes of all objects in the order of the structure. */
  readonly attributes: Float64Array;
  /** [d] what depends on the data: A (x − μ). This is what is stored and what similarity of one structure compares. */
  readonly content: Float64Array;
  /** [d] the full sketch in f32: content plus everything known from the structure (markers, prior means). */
  readonly values: Float32Array;
}

/** Options of `Sketcher.encode` and `encode`. */
export interface EncodeOptions {
  /** See `StructureOptions.balance`; default true. */
  readonly balance?: boolean | undefined;
  /** `recursion` forces the oracle; `compiled` forms the matrix at once; by default on the second event of a structure. */
  readonly how?: 'auto' | 'recursion' | 'compiled' | undefined;
}

/** Sizes of the caches of one sketcher. */
export interface SketcherOptions {
  /** Bytes that compiled structures and factors may take; default 256 MiB. */
  readonly cacheBytes?: number | undefined;
}

interface Entry {
  readonly structure: Structure;
  base: Float64Array | undefined;
  compiled: Compiled | undefined;
  uses: number;
  readonly derived: Map<string, unknown>;
  derivedBytes: number;
}

/** Encoder with caches for one specification. */
export class Sketcher {
  readonly spec: SketchSpec;
  readonly maps: Maps;
  readonly #entries = new Map<string, Entry>();
  readonly #recent: Structure[] = [];
  readonly #cacheBytes: number;

  constructor(spec: SketchSpec, options: SketcherOptions = {}) {
    this.spec = checkSpec(spec);
    this.maps = new Maps(spec);
    this.#cacheBytes = options.cacheBytes ?? 256 << 20;
  }

  /** The structure of a trace under this specification; the same object again while the shape recurs. */
  structureOf(root: Obj | readonly Obj[], options: Pick<EncodeOptions, 'balance'> = {}): Structure {
    const made = structureOf(root, { balance: options.balance, signatures: this.spec.signatures });
    const known = this.#recent.find((s) => sameBytes(s.bytes, made.bytes));
    if (known !== undefined) return known;
    this.#recent.unshift(made);
    if (this.#recent.length > 8) this.#recent.pop();
    return made;
  }

  /**
   * Sketches one event.
   * @throws CairnError for cycles, weights, groups or attributes outside their contract
   */
  encode(root: Obj | readonly Obj[], options: EncodeOptions = {}): Encoded {
    const structure = this.structureOf(root, options);
    const attributes = attributesOf(root, structure);
    const content = this.content(structure, attributes, options.how);
    const base = this.base(structure);
    const values = new Float32Array(this.spec.dim);
    for (let i = 0; i < values.length; i++) values[i] = base[i]! + content[i]!;
    return { kind: 'encoded', spec: this.spec, structure, attributes, content, values };
  }

  /** A (x − μ) for attributes in the order of the structure. */
  content(structure: Structure, x: ArrayLike<number>, how: EncodeOptions['how'] = 'auto'): Float64Array {
    const entry = this.#entry(structure);
    entry.uses++;
    if (how !== 'recursion' && (entry.compiled !== undefined || how === 'compiled' || entry.uses > 1)) {
      if (how === 'compiled' || compiledBytes(structure, this.spec.dim) <= this.#cacheBytes / 4) {
        return compiledContent(this.compiled(structure), x);
      }
    }
    const mean = meanAttributes(structure);
    const centred = mean.map((m, j) => x[j]! - m);
    return applyOperator(this.maps, structure, centred, { markers: false, signatures: this.spec.signatures });
  }

  /** [d] what every event of a structure has in common: markers and prior means. */
  base(structure: Structure): Float64Array {
    const entry = this.#entry(structure);
    entry.base ??= applyOperator(this.maps, structure, meanAttributes(structure), {
      markers: true,
      signatures: this.spec.signatures,
    });
    return entry.base;
  }

  /** The matrix of a structure, formed on first use. */
  compiled(structure: Structure): Compiled {
    const entry = this.#entry(structure);
    if (entry.compiled === undefined) {
      entry.compiled = compile(this.maps, structure, this.spec.signatures);
      this.#trim(structure.hash);
    }
    return entry.compiled;
  }

  /** Something costly that follows from a structure (a factor, a prediction), kept while there is room. */
  derived<T>(structure: Structure, key: string, bytes: (value: T) => number, make: () => T): T {
    const entry = this.#entry(structure);
    const known = entry.derived.get(key);
    // The caller owns the key and with it the type of what is kept under it.
    if (known !== undefined) return known as T;
    const value = make();
    entry.derived.set(key, value);
    entry.derivedBytes += bytes(value);
    this.#trim(structure.hash);
    return value;
  }

  #entry(structure: Structure): Entry {
    const known = this.#entries.get(structure.hash);
    if (known !== undefined) {
      this.#entries.delete(structure.hash);
      this.#entries.set(structure.hash, known);
      return known;
    }
    const made: Entry = {
      structure,
      base: undefined,
      compiled: undefined,
      uses: 0,
      derived: new Map(),
      derivedBytes: 0,
    };
    this.#entries.set(structure.hash, made);
    if (this.#entries.size > 4096) {
      const oldest = this.#entries.keys().next();
      if (oldest.done !== true) this.#entries.delete(oldest.value);
    }
    return made;
  }

  /** Drops what is kept for the least recently used structures until the rest fits; `except` stays. */
  #trim(except: string): void {
    let total = 0;
    for (const e of this.#entries.values()) total += (e.compiled?.columns.byteLength ?? 0) + e.derivedBytes;
    for (const [hash, e] of this.#entries) {
      if (total <= this.#cacheBytes) return;
      if (hash === except) continue;
      total -= (e.compiled?.columns.byteLength ?? 0) + e.derivedBytes;
      e.compiled = undefined;
      e.derived.clear();
      e.derivedBytes = 0;
    }
  }
}

const sketchers: Sketcher[] = [];

/** The sketcher that the functions of this folder share for a specification; the last eight are kept. */
export function sketcherOf(spec: SketchSpec): Sketcher {
  const at = sketchers.findIndex((s) => sameSpec(s.spec, spec));
  if (at >= 0) {
    const found = sketchers[at]!;
    if (at > 0) {
      sketchers.splice(at, 1);
      sketchers.unshift(found);
    }
    return found;
  }
  const made = new Sketcher(spec);
  sketchers.unshift(made);
  if (sketchers.length > 8) sketchers.pop();
  return made;
}

function sameSpec(a: SketchSpec, b: SketchSpec): boolean {
  return a === b || (a.dim === b.dim && a.seed === b.seed && a.family === b.family && a.signatures === b.signatures);
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/**
 * Attributes of all objects of a trace in the order of its structure, checked.
 * @returns [n]
 */
export function attributesOf(root: Obj | readonly Obj[], structure: Structure): Float64Array {
  const out = new Float64Array(structure.columns);
  const seen = new Set<Obj>();
  let index = 0;
  const visit = (o: Obj): void => {
    if (seen.has(o)) return;
    seen.add(o);
    for (const { object } of o.inputs ?? []) visit(object);
    const shape = structure.objects[index];
    if (shape === undefined || shape.module !== o.module || shape.size !== o.attributes.length) {
      throw new CairnError('sketch_structure', `Expected the trace that the structure describes, got '${o.module}'.`);
    }
    const offset = structure.offsets[index]!;
    out.set(o.attributes, offset);
    checkAttributes(o);
    if (o.signature !== undefined) out.set(signatureValues(o.signature), offset + columnsOf(shape) - 32);
    index++;
  };
  for (const { object } of outputsOf(root)) visit(object);
  return out;
}

function checkAttributes(o: Obj): void {
  let norm2 = 0;
  for (let j = 0; j < o.attributes.length; j++) {
    const v = o.attributes[j]!;
    if (!(v >= 0 && v < Infinity)) {
      throw new CairnError('sketch_attributes', `Expected finite attributes >= 0 on '${o.module}', got ${v}.`, {
        hint: 'Split a signed attribute into its positive and its negative part.',
      });
    }
    norm2 += v * v;
  }
  for (const g of o.groups ?? []) {
    let ones = 0;
    for (let j = g.start; j < g.start + g.size; j++) {
      const v = o.attributes[j]!;
      if (v === 1) ones++;
      else if (v !== 0) ones = NaN;
    }
    if (ones !== 1) {
      throw new CairnError(
        'sketch_groups',
        `Expected one 1 and otherwise 0 in the group at ${g.start} of '${o.module}'.`,
      );
    }
    norm2 -= 1;
  }
  if (norm2 > 1 + 2 * TOLERANCE) {
    throw new CairnError(
      'sketch_norm',
      `Expected attributes of norm at most 1 on '${o.module}', got ${Math.sqrt(norm2)}.`,
      {
        hint: 'Divide by a power of two.',
      },
    );
  }
}
