// The decoder-only base model: pre-norm blocks of causal attention (RoPE or learned positions, grouped key-value heads,
// optional window and soft cap) and an MLP, with the hook names of TransformerLens. One builder serves training,
// evaluation and decoding with a cache; the parts it is made of are in attention.ts.
import { CairnError } from '../errors.ts';
import { addToDim, type Builder, type Tensor } from '../tensor/index.ts';
import { attention, type KeyValue, norm } from './attention.ts';
import type { LmConfig } from './config.ts';
import { activate, applyEmbedding, applyLinear } from './forward.ts';
import { embedding, linear } from './module.ts';

/** The settings that differ from the base model; see `lmConfig`. */
export type LmSettings = Partial<Omit<LmConfig, 'model_type'>> & {
  readonly vocab_size: number;
  readonly hidden_size: number;
  readonly num_hidden_layers: number;
  readonly num_attention_heads: number;
  readonly max_position_embeddings: number;
};

/** Fills in the base model: MLP of four widths with GELU and biases, RoPE, untied head, no window, no soft cap. */
export function lmConfig(settings: LmSettings): LmConfig {
  return {
    model_type: 'cairn_lm',
    architectures: ['CairnForCausalLM'],
    cairn_version: '0.1.0',
    dtype: 'float32',
    num_key_value_heads: settings.num_attention_heads,
    intermediate_size: 4 * settings.hidden_size,
    position_embedding: 'rope',
    rope_theta: 10000,
    rms_norm_eps: 1e-6,
    hidden_act: 'gelu',
    mlp_gated: false,
    mlp_bias: true,
    qk_norm: false,
    attn_logit_softcapping: null,
    sliding_window: null,
    tie_word_embeddings: false,
    ...settings,
  };
}

export interface ForwardOptions {
  /** Keys and values of earlier positions, per layer, `[B, kvHeads, P, head]`; receives what the next call needs. */
  readonly cache?: {
    readonly past: readonly KeyValue[];
    readonly present: KeyValue[];
    /** i32 `[T]`: absolute positions of the new tokens. */
    readonly positions: Tensor;
    /** Additive mask `[T, P + T]`; absent when T is 1 and there is no window. */
    readonly mask?: Tensor;
  };
  /** Computes norms in separate ops, so that `hook_scale` can be patched. */
  readonly splitNorms?: boolean;
  /** Adds `attn.hook_result` per head. */
  readonly headResults?: boolean;
  /** Only the logits of the last position are computed, `[B, 1, V]`. */
  readonly lastOnly?: boolean;
}

/**
 * Logits `[B, T, V]` of token ids `[B, T]`.
 * @throws CairnError `context_exceeded` when T is longer than the model's context.
 */
export function transformerForward(b: Builder, config: LmConfig, ids: Tensor, options: ForwardOptions = {}): Tensor {
  const [, length] = ids.shape as [number, number];
  const { cache } = options;
  if (length > config.max_position_embeddings) {
    throw new CairnError(
      'context_exceeded',
      `Expected at most ${config.max_position_embeddings} tokens, got ${length}.`,
      {
        hint: 'Cut the input, or train with a longer context.',
      },
    );
  }
  const d = config.hidden_size;
  const positions = cache?.positions ?? b.constant(Int32Array.from({ length }, (_, i) => i));
  const table = embedding(config.vocab_size, d);
  let h = b.tap(
    'hook_embed',
    b.scope('embed', () => applyEmbedding(b, table, ids)),
  ); // [B, T, d]
  if (config.position_embedding === 'learned') {
    const rows = b.scope('pos_embed', () => applyEmbedding(b, embedding(config.max_position_embeddings, d), positions));
    h = h.add(b.tap('hook_pos_embed', rows.unsqueeze(0)));
  }
  for (let layer = 0; layer < config.num_hidden_layers; layer++) {
    h = b.scope(`blocks.${layer}`, () => block(b, config, h, positions, options, layer));
  }
  if (options.lastOnly && length > 1) h = h.sliceAxis(1, length - 1);
  h = b.scope('ln_final', () => norm(b, h, config.rms_norm_eps, options.splitNorms));
  if (config.tie_word_embeddings) {
    const w = b.scope('embed', () => b.param(b.path('weight'), [config.vocab_size, d], () => new Float64Array(0)));
    return h.matmul(w, { transB: true });
  }
  return b.scope('unembed', () => applyLinear(b, linear(d, config.vocab_size, { bias: false, std: 0.02 }), h));
}

function block(b: Builder, c: LmConfig, x: Tensor, positions: Tensor, options: ForwardOptions, layer: number): Tensor {
  const tap = (name: string, t: Tensor): Tensor => b.tap(b.path(name), t);
  const eps = c.rms_norm_eps;
  const pre = tap('hook_resid_pre', x);
  const normed = b.scope('ln1', () => norm(b, pre, eps, options.splitNorms));
  const past = options.cache?.past[layer];
  const attended = b.scope('attn', () =>
    attention(b, c, normed, {
      positions,
      ...(past === undefined ? {} : { past }),
      ...(options.cache?.mask === undefined ? {} : { mask: options.cache.mask }),
      ...(options.headResults === undefined ? {} : { headResults: options.headResults }),
    }),
  );
  if (options.cache) options.cache.present.push(attended.present);
  const mid = tap('hook_resid_mid', pre.add(tap('hook_attn_out', attended.out)));
  const input = tap(
    'hook_mlp_in',
    b.scope('ln2', () => norm(b, mid, eps, options.splitNorms)),
  );
  const out = tap(
    'hook_mlp_out',
    b.scope('mlp', () => mlp(b, c, input)),
  );
  return tap('hook_resid_post', mid.add(out));
}

/** `act(x Wi) Wo`, gated `(act(x Wg) * (x Wi)) Wo`. */
function mlp(b: Builder, c: LmConfig, x: Tensor): Tensor {
  const { hidden_size: d, intermediate_size: wide, mlp_bias: bias } = c;
  const part = (name: string, from: number, to: number, std: number, y: Tensor): Tensor =>
    b.scope(name, () => applyLinear(b, linear(from, to, { bias, std }), y));
  const up = part('in', d, wide, 0.02, x);
  const gate = c.mlp_gated ? part('gate', d, wide, 0.02, x) : up;
  const act = activate(c.hidden_act, b.tap(b.path('hook_pre'), gate));
  const post = b.tap(b.path('hook_post'), c.mlp_gated ? act.mul(up) : act);
  return part('out', wide, d, 0.02 / Math.sqrt(2 * c.num_hidden_layers), post);
}

/** Declares the inputs of a decode step: `past.{k,v}.{layer}` with a symbolic length `past`, `positions`, `mask`. */
export function cacheInputs(
  b: Builder,
  c: LmConfig,
  batch: number,
  length: number,
): NonNullable<ForwardOptions['cache']> {
  const past = b.symbol('past');
  const shape = [batch, c.num_key_value_heads, past, c.hidden_size / c.num_attention_heads];
  return {
    past: Array.from({ length: c.num_hidden_layers }, (_, i) => ({
      k: b.input(`past.k.${i}`, shape),
      v: b.input(`past.v.${i}`, shape),
    })),
    present: [],
    positions: b.input('positions', [length], 'i32'),
    ...(length > 1 || c.sliding_window !== null ? { mask: b.input('mask', [length, addToDim(past, length)]) } : {}),
  };
}
