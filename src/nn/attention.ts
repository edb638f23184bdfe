// Multi-head attention with causal masks, RoPE, grouped key-value heads and a cache, and the norm it is fed by. Scores
// are masked with -1e9, not -Infinity: a row without any allowed key would otherwise be NaN.
// RoPE: Su et al., "RoFormer" (2021), pairs (i, i + head/2). Grouped heads: Ainslie et al. (2023).
import { type Builder, concat, matmul, normal, ones, rmsNorm, rope, softmax, type Tensor } from '../tensor/index.ts';
import { applyLinear } from './forward.ts';
import type { LmCall, Span } from './lm-call.ts';
import type { LmConfig } from './lm-config.ts';
import { linear } from './module.ts';

/** Which layer attends, and how far. */
export interface LayerAttention {
  /** Names the cache entries `k.<layer>` and `v.<layer>`. */
  readonly layer: number;
  readonly span: Span;
}

/**
 * Self-attention `x [B, T, d] -> [B, T, d]`. When decoding, the keys (rotated already) and values `[B, kvHeads, S, head]`
 * of earlier positions come from the cache and go back into it.
 */
export function attention(b: Builder, call: LmCall, x: Tensor, { layer, span }: LayerAttention): Tensor {
  const { config: c } = call;
  const [batch, length, d] = x.shape as [number, number, number];
  const heads = c.num_attention_heads;
  const shared = c.num_key_value_heads;
  const width = d / heads;
  const tap = (name: string, t: Tensor): Tensor => b.tap(b.path(name), t);
  const project = (name: string, n: number): Tensor =>
    b
      .scope(name, () => applyLinear(b, linear(d, n * width, { bias: false, std: 0.02 }), x))
      .reshape([batch, length, n, width]);
  const perHead = (t: Tensor): Tensor => t.transpose([0, 2, 1, 3]); // [B, heads, T, head]
  const prepare = (name: string, t: Tensor): Tensor => {
    const normed = c.qk_norm
      ? b.scope(`${name}_norm`, () => rmsNorm(t, b.param(b.path('gain'), [width], ones), c.rms_norm_eps))
      : t;
    const y = perHead(normed);
    const theta = (span.name === 'local' ? c.rope_local_theta : undefined) ?? c.rope_theta;
    return c.position_embedding === 'rope' ? rope(y, { theta, positions: call.positions }) : y;
  };
  const q = prepare('q', tap('hook_q', project('q', heads)));
  const cached = (name: 'k' | 'v', fresh: () => Tensor): Tensor => {
    const seen = `${name} of ${span.name}`;
    const lent = borrows(c, layer) ? call.shared.get(seen) : undefined;
    if (lent) return lent;
    const now = fresh();
    const past = call.past(`${name}.${layer}`, [batch, shared, -1, width], span);
    const all = past ? concat([past, now], 2) : now;
    call.keep(`${name}.${layer}`, all);
    call.shared.set(seen, all);
    return all; // [B, shared, S, head]
  };
  const k = cached('k', () => prepare('k', tap('hook_k', project('k', shared))));
  const v = cached('v', () => {
    const raw = tap('hook_v', project('v', shared));
    return perHead(c.v_norm === true ? raw.div(raw.mul(raw).mean(-1, true).add(c.rms_norm_eps).sqrt()) : raw);
  });
  const total = k.shape[2]!;
  // Query heads that share a key-value head lie on the time axis of one product.
  const group = heads / shared;
  const grouped = group === 1 ? q : q.reshape([batch, shared, group * length, width]);
  let scores = matmul(grouped, k, { transB: true, alpha: c.attn_scale ?? 1 / Math.sqrt(width) });
  if (group > 1) scores = scores.reshape([batch, heads, length, total]);
  if (c.attn_logit_softcapping !== null) {
    scores = scores
      .mul(1 / c.attn_logit_softcapping)
      .tanh()
      .mul(c.attn_logit_softcapping);
  }
  const mask = call.mask(span);
  if (mask) scores = scores.add(mask);
  const pattern = tap('hook_pattern', softmax(tap('hook_attn_scores', scores))); // [B, heads, T, S]
  const weights = group === 1 ? pattern : pattern.reshape([batch, shared, group * length, total]);
  const mixed = matmul(weights, v).reshape([batch, heads, length, width]);
  const z = tap('hook_z', mixed.transpose([0, 2, 1, 3])); // [B, T, heads, head]
  const std = 0.02 / Math.sqrt(2 * c.num_hidden_layers);
  if (!call.headResults) {
    return b.scope('o', () => applyLinear(b, linear(d, d, { bias: false, std }), z.reshape([batch, length, d])));
  }
  const w = b.param(b.path('o.weight'), [d, d], normal(std)).reshape([heads, width, d]);
  const result = matmul(z.transpose([0, 2, 1, 3]), w).transpose([0, 2, 1, 3]); // [B, T, heads, d]
  return tap('hook_result', result).sum(2);
}

/** The last layers take over the keys and values of the last layer before them with the same span. */
function borrows(c: LmConfig, layer: number): boolean {
  return layer >= c.num_hidden_layers - (c.num_kv_shared_layers ?? 0);
}

/** RMS norm with a gain; `hook_normalized` is its output, `hook_scale` what it divides by, `[B, T, 1]`. */
export function norm(b: Builder, x: Tensor, eps: number, split = false): Tensor {
  const gain = b.param(b.path('gain'), [x.shape.at(-1)!], ones);
  if (!split) return b.tap(b.path('hook_normalized'), rmsNorm(x, gain, eps));
  const scale = b.tap(b.path('hook_scale'), x.mul(x).mean(-1, true).add(eps).sqrt());
  return b.tap(b.path('hook_normalized'), x.div(scale).mul(gain));
}
