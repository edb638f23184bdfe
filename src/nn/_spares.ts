// Memory of caches that grows with the sequence and is used in turn: the cache of a token is written where that of the token
// before last lay, so that decoding allocates nothing. What somebody saved is never written again.
import type { HostTensor, Shape } from '../tensor/index.ts';
import { sizeOf } from '../tensor/index.ts';

export interface Spares {
  /** An array for entry `name`, with anything in it. */
  take(name: string, shape: Shape, dtype: 'f32' | 'f64'): HostTensor;
  /** The array of entry `name` is no longer needed. */
  give(name: string, tensor: HostTensor): void;
  /** These arrays are known outside: they are never handed out again. */
  protect(tensors: readonly HostTensor[]): void;
}

/** No spare memory at first. */
export function createSpares(): Spares {
  const spare = new Map<string, ArrayBufferLike>();
  const known = new WeakSet<ArrayBufferLike>();
  return {
    take(name, shape, dtype) {
      const size = sizeOf(shape);
      const bytes = size * (dtype === 'f64' ? 8 : 4);
      let buffer = spare.get(name);
      spare.delete(name);
      if (!buffer || buffer.byteLength < bytes) buffer = new ArrayBuffer(2 * bytes); // so that it grows a few times only
      const data = dtype === 'f64' ? new Float64Array(buffer, 0, size) : new Float32Array(buffer, 0, size);
      return { data, shape, dtype };
    },
    give(name, { data }) {
      const { buffer } = data;
      if (known.has(buffer) || (spare.get(name)?.byteLength ?? 0) >= buffer.byteLength) return;
      spare.set(name, buffer);
    },
    protect(tensors) {
      for (const { data } of tensors) known.add(data.buffer);
    },
  };
}
