// A small assembler for WebAssembly: functions of 32-bit integers over one imported memory, with the vector instructions that
// our kernels use. Not a compiler: each function is its list of instructions, in the order of the stack.

/** Instructions with their operands, as bytes. */
export type Code = readonly number[];

export interface WasmFunction {
  readonly name: string;
  /** Parameters, all i32. */
  readonly params: number;
  /** Whether it returns an i32. */
  readonly returns: boolean;
  /** Further locals, numbered behind the parameters: first those of i32, then those of v128. */
  readonly locals: { readonly i32: number; readonly v128: number };
  readonly code: readonly Code[];
}

/** "\0asm" and the version. */
const MAGIC: Code = [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00];
const I32 = 0x7f;
const V128 = 0x7b;

export const get = (local: number): Code => [0x20, ...unsigned(local)];
export const set = (local: number): Code => [0x21, ...unsigned(local)];
export const i32 = {
  const: (value: number): Code => [0x41, ...signed(value)],
  load8: (offset = 0): Code => [0x2d, 0, ...unsigned(offset)],
  store: (offset = 0): Code => [0x36, 2, ...unsigned(offset)],
  eqz: [0x45] as Code,
  leU: [0x4d] as Code,
  ctz: [0x68] as Code,
  popcnt: [0x69] as Code,
  add: [0x6a] as Code,
  sub: [0x6b] as Code,
  mul: [0x6c] as Code,
  and: [0x71] as Code,
  or: [0x72] as Code,
  shl: [0x74] as Code,
  shrU: [0x76] as Code,
};
export const v128 = {
  load: (offset = 0): Code => [...vector(0x00), 0, ...unsigned(offset)],
  load32Splat: (offset = 0): Code => [...vector(0x09), 0, ...unsigned(offset)],
  load8Splat: (offset = 0): Code => [...vector(0x07), 0, ...unsigned(offset)],
  load64Zero: (offset = 0): Code => [...vector(0x5d), 0, ...unsigned(offset)],
  store: (offset = 0): Code => [...vector(0x0b), 0, ...unsigned(offset)],
  xor: vector(0x51),
};
/** Four single-precision numbers. */
export const f32x4 = { add: vector(0xe4), mul: vector(0xe6) };
export const i8x16 = {
  splat: vector(0x0f),
  ltU: vector(0x26),
  leU: vector(0x2a),
  popcnt: vector(0x62),
  bitmask: vector(0x64),
  add: vector(0x6e),
};
/** Sums of neighbours: 16 bytes to 8 numbers, and 8 numbers to 4. */
export const pairwise = { of8: vector(0x7d), of16: vector(0x7f) };
export const lane32 = (lane: number): Code => [...vector(0x1b), lane];

/** What is used of WebAssembly. */
export interface WasmHost {
  validate(bytes: Uint8Array): boolean;
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Memory: new (size: { initial: number }) => { readonly buffer: ArrayBuffer; grow(pages: number): number };
  readonly Instance: new (module: object, imports: object) => { readonly exports: unknown };
}

/** WebAssembly, where there is one that takes this code. */
export function hostFor(code: Uint8Array): WasmHost | undefined {
  const { WebAssembly: host } = globalThis as { WebAssembly?: WasmHost };
  return host?.validate(code) === true ? host : undefined;
}

/** Runs the body, then again as long as the number that it leaves is not 0. */
export function repeat(...body: readonly Code[]): Code {
  return [0x03, 0x40, ...body.flat(), 0x0d, 0, 0x0b];
}

/** Runs the body unless the number on the stack is 0. */
export function when(...body: readonly Code[]): Code {
  return [0x04, 0x40, ...body.flat(), 0x0b];
}

/** Adds a constant to a local. */
export function advance(local: number, by: number): Code {
  return [...get(local), ...i32.const(by), ...i32.add, ...set(local)];
}

/** A module that imports `env.memory` and exports the functions. */
export function assemble(functions: readonly WasmFunction[]): Uint8Array<ArrayBuffer> {
  const types = functions.map(({ params, returns }) => [
    0x60,
    ...list(Array.from({ length: params }, () => [I32])),
    ...list(returns ? [[I32]] : []),
  ]);
  const memory = [...text('env'), ...text('memory'), 0x02, 0x00, ...unsigned(1)];
  const exports = functions.map(({ name }, i) => [...text(name), 0x00, ...unsigned(i)]);
  const bodies = functions.map(({ locals, code }) => {
    const groups = [
      [...unsigned(locals.i32), I32],
      [...unsigned(locals.v128), V128],
    ];
    const body = [...list(groups), ...code.flat(), 0x0b];
    return [...unsigned(body.length), ...body];
  });
  return Uint8Array.from([
    ...MAGIC,
    ...section(1, list(types)),
    ...section(2, list([memory])),
    ...section(3, list(functions.map((_, i) => unsigned(i)))),
    ...section(7, list(exports)),
    ...section(10, list(bodies)),
  ]);
}

function vector(opcode: number): number[] {
  return [0xfd, ...unsigned(opcode)];
}

function section(id: number, content: Code): number[] {
  return [id, ...unsigned(content.length), ...content];
}

function list(items: readonly Code[]): number[] {
  return [...unsigned(items.length), ...items.flat()];
}

function text(name: string): number[] {
  const bytes = [...new TextEncoder().encode(name)];
  return [...unsigned(bytes.length), ...bytes];
}

/** LEB128, 7 bits a byte. */
function unsigned(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...unsigned(value >>> 7)];
}

function signed(value: number): number[] {
  return value >= -64 && value < 64 ? [value & 0x7f] : [(value & 0x7f) | 0x80, ...signed(value >> 7)];
}
