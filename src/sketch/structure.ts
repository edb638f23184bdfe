// The structure of an event: its trace without the attribute values. It is stored once beside all sketches that share it
// and makes a sketch linear in the attributes. Objects stand in post-order, so inputs come before what uses them.
import { CairnError } from '../errors.ts';
import { hash64 } from './_bytes.ts';
import { structureFromBytes, structureToBytes } from './_structure-bytes.ts';
import { SIGNATURE_BITS, type StructureEdge, type StructureObject } from './types.ts';

/** A trace without values: serialisable, hashed, shared by all events of one shape. */
export class Structure {
  readonly objects: readonly StructureObject[];
  /** The output objects of the event. */
  readonly outputs: readonly StructureEdge[];
  /** First column of each object among all unknowns. */
  readonly offsets: readonly number[];
  /** Number of unknowns n: attributes and signature bits of all objects. */
  readonly columns: number;
  #hash: string | undefined;
  #bytes: Uint8Array | undefined;
  #paths: string[] | undefined;

  constructor(objects: readonly StructureObject[], outputs: readonly StructureEdge[]) {
    this.objects = objects;
    this.outputs = outputs;
    const offsets: number[] = [];
    let columns = 0;
    for (const o of objects) {
      offsets.push(columns);
      columns += columnsOf(o);
    }
    this.offsets = offsets;
    this.columns = columns;
  }

  /** Serialised form, about 10 bytes per object; the caller must not change it. */
  get bytes(): Uint8Array {
    return (this.#bytes ??= structureToBytes(this));
  }

  /** 16 hexadecimal digits that name this structure. */
  get hash(): string {
    return (this.#hash ??= hash64(this.bytes));
  }

  /** The first path of every object: `0` is the first output, `0/2` its third input. */
  get paths(): readonly string[] {
    return (this.#paths ??= firstPaths(this));
  }

  /**
   * Reads what `bytes` wrote.
   * @throws CairnError `structure_bytes` for anything else
   */
  static fromBytes(bytes: Uint8Array): Structure {
    const { objects, outputs } = structureFromBytes(bytes);
    return new Structure(objects, outputs);
  }

  /** Index of the object at a path. */
  at(path: string): number {
    const steps = path.split('/');
    let edges = this.outputs;
    let index = -1;
    for (const step of steps) {
      const edge = /^\d{1,6}$/.test(step) ? edges[Number(step)] : undefined;
      if (edge === undefined) {
        throw new CairnError('sketch_path', `Expected a path of this structure, got '${path}'.`, {
          hint: "Use paths such as '0' (first output) or '0/2' (its third input).",
        });
      }
      index = edge.object;
      edges = this.objects[index]!.inputs;
    }
    return index;
  }
}

/** Unknowns of one object: its attributes and the bits of its signature. */
export function columnsOf(o: StructureObject): number {
  return o.size + (o.signature ? SIGNATURE_BITS : 0);
}

function firstPaths(structure: Structure): string[] {
  const paths: string[] = Array.from({ length: structure.objects.length }, () => '');
  const walk = (edges: readonly StructureEdge[], prefix: string): void => {
    edges.forEach(({ object }, i) => {
      if (paths[object] !== '') return;
      paths[object] = `${prefix}${i}`;
      walk(structure.objects[object]!.inputs, `${prefix}${i}/`);
    });
  };
  walk(structure.outputs, '');
  return paths;
}
