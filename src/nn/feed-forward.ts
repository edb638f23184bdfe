// The feed-forward part of an inner layer: what stands between the second norm and the residual. Blocks that replace the
// MLP (experts) are chosen here.
import type { Builder, Tensor } from '../tensor/index.ts';
import { type SparseMoe, sparseMoe } from './experts/index.ts';
import { activate, applyLinear } from './forward.ts';
import type { LmCall } from './lm-call.ts';
import type { LmConfig } from './lm-config.ts';
import { linear } from './module.ts';

/** `x [B, T, d] -> [B, T, d]` under the scope of the layer. */
export function feedForward(b: Builder, call: LmCall, _layer: number, x: Tensor): Tensor {
  const { config } = call;
  if (config.moe_num_experts === undefined) return b.scope('mlp', () => mlp(b, call, x));
  const routed = b.scope('moe', () =>
    sparseMoe(b, moeOf(config), x, {
      training: call.training,
      addLoss: (name, value, weight) => call.addLoss(name, value, weight),
    }),
  );
  return config.moe_shared_expert === true ? routed.add(b.scope('mlp', () => mlp(b, call, x))) : routed;
}

/** The mixture of experts of a config. */
export function moeOf(c: LmConfig): SparseMoe {
  return {
    width: c.hidden_size,
    hidden: c.intermediate_size,
    experts: c.moe_num_experts ?? 1,
    topK: c.moe_top_k ?? 1,
    capacity: c.moe_capacity ?? 1.25,
    act: c.hidden_act,
    gated: c.mlp_gated,
    bias: c.mlp_bias,
    outStd: 0.02 / Math.sqrt(2 * c.num_hidden_layers),
    balance: c.moe_balance ?? 'loss',
  };
}

/** `act(x Wi) Wo`, gated `(act(x Wg) * (x Wi)) Wo`. */
export function mlp(b: Builder, { config: c }: LmCall, x: Tensor): Tensor {
  const { hidden_size: d, intermediate_size: wide, mlp_bias: bias } = c;
  const part = (name: string, from: number, to: number, std: number, y: Tensor): Tensor =>
    b.scope(name, () => applyLinear(b, linear(from, to, { bias, std }), y));
  const up = part('in', d, wide, 0.02, x);
  const gate = c.mlp_gated ? part('gate', d, wide, 0.02, x) : up;
  const act = activate(c.hidden_act, b.tap(b.path('hook_pre'), gate));
  const post = b.tap(b.path('hook_post'), c.mlp_gated ? act.mul(up) : act);
  return part('out', wide, d, 0.02 / Math.sqrt(2 * c.num_hidden_layers), post);
}
