// The decoder-only language model: embedding, a residual stream through inner layers, last norm and head, with the hook
// names of TransformerLens. One builder serves training, evaluation and decoding; blocks are hooked in as lm-call.ts says.
import { CairnError } from '../errors.ts';
import type { Builder, Tensor } from '../tensor/index.ts';
import { norm } from './attention.ts';
import { applyEmbedding, applyLinear } from './forward.ts';
import { createCall, type ForwardOptions, type LmCall } from './lm-call.ts';
import { type LmConfig, stackCount } from './lm-config.ts';
import { embedding, linear } from './module.ts';
import { runLayers } from './run-layers.ts';
import { runStacks } from './stagformer/index.ts';
import { streamOf } from './stream.ts';

/**
 * Logits `[B, T, V]` of token ids `[B, T]`.
 * @throws CairnError `context_exceeded` when T is longer than the model's context.
 */
export function transformerForward(b: Builder, config: LmConfig, ids: Tensor, options: ForwardOptions = {}): Tensor {
  const [, length] = ids.shape as [number, number];
  if (length > config.max_position_embeddings) {
    throw new CairnError(
      'context_exceeded',
      `Expected at most ${config.max_position_embeddings} tokens, got ${length}.`,
      {
        hint: 'Cut the input, or train with a longer context.',
      },
    );
  }
  const call = createCall(b, config, ids, options);
  const stream = streamOf(b, call);
  const embedded = embed(b, call, stream.embedWidth);
  const opened = stream.open(embedded);
  let h =
    stackCount(config) > 1 ? runStacks(b, call, stream, opened) : stream.close(runLayers(b, call, stream, opened));
  if (options.lastOnly && length > 1) h = h.sliceAxis(1, length - 1);
  return head(b, call, h);
}

/** Embedded tokens `[B, T, width]`, with learned positions where the config has them. */
export function embed(b: Builder, { config, ids, positions }: LmCall, width: number): Tensor {
  const table = embedding(config.vocab_size, width);
  const h = b.tap(
    'hook_embed',
    b.scope('embed', () => applyEmbedding(b, table, ids)),
  );
  if (config.position_embedding !== 'learned') return h;
  const places = embedding(config.max_position_embeddings, width);
  const rows = b.scope('pos_embed', () => applyEmbedding(b, places, positions));
  return h.add(b.tap('hook_pos_embed', rows.unsqueeze(0)));
}

/** Logits `[B, T, V]` of `[B, T, width]`: the last norm and the head, which may be the embedding. */
export function head(b: Builder, call: LmCall, x: Tensor): Tensor {
  const { config } = call;
  const width = x.shape.at(-1)!;
  const h = b.scope('ln_final', () => norm(b, x, config.rms_norm_eps, call.splitNorms));
  if (config.tie_word_embeddings) {
    const w = b.scope('embed', () => b.param(b.path('weight'), [config.vocab_size, width], () => new Float64Array(0)));
    return h.matmul(w, { transB: true });
  }
  return b.scope('unembed', () => applyLinear(b, linear(width, config.vocab_size, { bias: false, std: 0.02 }), h));
}
