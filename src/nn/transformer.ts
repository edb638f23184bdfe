// The decoder-only language model: embedding, a residual stream through inner layers, last norm and head, with the hook
// names of TransformerLens. One builder serves training, evaluation and decoding; blocks are hooked in as lm-call.ts says.
import { CairnError } from '../errors.ts';
import type { Builder, Tensor } from '../tensor/index.ts';
import { embed, head } from './ends.ts';
import { createCall, type ForwardOptions } from './lm-call.ts';
import { type LmConfig, stackCount } from './lm-config.ts';
import { runLayers } from './run-layers.ts';
import { runStacks } from './stagformer/stacks.ts';
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
