// Attention of a stack to what the stack before it made of earlier positions. With a window of one there is one key, so no
// softmax and no query: the value is added as it is. Its output matrix starts at zero, so that a new model is its last
// stack alone.
import { type Builder, concat, matmul, rope, softmax, type Tensor, zeros } from '../../tensor/index.ts';
import { norm } from '../attention.ts';
import { applyLinear } from '../forward.ts';
import type { LmCall, Span } from '../lm-call.ts';
import { linear } from '../module.ts';

/** What is attended to: the outputs of the stack before. */
export interface CrossMemory {
  /** `[B, M, d]` */
  readonly rows: Tensor;
  /** i32 `[M]`: the positions of the rows. */
  readonly positions: Tensor;
  /** Additive `[T, past + M]`, or undefined when every row may be seen. */
  readonly mask: Tensor | undefined;
  /** Bool `[T, 1]`: whether a position has any row to see; its output is 0 if not. Undefined: all have. */
  readonly some: Tensor | undefined;
}

/**
 * `x [B, T, d] -> [B, T, d]`, under the open scope. Keys and values are cached as `cross.k.<layer>`, `cross.v.<layer>`.
 * @param span the rule of sight, window included
 */
export function crossAttention(
  b: Builder,
  call: LmCall,
  x: Tensor,
  memory: CrossMemory,
  { layer, span }: { readonly layer: number; readonly span: Span },
): Tensor {
  const { config: c } = call;
  const [batch, length, d] = x.shape as [number, number, number];
  const heads = c.num_attention_heads;
  const width = d / heads;
  const tap = (name: string, t: Tensor): Tensor => b.tap(b.path(name), t);
  const source = b.scope('memory_norm', () => norm(b, memory.rows, c.rms_norm_eps, call.splitNorms));
  const project = (name: string, from: Tensor): Tensor => {
    const y = b.scope(name, () => applyLinear(b, linear(d, d, { bias: false }), from));
    return y.reshape([batch, from.shape[1]!, heads, width]).transpose([0, 2, 1, 3]);
  };
  const turn = (t: Tensor, positions: Tensor): Tensor =>
    c.position_embedding === 'rope' ? rope(t, { theta: c.rope_theta, positions }) : t;
  const cached = (name: 'k' | 'v', now: Tensor): Tensor => {
    const past = call.past(`cross.${name}.${layer}`, [batch, heads, -1, width], span);
    const all = past ? concat([past, now], 2) : now;
    call.keep(`cross.${name}.${layer}`, all);
    return all; // [B, heads, S, head]
  };
  const v = cached('v', tap('hook_v', project('v', source)));
  let mixed: Tensor;
  if (span.window === 1) {
    // One row is seen or none: 0 and -1e9 become the weights 1 and 0.
    mixed = memory.mask ? matmul(memory.mask.exp(), v) : v;
  } else {
    const normed = b.scope('norm', () => norm(b, x, c.rms_norm_eps, call.splitNorms));
    const q = turn(tap('hook_q', project('q', normed)), call.positions);
    const k = cached('k', turn(tap('hook_k', project('k', source)), memory.positions));
    let scores = matmul(q, k, { transB: true, alpha: 1 / Math.sqrt(width) });
    if (memory.mask) scores = scores.add(memory.mask);
    const pattern = tap('hook_pattern', softmax(tap('hook_attn_scores', scores))); // [B, heads, T, S]
    mixed = matmul(pattern, v);
  }
  if (memory.some) mixed = mixed.mul(memory.some.cast(x.dtype));
  const z = tap('hook_z', mixed.transpose([0, 2, 1, 3])).reshape([batch, length, d]);
  return b.scope('o', () => matmul(z, b.param(b.path('weight'), [d, d], zeros)));
}
