// Reads ONNX bytes back into the plain data of onnx-proto.ts. Bytes are untrusted: every length is checked against what
// is left and every fault is a CairnError. Unknown fields are skipped; unknown data layouts are refused.
import { CairnError } from '../errors.ts';
import type { OnnxAttribute, OnnxModel, OnnxNode, OnnxTensor, OnnxValue } from './onnx-proto.ts';

function malformed(expected: string, got: string): CairnError {
  return new CairnError('onnx_malformed', `Expected ${expected}, got ${got}.`, {
    hint: 'Check that the bytes are a complete ONNX model.',
  });
}

const strictUtf8 = new TextDecoder('utf-8', { fatal: true });

/** Walks the fields of one protobuf message inside `bytes[pos, end)`. */
class ProtoReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #end: number;
  #pos: number;
  #wire = 0;

  constructor(bytes: Uint8Array, pos = 0, end = bytes.length) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#pos = pos;
    this.#end = end;
  }

  /** Number of the next field, or 0 at the end. */
  next(): number {
    if (this.#pos >= this.#end) return 0;
    const tag = this.#varint();
    this.#wire = Number(tag & 7n);
    const field = Number(tag >> 3n);
    if (field < 1 || field > 536870911) throw malformed('a protobuf field number', String(field));
    return field;
  }

  #varint(): bigint {
    let low = 0;
    let scale = 1;
    for (let i = 0; i < 7; i++) {
      const b = this.#byte();
      low += (b & 127) * scale;
      if (b < 128) return BigInt(low);
      scale *= 128;
    }
    let value = BigInt(low);
    for (let shift = 49n; shift < 70n; shift += 7n) {
      const b = this.#byte();
      value |= BigInt(b & 127) << shift;
      if (b < 128) return BigInt.asUintN(64, value);
    }
    throw malformed('a varint of at most ten bytes', 'a longer one');
  }

  #byte(): number {
    if (this.#pos >= this.#end) throw malformed('more bytes', 'the end of the message');
    return this.#bytes[this.#pos++]!;
  }

  #expectWire(wire: number): void {
    if (this.#wire !== wire) throw malformed(`wire type ${wire}`, String(this.#wire));
  }

  #span(): { from: number; to: number } {
    const length = Number(this.#varint());
    const from = this.#pos;
    const to = from + length;
    if (to > this.#end) throw malformed(`at most ${this.#end - from} bytes`, `a field of ${length}`);
    this.#pos = to;
    return { from, to };
  }

  int(): number {
    this.#expectWire(0);
    return this.#safe(BigInt.asIntN(64, this.#varint()));
  }

  #safe(wide: bigint): number {
    const value = Number(wide);
    if (!Number.isSafeInteger(value)) throw malformed('an integer within 2^53', String(wide));
    return value;
  }

  /** One integer, or a packed run of them. */
  ints(into: number[]): void {
    if (this.#wire === 0) {
      into.push(this.int());
      return;
    }
    this.#expectWire(2);
    const { from, to } = this.#span();
    const inner = new ProtoReader(this.#bytes, from, to);
    while (inner.#pos < to) into.push(inner.#safe(BigInt.asIntN(64, inner.#varint())));
  }

  /** One float, or a packed run of them. */
  floats(into: number[]): void {
    if (this.#wire === 5) {
      into.push(this.float());
      return;
    }
    this.#expectWire(2);
    const { from, to } = this.#span();
    if ((to - from) % 4 !== 0) throw malformed('packed floats of 4 bytes each', `${to - from} bytes`);
    for (let p = from; p < to; p += 4) into.push(this.#view.getFloat32(p, true));
  }

  float(): number {
    this.#expectWire(5);
    if (this.#pos + 4 > this.#end) throw malformed('4 more bytes', `${this.#end - this.#pos}`);
    const value = this.#view.getFloat32(this.#pos, true);
    this.#pos += 4;
    return value;
  }

  bytes(): Uint8Array {
    this.#expectWire(2);
    const { from, to } = this.#span();
    return this.#bytes.subarray(from, to);
  }

  text(): string {
    const raw = this.bytes();
    try {
      return strictUtf8.decode(raw);
    } catch (cause) {
      throw new CairnError('onnx_malformed', 'Expected UTF-8 text, got other bytes.', { cause });
    }
  }

  message(): ProtoReader {
    this.#expectWire(2);
    const { from, to } = this.#span();
    return new ProtoReader(this.#bytes, from, to);
  }

  skip(): void {
    if (this.#wire === 0) this.#varint();
    else if (this.#wire === 2) this.#span();
    else if (this.#wire === 5 || this.#wire === 1) {
      this.#pos += this.#wire === 5 ? 4 : 8;
      if (this.#pos > this.#end) throw malformed('more bytes', 'the end of the message');
    } else throw malformed('wire type 0, 1, 2 or 5', String(this.#wire));
  }
}

/** Runs `handle` for each field; a field it does not take (returns false) is skipped. */
function each(r: ProtoReader, handle: (field: number) => boolean): void {
  for (let field = r.next(); field !== 0; field = r.next()) if (!handle(field)) r.skip();
}

const ELEMENT_BYTES: Readonly<Record<number, number>> = {
  1: 4,
  2: 1,
  3: 1,
  6: 4,
  7: 8,
  9: 1,
  10: 2,
  11: 8,
  12: 4,
  13: 8,
  16: 2,
};

function readTensor(r: ProtoReader): OnnxTensor {
  const dims: number[] = [];
  let elemType = 0;
  let name = '';
  let raw: Uint8Array | undefined;
  const typed: { field: number; ints: number[]; floats: number[] } = { field: 0, ints: [], floats: [] };
  each(r, (field) => {
    if (field === 1) r.ints(dims);
    else if (field === 2) elemType = r.int();
    else if (field === 8) name = r.text();
    else if (field === 9) raw = r.bytes();
    else if (field === 4) {
      typed.field = 4;
      r.floats(typed.floats);
    } else if (field === 5 || field === 7) {
      typed.field = field;
      r.ints(typed.ints);
    } else if (field === 14) {
      if (r.int() === 1) throw malformed('weights inside the model', `external data for ${name}`);
    } else return false;
    return true;
  });
  const width = ELEMENT_BYTES[elemType];
  if (width === undefined) throw malformed('a known element type', `${elemType} in tensor ${name}`);
  if (dims.some((d) => d < 0)) throw malformed('dimensions of at least 0', `[${dims}] in tensor ${name}`);
  const data = raw ?? (typed.field === 0 ? new Uint8Array(0) : rawOf(typed, elemType, name));
  const size = dims.reduce((a, b) => a * b, 1);
  if (data.length !== size * width) {
    throw malformed(`${size * width} bytes of data in tensor ${name}`, String(data.length));
  }
  return { name, elemType, dims, raw: data };
}

/** Values from the typed fields (float_data, int32_data, int64_data) that other writers use for small tensors. */
function rawOf(typed: { field: number; ints: number[]; floats: number[] }, elemType: number, name: string): Uint8Array {
  if (typed.field === 4 && elemType === 1) return new Uint8Array(Float32Array.from(typed.floats).buffer);
  if (typed.field === 5 && elemType === 6) return new Uint8Array(Int32Array.from(typed.ints).buffer);
  if (typed.field === 5 && (elemType === 9 || elemType === 2 || elemType === 3)) return Uint8Array.from(typed.ints);
  if (typed.field === 7 && elemType === 7) {
    return new Uint8Array(BigInt64Array.from(typed.ints, (v) => BigInt(v)).buffer);
  }
  throw malformed('raw data or a matching typed field', `field ${typed.field} for type ${elemType} in tensor ${name}`);
}

function readAttribute(r: ProtoReader): [string, OnnxAttribute] {
  let name = '';
  let type = 0;
  let f = 0;
  let i = 0;
  let s = '';
  let t: OnnxTensor | undefined;
  const floats: number[] = [];
  const ints: number[] = [];
  each(r, (field) => {
    if (field === 1) name = r.text();
    else if (field === 2) f = r.float();
    else if (field === 3) i = r.int();
    else if (field === 4) s = r.text();
    else if (field === 5) t = readTensor(r.message());
    else if (field === 7) r.floats(floats);
    else if (field === 8) r.ints(ints);
    else if (field === 20) type = r.int();
    else return false;
    return true;
  });
  switch (type) {
    case 1:
      return [name, { kind: 'float', value: f }];
    case 2:
      return [name, { kind: 'int', value: i }];
    case 3:
      return [name, { kind: 'string', value: s }];
    case 4:
      if (!t) throw malformed('a tensor', `none in attribute ${name}`);
      return [name, { kind: 'tensor', value: t }];
    case 6:
      return [name, { kind: 'floats', value: floats }];
    case 7:
      return [name, { kind: 'ints', value: ints }];
    default:
      throw malformed('attribute type 1, 2, 3, 4, 6 or 7', `${type} in attribute ${name}`);
  }
}

function readNode(r: ProtoReader): OnnxNode {
  const inputs: string[] = [];
  const outputs: string[] = [];
  const attributes: Record<string, OnnxAttribute> = {};
  let opType = '';
  let domain = '';
  let name = '';
  each(r, (field) => {
    if (field === 1) inputs.push(r.text());
    else if (field === 2) outputs.push(r.text());
    else if (field === 3) name = r.text();
    else if (field === 4) opType = r.text();
    else if (field === 5) {
      const [key, value] = readAttribute(r.message());
      Object.defineProperty(attributes, key, { value, enumerable: true, configurable: true, writable: true });
    } else if (field === 7) domain = r.text();
    else return false;
    return true;
  });
  if (!opType) throw malformed('a node with an operator', `none in node ${name}`);
  return { opType, domain, name, inputs, outputs, attributes };
}

function readValue(r: ProtoReader): OnnxValue {
  let name = '';
  let elemType = 0;
  const dims: (number | string)[] = [];
  const dimension = (d: ProtoReader): void => {
    let value: number | string = '';
    each(d, (field) => {
      if (field === 1) value = d.int();
      else if (field === 2) value = d.text();
      else return false;
      return true;
    });
    dims.push(value);
  };
  const tensorType = (t: ProtoReader): void =>
    each(t, (field) => {
      if (field === 1) elemType = t.int();
      else if (field === 2) {
        const shape = t.message();
        each(shape, (f) => (f === 1 ? (dimension(shape.message()), true) : false));
      } else return false;
      return true;
    });
  each(r, (field) => {
    if (field === 1) name = r.text();
    else if (field === 2) {
      const type = r.message();
      each(type, (f) => (f === 1 ? (tensorType(type.message()), true) : false));
    } else return false;
    return true;
  });
  return { name, elemType, dims };
}

function readPair(r: ProtoReader): [string, string] {
  let key = '';
  let value = '';
  each(r, (field) => {
    if (field === 1) key = r.text();
    else if (field === 2) value = r.text();
    else return false;
    return true;
  });
  return [key, value];
}

/**
 * Parses the bytes of an ONNX model.
 *
 * @throws CairnError `onnx_malformed` for anything that is not a complete model in the supported subset.
 * @example
 * decodeModel(encodeModel(model)).nodes.length === model.nodes.length; // true
 */
export function decodeModel(bytes: Uint8Array): OnnxModel {
  const nodes: OnnxNode[] = [];
  const initializers: OnnxTensor[] = [];
  const inputs: OnnxValue[] = [];
  const outputs: OnnxValue[] = [];
  const opsets: { domain: string; version: number }[] = [];
  const metadata: Record<string, string> = {};
  let irVersion = 0;
  let producer = '';
  let graphName = '';
  let sawGraph = false;
  const r = new ProtoReader(bytes);
  each(r, (field) => {
    if (field === 1) irVersion = r.int();
    else if (field === 2) producer = r.text();
    else if (field === 7) {
      sawGraph = true;
      const g = r.message();
      each(g, (f) => {
        if (f === 1) nodes.push(readNode(g.message()));
        else if (f === 2) graphName = g.text();
        else if (f === 5) initializers.push(readTensor(g.message()));
        else if (f === 11) inputs.push(readValue(g.message()));
        else if (f === 12) outputs.push(readValue(g.message()));
        else return false;
        return true;
      });
    } else if (field === 8) {
      const o = r.message();
      let domain = '';
      let version = 0;
      each(o, (f) => {
        if (f === 1) domain = o.text();
        else if (f === 2) version = o.int();
        else return false;
        return true;
      });
      opsets.push({ domain, version });
    } else if (field === 14) {
      const [key, value] = readPair(r.message());
      Object.defineProperty(metadata, key, { value, enumerable: true, configurable: true, writable: true });
    } else return false;
    return true;
  });
  if (!sawGraph) throw malformed('a model with a graph', 'none');
  return { irVersion, producer, opsets, graphName, nodes, initializers, inputs, outputs, metadata };
}
