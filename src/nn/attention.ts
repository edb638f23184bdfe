// Multi-head attention with causal masks, RoPE, grouped key-value heads and a cache, and the norm it is fed by. Scores
// are masked with -1e9, not -Infinity: a row without any allowed key would otherwise be NaN.
// RoPE: Su et al., "RoFormer" (2021), pairs (i, i + head/2). Grouped heads: Ainslie et al. (2023).
import {
  type Builder,
  causalMask,
  concat,
  isSymbolic,
  matmul,
  normal,
  ones,
  rmsNorm,
  rope,
  softmax,
  type Tensor,
} from '../tensor/index.ts';
import type { LmConfig } from './config.ts';
import { applyLinear } from './forward.ts';
import { linear } from './module.ts';

/** Keys and values, `[B, kvHeads, S, head]`; keys are rotated already. */
export interface KeyValue {
  readonly k: Tensor;
  readonly v: Tensor;
}

export interface AttentionOptions {
  /** i32 `[T]` */
  readonly positions: Tensor;
  readonly past?: KeyValue;
  /** Additive mask `[T, S]`; default: causal, with the window of the config. */
  readonly mask?: Tensor;
  readonly headResults?: boolean;
}

/** `x [B, T, d] -> out [B, T, d]`, and the keys and values up to here. */
export function attention(
  b: Builder,
  c: LmConfig,
  x: Tensor,
  options: AttentionOptions,
): { out: Tensor; present: KeyValue } {
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
    return c.position_embedding === 'rope' ? rope(y, { theta: c.rope_theta, positions: options.positions }) : y;
  };
  const q = prepare('q', tap('hook_q', project('q', heads)));
  const kNew = prepare('k', tap('hook_k', project('k', shared)));
  const vNew = perHead(tap('hook_v', project('v', shared)));
  const k = options.past ? concat([options.past.k, kNew], 2) : kNew; // [B, shared, S, head]
  const v = options.past ? concat([options.past.v, vNew], 2) : vNew;
  const total = k.shape[2]!;
  // Query heads that share a key-value head lie on the time axis of one product.
  const group = heads / shared;
  const grouped = group === 1 ? q : q.reshape([batch, shared, group * length, width]);
  let scores = matmul(grouped, k, { transB: true, alpha: 1 / Math.sqrt(width) });
  if (group > 1) scores = scores.reshape([batch, heads, length, total]);
  if (c.attn_logit_softcapping !== null) {
    scores = scores
      .mul(1 / c.attn_logit_softcapping)
      .tanh()
      .mul(c.attn_logit_softcapping);
  }
  const mask =
    options.mask ??
    (isSymbolic(total) || length === 1 ? undefined : causalMask(b, length, length, c.sliding_window ?? Infinity));
  if (mask) scores = scores.add(mask);
  const pattern = tap('hook_pattern', softmax(tap('hook_attn_scores', scores))); // [B, heads, T, S]
  const weights = group === 1 ? pattern : pattern.reshape([batch, shared, group * length, total]);
  const mixed = matmul(weights, v).reshape([batch, heads, length, width]);
  const z = tap('hook_z', mixed.transpose([0, 2, 1, 3])); // [B, T, heads, head]
  const std = 0.02 / Math.sqrt(2 * c.num_hidden_layers);
  if (!options.headResults) {
    const out = b.scope('o', () => applyLinear(b, linear(d, d, { bias: false, std }), z.reshape([batch, length, d])));
    return { out, present: { k, v } };
  }
  const w = b.param(b.path('o.weight'), [d, d], normal(std)).reshape([heads, width, d]);
  const result = matmul(z.transpose([0, 2, 1, 3]), w).transpose([0, 2, 1, 3]); // [B, T, heads, d]
  return { out: tap('hook_result', result).sum(2), present: { k, v } };
}

/** RMS norm with a gain; `hook_normalized` is its output, `hook_scale` what it divides by, `[B, T, 1]`. */
export function norm(b: Builder, x: Tensor, eps: number, split = false): Tensor {
  const gain = b.param(b.path('gain'), [x.shape.at(-1)!], ones);
  if (!split) return b.tap(b.path('hook_normalized'), rmsNorm(x, gain, eps));
  const scale = b.tap(b.path('hook_scale'), x.mul(x).mean(-1, true).add(eps).sqrt());
  return b.tap(b.path('hook_normalized'), x.div(scale).mul(gain));
}
