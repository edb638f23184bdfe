// ONNX models as plain data, and the protobuf wire format that stores them: only the messages and fields Cairn writes.
// The reader of these bytes is onnx-read.ts; turning a graph into a model is onnx-write.ts. Source: onnx.proto3 (IR 9).
import { CairnError } from '../errors.ts';

/** ONNX element type codes (TensorProto.DataType). */
export const ONNX_TYPE = {
  f32: 1,
  u8: 2,
  i8: 3,
  i32: 6,
  i64: 7,
  string: 8,
  bool: 9,
  f16: 10,
  f64: 11,
  u32: 12,
  u64: 13,
  bf16: 16,
} as const;

/** A dense tensor stored in the model; `raw` is little endian, row-major. */
export interface OnnxTensor {
  readonly name: string;
  readonly elemType: number;
  readonly dims: readonly number[];
  readonly raw: Uint8Array;
}

/** Attribute of a node. Integers beyond 2^53 are not representable and are refused by the reader. */
export type OnnxAttribute =
  | { readonly kind: 'int'; readonly value: number }
  | { readonly kind: 'float'; readonly value: number }
  | { readonly kind: 'string'; readonly value: string }
  | { readonly kind: 'tensor'; readonly value: OnnxTensor }
  | { readonly kind: 'ints'; readonly value: readonly number[] }
  | { readonly kind: 'floats'; readonly value: readonly number[] };

export interface OnnxNode {
  readonly opType: string;
  readonly domain: string;
  readonly name: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: Readonly<Record<string, OnnxAttribute>>;
}

/** Name, element type and shape of a graph input or output; a text dimension is symbolic. */
export interface OnnxValue {
  readonly name: string;
  readonly elemType: number;
  readonly dims: readonly (number | string)[];
}

export interface OnnxModel {
  readonly irVersion: number;
  readonly producer: string;
  readonly opsets: readonly { readonly domain: string; readonly version: number }[];
  readonly graphName: string;
  readonly nodes: readonly OnnxNode[];
  readonly initializers: readonly OnnxTensor[];
  readonly inputs: readonly OnnxValue[];
  readonly outputs: readonly OnnxValue[];
  readonly metadata: Readonly<Record<string, string>>;
}

const utf8 = new TextEncoder();

/** Appends protobuf fields to a growing buffer. */
export class ProtoWriter {
  #bytes: Uint8Array<ArrayBuffer>;
  #size = 0;

  constructor(capacity = 1 << 16) {
    this.#bytes = new Uint8Array(capacity);
  }

  #reserve(extra: number): void {
    const need = this.#size + extra;
    if (need <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(need, this.#bytes.length * 2));
    grown.set(this.#bytes.subarray(0, this.#size));
    this.#bytes = grown;
  }

  /** An integer as a varint; negative ones take ten bytes (two's complement, 64 bits). */
  varint(value: number): this {
    if (!Number.isSafeInteger(value)) {
      throw new CairnError('onnx_bad_integer', `Expected a safe integer, got ${value}.`);
    }
    this.#reserve(10);
    if (value >= 0) {
      let rest = value;
      while (rest > 127) {
        this.#bytes[this.#size++] = (rest % 128) | 128;
        rest = Math.floor(rest / 128);
      }
      this.#bytes[this.#size++] = rest;
      return this;
    }
    let rest = BigInt.asUintN(64, BigInt(value));
    while (rest > 127n) {
      this.#bytes[this.#size++] = Number(rest & 127n) | 128;
      rest >>= 7n;
    }
    this.#bytes[this.#size++] = Number(rest);
    return this;
  }

  int(field: number, value: number): this {
    return this.varint(field * 8).varint(value);
  }

  float(field: number, value: number): this {
    this.varint(field * 8 + 5).#reserve(4);
    new DataView(this.#bytes.buffer).setFloat32(this.#size, value, true);
    this.#size += 4;
    return this;
  }

  bytes(field: number, value: Uint8Array): this {
    this.varint(field * 8 + 2).varint(value.length).#reserve(value.length);
    this.#bytes.set(value, this.#size);
    this.#size += value.length;
    return this;
  }

  text(field: number, value: string): this {
    return this.bytes(field, utf8.encode(value));
  }

  /** A nested message written in place by `body`. */
  message(field: number, body: (w: this) => void): this {
    this.varint(field * 8 + 2).#reserve(1);
    const start = ++this.#size; // one byte kept for the length; the body moves when it needs more
    body(this);
    const length = this.#size - start;
    let extra = 0;
    for (let rest = length; rest > 127; rest = Math.floor(rest / 128)) extra++;
    if (extra > 0) {
      this.#reserve(extra);
      this.#bytes.copyWithin(start + extra, start, this.#size);
    }
    this.#size = start - 1;
    this.varint(length);
    this.#size = start + extra + length;
    return this;
  }

  finish(): Uint8Array<ArrayBuffer> {
    return this.#bytes.slice(0, this.#size);
  }
}

function writeTensor(w: ProtoWriter, t: OnnxTensor): void {
  for (const d of t.dims) w.int(1, d);
  w.int(2, t.elemType).text(8, t.name).bytes(9, t.raw);
}

function writeAttribute(w: ProtoWriter, name: string, a: OnnxAttribute): void {
  w.text(1, name);
  switch (a.kind) {
    case 'float':
      w.float(2, a.value).int(20, 1);
      break;
    case 'int':
      w.int(3, a.value).int(20, 2);
      break;
    case 'string':
      w.text(4, a.value).int(20, 3);
      break;
    case 'tensor':
      w.message(5, (t) => writeTensor(t, a.value)).int(20, 4);
      break;
    case 'floats':
      for (const v of a.value) w.float(7, v);
      w.int(20, 6);
      break;
    case 'ints':
      for (const v of a.value) w.int(8, v);
      w.int(20, 7);
      break;
    default:
      a satisfies never;
  }
}

function writeNode(w: ProtoWriter, n: OnnxNode): void {
  for (const i of n.inputs) w.text(1, i);
  for (const o of n.outputs) w.text(2, o);
  if (n.name) w.text(3, n.name);
  w.text(4, n.opType);
  for (const [name, a] of Object.entries(n.attributes)) w.message(5, (m) => writeAttribute(m, name, a));
  if (n.domain) w.text(7, n.domain);
}

function writeValue(w: ProtoWriter, v: OnnxValue): void {
  w.text(1, v.name);
  w.message(2, (type) =>
    type.message(1, (tensor) => {
      tensor.int(1, v.elemType);
      tensor.message(2, (shape) => {
        for (const d of v.dims) shape.message(1, (dim) => (typeof d === 'number' ? dim.int(1, d) : dim.text(2, d)));
      });
    }),
  );
}

/**
 * The protobuf bytes of a model.
 *
 * @throws CairnError `onnx_too_large` above 2 GiB, the limit of protobuf messages.
 * @example
 * const bytes = encodeModel(model);
 * decodeModel(bytes); // deep-equals model
 */
export function encodeModel(model: OnnxModel): Uint8Array<ArrayBuffer> {
  let size = 1 << 16;
  for (const t of model.initializers) size += t.raw.length + 64;
  if (size > 2 ** 31 - 1) {
    throw new CairnError('onnx_too_large', `Expected a model below 2 GiB, got weights of ${size} bytes.`, {
      hint: 'Export in f16 or split the model.',
    });
  }
  const w = new ProtoWriter(size + 200 * model.nodes.length);
  w.int(1, model.irVersion).text(2, model.producer);
  w.message(7, (g) => {
    for (const n of model.nodes) g.message(1, (m) => writeNode(m, n));
    g.text(2, model.graphName);
    for (const t of model.initializers) g.message(5, (m) => writeTensor(m, t));
    for (const v of model.inputs) g.message(11, (m) => writeValue(m, v));
    for (const v of model.outputs) g.message(12, (m) => writeValue(m, v));
  });
  for (const o of model.opsets) w.message(8, (m) => m.text(1, o.domain).int(2, o.version));
  for (const [key, value] of Object.entries(model.metadata)) w.message(14, (m) => m.text(1, key).text(2, value));
  return w.finish();
}
