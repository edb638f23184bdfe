// The two ends of a language model: embedded tokens, and the last norm with the head.
import { type Builder, type Tensor, where } from '../tensor/index.ts';
import { norm } from './attention.ts';
import { applyEmbedding, applyLinear } from './forward.ts';
import type { LmCall } from './lm-call.ts';
import { SOFT_INPUT } from './lm-inputs.ts';
import { hasSoft, markersOf } from './lm-soft-config.ts';
import { embedding, linear } from './module.ts';

/** Embedded tokens `[B, T, width]`, with learned positions where the config has them. */
export function embed(b: Builder, call: LmCall, width: number): Tensor {
  const { config, ids, positions } = call;
  const table = embedding(config.vocab_size, width);
  const rows = b.scope('embed', () => applyEmbedding(b, table, ids));
  const tokens = config.embed_scale === undefined ? rows : rows.mul(config.embed_scale);
  const h = b.tap('hook_embed', hasSoft(config) ? withSoft(call, tokens) : tokens);
  if (config.position_embedding !== 'learned') return h;
  const places = embedding(config.max_position_embeddings, width);
  const shift = b.scope('pos_embed', () => applyEmbedding(b, places, positions));
  return h.add(b.tap('hook_pos_embed', shift.unsqueeze(0)));
}

/** Vectors of pictures and sounds in place of the tokens that mark them. */
function withSoft(call: LmCall, tokens: Tensor): Tensor {
  const marked = markersOf(call.config)
    .map((id) => call.ids.eq(id))
    .reduce((any, one) => any.or(one));
  return where(marked.unsqueeze(2), call.input(SOFT_INPUT), tokens);
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
