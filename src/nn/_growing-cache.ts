// The memory of a decoder's cache. Programs return only the new positions of an entry, since a runtime copies what it returns into
// new memory; they are written behind the old ones here, in place. What somebody saved is copied before it would change.
import type { Builder, Feed, HostTensor, Shape, Tensor } from '../tensor/index.ts';
import { sizeOf } from '../tensor/index.ts';

export interface GrowingCache {
  /**
   * The entries `past.<name>` after a call: `fresh.<name>` among its outputs goes behind what was fed, along the axis of its slot,
   * into the same memory where nobody else knows it; `present.<name>` is the entry.
   */
  entriesAfter(
    slots: readonly { readonly name: string; readonly axis: number }[],
    fed: Readonly<Record<string, Feed>>,
    outputs: Readonly<Record<string, HostTensor>>,
  ): Record<string, HostTensor>;
  /** The memory of entry `name` is no longer needed. */
  give(name: string, tensor: HostTensor): void;
  /** These arrays are known outside: they are never written again. */
  protect(tensors: readonly HostTensor[]): void;
}

/** No memory at first. */
export function createGrowingCache(): GrowingCache {
  const own = new WeakSet<ArrayBufferLike>();
  const spare = new Map<string, ArrayBufferLike>();
  const memory = (name: string, bytes: number): ArrayBufferLike => {
    const given = spare.get(name);
    spare.delete(name);
    if (given && given.byteLength >= bytes) return given;
    const made = new ArrayBuffer(2 * bytes); // so that it grows a few times only
    own.add(made);
    return made;
  };
  return {
    entriesAfter(slots, fed, outputs) {
      const entries: Record<string, HostTensor> = {};
      for (const [name, t] of Object.entries(outputs)) {
        if (name.startsWith('present.')) entries[name.replace('present.', 'past.')] = t;
      }
      for (const { name, axis } of slots) {
        const fresh = outputs[name.replace('past.', 'fresh.')];
        if (fresh) entries[name] = append(name, fed[name] as HostTensor, fresh, axis);
      }
      return entries;
    },
    give: (name, { data }) => give(name, data.buffer),
    protect(tensors) {
      for (const { data } of tensors) own.delete(data.buffer);
    },
  };

  function append(name: string, old: HostTensor, fresh: HostTensor, axis: number): HostTensor {
    const shape = old.shape.map((d, i) => (i === axis ? d + fresh.shape[axis]! : d));
    const size = sizeOf(shape);
    const bytes = size * old.data.BYTES_PER_ELEMENT;
    const { buffer } = old.data;
    const place = own.has(buffer) && buffer.byteLength >= bytes ? buffer : memory(name, bytes);
    const data = old.dtype === 'f64' ? new Float64Array(place, 0, size) : new Float32Array(place, 0, size);
    const outer = sizeOf(shape.slice(0, axis));
    const [had, more] = [old.data.length / outer, fresh.data.length / outer];
    if (place !== buffer) {
      for (let o = 0; o < outer; o++) data.set(old.data.subarray(o * had, (o + 1) * had), o * (had + more));
      if (own.has(buffer)) give(name, buffer);
    } else {
      // From the last one on, so that nothing is written over before it has moved.
      for (let o = outer - 1; o > 0; o--) data.copyWithin(o * (had + more), o * had, (o + 1) * had);
    }
    for (let o = 0; o < outer; o++) {
      const [from, to] = [o * more, o * (had + more) + had];
      for (let i = 0; i < more; i++) data[to + i] = fresh.data[from + i]!;
    }
    return { data, shape, dtype: old.dtype };
  }

  function give(name: string, buffer: ArrayBufferLike): void {
    if (own.has(buffer) && (spare.get(name)?.byteLength ?? 0) < buffer.byteLength) spare.set(name, buffer);
  }
}

/** Returns what is kept of a cache entry: its new positions as `fresh.<name>` where it grows, else all of it as `present.<name>`. */
export function outputEntry(b: Builder, name: string, past: Tensor | undefined, kept: Tensor): void {
  const fresh = freshPart(past, kept);
  if (fresh) b.output(`fresh.${name}`, fresh);
  else b.output(`present.${name}`, kept);
}

/** The new positions of a tensor that was joined behind `past`; undefined where it was not. */
function freshPart(past: Tensor | undefined, kept: Tensor): Tensor | undefined {
  const { op, inputs } = kept.builder.nodes()[kept.port.node]!;
  const joined = past && op === 'concat' && inputs.length === 2 && inputs[0]!.node === past.port.node;
  return joined ? kept.builder.at(inputs[1]!) : undefined;
}

/** A cache entry before the first token: no positions, or zeros where the shape is fixed. */
export function emptySlot(shape: Shape, dtype: 'f32' | 'f64'): HostTensor {
  const fixed = shape.map((d) => Math.max(d, 0));
  const size = sizeOf(fixed);
  return { data: dtype === 'f64' ? new Float64Array(size) : new Float32Array(size), shape: fixed, dtype };
}
