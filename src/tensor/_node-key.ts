// Keys that make equal nodes one node: op, inputs and attributes of ordinary nodes, contents of constants.
import type { TypedArray } from './dtype.ts';
import type { Attrs, Port } from './graph.ts';

/** The key of a node; equal keys mean equal values. */
export function nodeKey(op: string, inputs: readonly { readonly port: Port }[], attrs: Attrs): string {
  let key = op;
  for (const x of inputs) key += `|${x.port.node}.${x.port.port}`;
  for (const name of Object.keys(attrs).sort()) key += `|${name}=${JSON.stringify(attrs[name])}`;
  return key;
}

/** FNV-1a over 32-bit words (bytes where they do not fit); equality is checked on a hit. */
export function contentHash(values: TypedArray): number {
  const { buffer, byteOffset, byteLength } = values;
  const whole = byteOffset % 4 === 0 && byteLength % 4 === 0;
  const parts = whole
    ? new Uint32Array(buffer, byteOffset, byteLength / 4)
    : new Uint8Array(buffer, byteOffset, byteLength);
  let h = 0x811c9dc5;
  for (let i = 0; i < parts.length; i++) {
    h = Math.imul(h ^ parts[i]!, 0x01000193);
    h ^= h >>> 15;
  }
  return h >>> 0;
}

/** Bitwise equality, so that 0 and -0 differ. */
export function sameValues(a: TypedArray, b: TypedArray): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (!Object.is(a[i], b[i])) return false;
  return true;
}
