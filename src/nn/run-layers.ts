// Sends a residual stream through the layers of one stack.
import type { Builder, Tensor } from '../tensor/index.ts';
import { innerLayer, type LayerOptions } from './layer.ts';
import { isStrided, type LmCall } from './lm-call.ts';
import { sequenceLayer } from './sequence-altup.ts';
import type { Stream } from './stream.ts';

export interface RunLayersOptions {
  /** Default: all. */
  readonly layers?: readonly number[];
  /** Options of each inner layer. */
  readonly options?: (layer: number) => LayerOptions;
}

/** Sends a stream through layers, each under the scope `blocks.<layer>` below the open one. */
export function runLayers<S>(
  b: Builder,
  call: LmCall,
  stream: Stream<S>,
  opened: S,
  settings: RunLayersOptions = {},
): S {
  const layers = settings.layers ?? Array.from({ length: call.config.num_hidden_layers }, (_, i) => i);
  let state = opened;
  for (const layer of layers) {
    state = b.scope(`blocks.${layer}`, () =>
      stream.layer(state, layer, (x) => {
        const inner = (y: Tensor, own: LmCall): Tensor => innerLayer(b, own, layer, y, settings.options?.(layer));
        return isStrided(call.config, layer) ? sequenceLayer(b, call, layer, x, inner) : inner(x, call);
      }),
    );
  }
  return state;
}
