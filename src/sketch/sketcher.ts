// One store's sketching: the maps and two bounded caches (structures seen, matrices compiled). Everything it returns is
// a pure function of the specification and the input; the caches only save time.
import { CairnError } from '../errors.ts';
import { compile, type Compiled, compiledBytes, compiledContent, meanAttributes } from './compiled.ts';
import { Maps } from './maps.ts';
import { applyOperator } from './operator.ts';
import type { Structure } from './structure.ts';
import { matchTrace } from './_match.ts';
import { structureOf } from './trace.ts';
import { checkSpec, type Obj, type SketchSpec } from './types.ts';

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
  /** `recursion` forces the oracle; `compiled` forms the matrix at once; by default on the second event of a structure whose
   * objects have few attributes. */
  readonly how?: 'auto' | 'recursion' | 'compiled' | undefined;
}

/** Sizes of the caches of one sketcher. */
export interface SketcherOptions {
  /** Bytes that compiled structures and factors may take; default 256 MiB. */
  readonly cacheBytes?: number | undefined;
}

/** Attributes per object above which the recursion is faster than one column per attribute. */
const WIDEST = 128;

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
  readonly #recent: { structure: Structure; balance: boolean }[] = [];
  readonly #cacheBytes: number;

  constructor(spec: SketchSpec, options: SketcherOptions = {}) {
    this.spec = checkSpec(spec);
    this.maps = new Maps(spec);
    this.#cacheBytes = options.cacheBytes ?? 256 << 20;
  }

  /** The structure of a trace under this specification; the same object again while the shape recurs. */
  structureOf(root: Obj | readonly Obj[], options: Pick<EncodeOptions, 'balance'> = {}): Structure {
    return this.#recognise(root, options.balance !== false).structure;
  }

  /** The structure of a trace and its attributes; shapes seen lately are recognised without building them again. */
  #recognise(root: Obj | readonly Obj[], balance: boolean): { structure: Structure; attributes: Float64Array } {
    for (const known of this.#recent) {
      if (known.balance !== balance) continue;
      const attributes = matchTrace(root, known.structure);
      if (attributes !== undefined) return { structure: known.structure, attributes };
    }
    const structure = structureOf(root, { balance, signatures: this.spec.signatures });
    const attributes = matchTrace(root, structure);
    if (attributes === undefined)
      throw new CairnError('sketch_structure', 'Expected the trace to stay as it is, got a change.');
    this.#recent.unshift({ structure, balance });
    if (this.#recent.length > 8) this.#recent.pop();
    return { structure, attributes };
  }

  /**
   * Sketches one event.
   * @throws CairnError for cycles, weights, groups or attributes outside their contract
   */
  encode(root: Obj | readonly Obj[], options: EncodeOptions = {}): Encoded {
    const { structure, attributes } = this.#recognise(root, options.balance !== false);
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
    const pays = entry.uses > 1 && structure.columns <= WIDEST * structure.objects.length;
    if (how !== 'recursion' && (entry.compiled !== undefined || how === 'compiled' || pays)) {
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
