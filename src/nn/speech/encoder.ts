// The cascade (arXiv 2204.06164): causal layers, of which the smaller sizes use the first, then layers with look-ahead on top. One
// pass gives the encodings of every size that is asked for; a size alone builds only its own layers, with equal operations.
import { type Builder, scaledNormal, type Tensor, zeros } from '../../tensor/index.ts';
import { type AsrConfig, type AsrSize, depthOf } from './config.ts';
import { allValid, type BlockShape, type Carry, conformerBlock, type Frames } from './conformer.ts';

/** Shape of one layer of the cascade. */
export function blockShape(config: AsrConfig, kind: 'causal' | 'noncausal', index: number): BlockShape {
  const causal = kind === 'causal';
  return {
    width: config.hidden_size,
    heads: config.num_attention_heads,
    hidden: config.intermediate_size,
    kernel: config.conv_kernel,
    left: config.left_context,
    right: causal ? 0 : config.asr_right_context,
    causal,
    funnel: causal && index === config.funnel_layer,
    eps: config.rms_norm_eps,
    theta: config.rope_theta,
  };
}

/**
 * Encodings of the sizes.
 * @param features `[batch, rows, mels * stack]`, whole utterances, or the next piece of a stream when `carry` is given
 * @param valid `[batch, rows, 1]`, 1 for real rows; undefined: all are
 */
export function encode<S extends AsrSize>(
  b: Builder,
  config: AsrConfig,
  features: Tensor,
  valid: Tensor | undefined,
  sizes: readonly S[],
  carry?: Carry,
): Record<S, Frames> {
  return b.scope('encoder', () => {
    const { hidden_size: width, funnel_layer: funnel } = config;
    let input = features;
    let real = valid;
    if (funnel !== null && features.shape[1]! % 2 === 1) {
      // Pairs are pooled: an odd utterance gets a row that does not count.
      const pad = (t: Tensor): Tensor => t.pad([0, 0, 0], [0, 1, 0]);
      real = pad(valid ?? allValid(features));
      input = pad(features);
    }
    const weight = b.param(b.path('input.weight'), [input.shape[2]!, width], scaledNormal());
    const bias = b.param(b.path('input.bias'), [width], zeros, { decay: false });
    let frames: Frames = { x: input.matmul(weight).add(bias), valid: real };
    const out: Partial<Record<AsrSize, Frames>> = {};
    for (const kind of ['causal', 'noncausal'] as const) {
      const layers = Math.max(...sizes.map((size) => depthOf(config, size)[`${kind}_layers`]));
      for (let i = 0; i < layers; i++) {
        frames = b.scope(`${kind}.${i}`, () => conformerBlock(b, blockShape(config, kind, i), frames, carry));
        for (const size of sizes) {
          const depth = depthOf(config, size);
          const last =
            kind === 'causal'
              ? depth.noncausal_layers === 0 && depth.causal_layers === i + 1
              : depth.noncausal_layers === i + 1;
          if (last) out[size] = frames;
        }
      }
    }
    return out as Record<S, Frames>;
  });
}

/** A carry over inputs `in:<name>` and outputs `out:<name>` of a program, all f32 `[1, frames, width]`. */
export function programCarry(b: Builder): Carry & { readonly shapes: ReadonlyMap<string, readonly number[]> } {
  const shapes = new Map<string, readonly number[]>();
  return {
    shapes,
    read(name, frames, width) {
      shapes.set(name, [1, frames, width]);
      return b.input(`in:${name}`, [1, frames, width]);
    },
    write: (name, after) => b.output(`out:${name}`, after),
  };
}
