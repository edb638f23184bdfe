// The residual stream that inner layers read from and write to. The plain one is a single tensor; wider ones keep several
// and let each layer work on a part.
import type { Builder, Tensor } from '../tensor/index.ts';
import { altupStream } from './altup.ts';
import { dynamicStream } from './altup-dynamic.ts';
import type { LmCall } from './lm-call.ts';

/** How a stream of state `S` is opened, changed by a layer and closed. */
export interface Stream<S> {
  /** Width of the rows of the embedding table. */
  readonly embedWidth: number;
  /** Width of what `close` returns: of the last norm and the head. */
  readonly outWidth: number;
  /** From embedded tokens `[B, T, embedWidth]`. */
  open(embedded: Tensor): S;
  /** Lets a layer work on the stream, under the layer's scope. */
  layer(state: S, index: number, inner: (x: Tensor) => Tensor): S;
  /** `[B, T, d]`: what stands for the stream where one tensor of model width is wanted. */
  read(state: S): Tensor;
  /** `[B, T, outWidth]` for the last norm and the head. */
  close(state: S): Tensor;
}

/** The stream of a config: plain, or AltUp's several. */
export function streamOf(b: Builder, call: LmCall): Stream<readonly Tensor[]> {
  const { config } = call;
  if ((config.altup_num_inputs ?? 1) === 1) return plainStream(config.hidden_size);
  return config.altup_coefficients === 'dynamic' ? dynamicStream(b, call) : altupStream(b, call);
}

function plainStream(width: number): Stream<readonly Tensor[]> {
  return {
    embedWidth: width,
    outWidth: width,
    open: (embedded) => [embedded],
    layer: ([x], _index, inner) => [inner(x!)],
    read: ([x]) => x!,
    close: ([x]) => x!,
  };
}
