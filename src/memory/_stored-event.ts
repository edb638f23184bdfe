// From a row of a store to an event: the sketch read back, its structure, its provenance, and the vector that similarity
// compares.
import {
  fromBytes,
  type Obj,
  type Sketcher,
  type SketchSpec,
  type StoredSketch,
  Structure,
  unroll,
  type UnrolledObject,
} from '../sketch/index.ts';
import { CairnError } from '../errors.ts';
import { type Meta, type Provenance, unpackMeta, unpackProvenance } from './_record.ts';
import { idToText, type Store, type StoredRow, type StoredSketchRow } from './store.ts';

/** One event as it is kept. */
export interface StoredEvent {
  readonly id: string;
  readonly ordinal: number;
  readonly task: string;
  readonly at: number;
  readonly provenance: Provenance;
  readonly meta: Meta;
  readonly structure: Structure;
  readonly sketch: StoredSketch;
  /** Bytes of the stored sketch. */
  readonly bytes: number;
  /** How often it was remembered. */
  readonly count: number;
}

/** Reads events; structures stay in a cache. */
export class EventReader {
  readonly #store: Store;
  readonly #sketcher: Sketcher;
  readonly #structures = new Map<string, Structure>();

  constructor(store: Store, sketcher: Sketcher) {
    this.#store = store;
    this.#sketcher = sketcher;
  }

  get spec(): SketchSpec {
    return this.#sketcher.spec;
  }

  /** A structure that was read before. */
  knownStructure(hash: string): Structure | undefined {
    return this.#structures.get(hash);
  }

  async structure(hash: string): Promise<Structure> {
    const known = this.knownStructure(hash);
    if (known !== undefined) return known;
    const bytes = await this.#store.structure(hash);
    if (bytes === undefined) {
      throw new CairnError('store_corrupt', `Expected the structure ${hash} in the store, got none.`, {
        hint: 'Keep a copy of the file and restore a backup.',
      });
    }
    const structure = Structure.fromBytes(bytes);
    if (this.#structures.size > 1024) this.#structures.clear();
    this.#structures.set(hash, structure);
    return structure;
  }

  async event(row: StoredRow): Promise<StoredEvent> {
    return {
      id: idToText(row.id),
      ordinal: row.ref,
      task: row.task,
      at: row.at,
      provenance: provenanceOf(row),
      meta: unpackMeta(row.meta),
      structure: await this.structure(row.structure),
      sketch: fromBytes(row.sketch, this.spec),
      bytes: row.sketch.length,
      count: row.count,
    };
  }

  /** The vector of a row, cut to what is kept of it; `complete` when nothing was cut. */
  async vector(row: StoredSketchRow): Promise<{ module: string; vector: Float64Array; complete: boolean }> {
    const sketch = fromBytes(row.sketch, this.spec);
    const structure = await this.structure(sketch.structureHash);
    return {
      module: moduleOf(structure),
      vector: this.vectorOf(sketch, structure),
      complete: sketch.kept === this.spec.dim,
    };
  }

  /** A row with the trace that its sketch unrolls to, when the sketch settles it. */
  async unrolled(row: StoredRow): Promise<{ module: string; vector: Float64Array; trace: readonly Obj[] | undefined }> {
    const { module, vector } = await this.vector(row);
    const reading = unroll(fromBytes(row.sketch, this.spec), await this.structure(row.structure));
    const trace = reading.consistent && !reading.guessing ? reading.outputs.map(toTrace) : undefined;
    return { module, vector, trace };
  }

  /** [kept] content plus what the structure says: sketches of different structures can be compared. */
  vectorOf(sketch: StoredSketch, structure: Structure): Float64Array {
    const { codes, step } = sketch;
    const vector = new Float64Array(codes.length);
    const base = this.baseOf(sketch, structure);
    for (let i = 0; i < codes.length; i++) vector[i] = codes[i]! * step + (base === undefined ? 0 : base[i]!);
    return vector;
  }

  /** What the structure says beside the content of a sketch; undefined when the sketch says all. */
  baseOf(sketch: StoredSketch, structure: Structure): ArrayLike<number> | undefined {
    return sketch.part === 'full' ? undefined : this.#sketcher.base(structure);
  }
}

/** The provenance of a row: what is packed in it, and what stands in columns of its own. */
export function provenanceOf({ source, sourceHash, times, provenance }: StoredRow): Provenance {
  const packed = unpackProvenance(source, provenance);
  const validFrom = times?.validFrom;
  const validTo = times?.validTo;
  return {
    ...packed,
    ...(sourceHash === '' ? {} : { sha256: sourceHash }),
    ...(validFrom === undefined ? {} : { validFrom }),
    ...(validTo === undefined ? {} : { validTo }),
  };
}

/** Names of an event's output modules: events are compared with others of the same. */
export function moduleOf(structure: Structure): string {
  return structure.outputs.map(({ object }) => structure.objects[object]!.module).join('+');
}

function toTrace({ module, attributes, inputs }: UnrolledObject): Obj {
  return { module, attributes, inputs: inputs.map((o) => ({ object: toTrace(o), weight: o.weight })) };
}
