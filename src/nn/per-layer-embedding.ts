// Per-layer embeddings, the form of Gemma 3n: every token has a small vector for every layer, which a gate from the stream
// lets in. Half of it is looked up, half is a projection of the token's embedding.
import { type Builder, gather, matmul, normal, ones, rmsNorm, type Tensor } from '../tensor/index.ts';
import { activate } from './forward.ts';
import type { LmCall } from './lm-call.ts';

/** What a layer adds to the streams it does not work on, `[B, T, d]`, given its corrected stream. */
export type PerLayerInputs = (layer: number, first: () => Tensor) => Tensor;

/** Prepares the vectors of all layers from the embedded tokens; undefined when the config has none. */
export function perLayerInputs(b: Builder, call: LmCall, embedded: Tensor): PerLayerInputs | undefined {
  const { config: c, ids } = call;
  const { hidden_size: d, hidden_size_per_layer_input: width, num_hidden_layers: layers } = c;
  if (width === undefined) return undefined;
  const [batch, length] = embedded.shape as [number, number];
  const shape = [batch, length, layers, width];
  const table = b.param('embed_per_layer.weight', [c.vocab_size, layers * width], normal(0.02), { decay: false });
  const looked = gather(table, ids).mul(Math.sqrt(width)).reshape(shape);
  const w = b.param('per_layer_model.weight', [d, layers * width], normal(0.02));
  const projected = matmul(embedded, w, { alpha: 1 / Math.sqrt(d) }).reshape(shape);
  const normed = rmsNorm(projected, b.param('per_layer_model_norm.gain', [width], ones), c.rms_norm_eps);
  const all = normed.add(looked).mul(Math.SQRT1_2); // [B, T, L, width]
  return (layer, first) => {
    const own = all.sliceAxis(2, layer, layer + 1).squeeze(2);
    const weight = (name: string, from: number, to: number): Tensor =>
      b.param(b.path(`per_layer.${name}.weight`), [from, to], normal(0.02));
    const gate = activate(c.hidden_act, matmul(first(), weight('gate', d, width)));
    const out = matmul(gate.mul(own), weight('projection', width, d));
    return rmsNorm(out, b.param(b.path('per_layer.norm.gain'), [d], ones), c.rms_norm_eps);
  };
}
