// The two ends of a language model: embedded tokens, and the last norm with the head.
import type { Builder, Tensor } from '../tensor/index.ts';
import { norm } from './attention.ts';
import { applyEmbedding, applyLinear } from './forward.ts';
import type { LmCall } from './lm-call.ts';
import { embedding, linear } from './module.ts';

/** Embedded tokens `[B, T, width]`, with learned positions where the config has them. */
export function embed(b: Builder, { config, ids, positions }: LmCall, width: number): Tensor {
  const table = embedding(config.vocab_size, width);
  const rows = b.scope('embed', () => applyEmbedding(b, table, ids));
  const h = b.tap('hook_embed', config.embed_scale === undefined ? rows : rows.mul(config.embed_scale));
  if (config.position_embedding !== 'learned') return h;
  const places = embedding(config.max_position_embeddings, width);
  const shift = b.scope('pos_embed', () => applyEmbedding(b, places, positions));
  return h.add(b.tap('hook_pos_embed', shift.unsqueeze(0)));
}

/** Logits `[B, T, V]` of `[B, T, width]`: the last norm and the head, which may be the embedding. */
export function head(b: Builder, call: LmCall, x: Tensor): Tensor {
  const { config } = call;
  const width = x.shape.at(-1)!;
  const h = b.scope('ln_final', () => norm(b, x, config.rms_norm_eps, call.splitNorms));
  const cap = config.final_logit_softcapping;
  const capped = (z: Tensor): Tensor =>
    cap === undefined
      ? z
      : z
          .mul(1 / cap)
          .tanh()
          .mul(cap);
  if (config.tie_word_embeddings) {
    const w = b.scope('embed', () => b.param(b.path('weight'), [config.vocab_size, width], () => new Float64Array(0)));
    return capped(h.matmul(w, { transB: true }));
  }
  const unembed = linear(width, config.vocab_size, { bias: false, std: 0.02 });
  return capped(b.scope('unembed', () => applyLinear(b, unembed, h)));
}
