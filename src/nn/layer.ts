// An inner layer F: attention and feed-forward, each with its norm and residual, `[B, T, d] -> [B, T, d]`. It knows nothing
// of the stream around it: AltUp, stacks and plain residual streams call it alike.
import { type Builder, normal, type Tensor } from '../tensor/index.ts';
import { attention, norm } from './attention.ts';
import { feedForward } from './feed-forward.ts';
import { type LmCall, spanOfLayer } from './lm-call.ts';
import { addMemory } from './lm-memory.ts';

export interface LayerOptions {
  /** Runs between attention and feed-forward on the residual: cross-attention, for example. Adds its own residual. */
  readonly between?: (x: Tensor) => Tensor;
}

/**
 * Applies layer `layer` under the open scope.
 * @param layer number of the layer in its stack: names its cache entries and chooses its span
 */
export function innerLayer(b: Builder, call: LmCall, layer: number, x: Tensor, options: LayerOptions = {}): Tensor {
  const tap = (name: string, t: Tensor): Tensor => b.tap(b.path(name), t);
  const eps = call.config.rms_norm_eps;
  const pre = tap('hook_resid_pre', x);
  const normed = b.scope('ln1', () => norm(b, pre, eps, call.splitNorms));
  const attended = b.scope('attn', () => attention(b, call, normed, { layer, span: spanOfLayer(call.config, layer) }));
  const { laurel_rank: rank, post_norms: sandwich = false } = call.config;
  const closing = (name: string, t: Tensor): Tensor =>
    sandwich ? b.scope(name, () => norm(b, t, eps, call.splitNorms)) : t;
  const residual = pre.add(tap('hook_attn_out', closing('ln_attn_post', attended)));
  const beside = rank === undefined ? residual : residual.add(lowRank(b, call, rank, normed)).mul(Math.SQRT1_2);
  const after = tap('hook_resid_mid', beside);
  const mid = options.between?.(after) ?? after;
  const input = tap(
    'hook_mlp_in',
    b.scope(sandwich ? 'ln_mlp' : 'ln2', () => norm(b, mid, eps, call.splitNorms)),
  );
  const out = tap('hook_mlp_out', closing('ln_mlp_post', feedForward(b, call, layer, input)));
  return tap('hook_resid_post', addMemory(b, call, layer, pre, mid.add(out)));
}

/** The learned low-rank branch of LAuReL: `x + rmsNorm(x L R)`. */
function lowRank(b: Builder, call: LmCall, rank: number, x: Tensor): Tensor {
  const d = call.config.hidden_size;
  return b.scope('laurel', () => {
    const left = b.param(b.path('left.weight'), [d, rank], normal(0.02));
    const right = b.param(b.path('right.weight'), [rank, d], normal(0.02));
    return x.add(norm(b, x.matmul(left).matmul(right), call.config.rms_norm_eps, call.splitNorms));
  });
}
