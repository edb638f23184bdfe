// What a weight of a language model is called in model.safetensors, which follows the common layout: matrices are
// [out, in] there and [in, out] in memory. Blocks add the names of their own weights.
import { CairnError } from '../errors.ts';
import type { LmConfig } from './lm-config.ts';

/** Weights below `blocks.<layer>.`, and their names below `model.layers.<layer>.` on disk. */
const INNER: Readonly<Record<string, string>> = {
  'attn.q.weight': 'self_attn.q_proj.weight',
  'attn.k.weight': 'self_attn.k_proj.weight',
  'attn.v.weight': 'self_attn.v_proj.weight',
  'attn.o.weight': 'self_attn.o_proj.weight',
  'attn.q_norm.gain': 'self_attn.q_norm.weight',
  'attn.k_norm.gain': 'self_attn.k_norm.weight',
  'mlp.in.weight': 'mlp.up_proj.weight',
  'mlp.in.bias': 'mlp.up_proj.bias',
  'mlp.gate.weight': 'mlp.gate_proj.weight',
  'mlp.gate.bias': 'mlp.gate_proj.bias',
  'mlp.out.weight': 'mlp.down_proj.weight',
  'mlp.out.bias': 'mlp.down_proj.bias',
  'cross.q.weight': 'cross_attn.q_proj.weight',
  'cross.k.weight': 'cross_attn.k_proj.weight',
  'cross.v.weight': 'cross_attn.v_proj.weight',
  'cross.o.weight': 'cross_attn.o_proj.weight',
  'cross.norm.gain': 'cross_attn.input_layernorm.weight',
  'cross.memory_norm.gain': 'cross_attn.memory_layernorm.weight',
  'moe.router.weight': 'mlp.router.weight',
  'moe.balance': 'mlp.router.balance',
  'moe.in': 'mlp.experts.up_proj',
  'moe.in_bias': 'mlp.experts.up_proj_bias',
  'moe.gate': 'mlp.experts.gate_proj',
  'moe.gate_bias': 'mlp.experts.gate_proj_bias',
  'moe.out': 'mlp.experts.down_proj',
  'moe.out_bias': 'mlp.experts.down_proj_bias',
  'memory.table': 'memory.table',
  'memory.up': 'memory.up',
  'memory.down': 'memory.down',
  'memory.hash.planes': 'memory.hyperplanes',
  'memory.hash.offset': 'memory.hyperplane_offsets',
  'memory.router.weight': 'memory.router.weight',
  'memory.query.weight': 'memory.query_proj.weight',
  'memory.keys': 'memory.keys',
  'memory.concat.weight': 'memory.concat_proj.weight',
  'memory.gate_key.weight': 'memory.gate_proj.weight',
  'ln1.gain': 'input_layernorm.weight',
  'ln2.gain': 'post_attention_layernorm.weight',
  'ln_attn_post.gain': 'post_attention_layernorm.weight',
  'ln_mlp.gain': 'pre_feedforward_layernorm.weight',
  'ln_mlp_post.gain': 'post_feedforward_layernorm.weight',
  'laurel.left.weight': 'laurel.linear_left.weight',
  'laurel.right.weight': 'laurel.linear_right.weight',
  'laurel.gain': 'laurel.post_laurel_norm.weight',
  'per_layer.gate.weight': 'per_layer_input_gate.weight',
  'per_layer.projection.weight': 'per_layer_projection.weight',
  'per_layer.norm.gain': 'post_per_layer_input_norm.weight',
  'altup.router_norm.gain': 'altup.router_norm.weight',
  'altup.modality_router.weight': 'altup.modality_router.weight',
  'altup.prediction_coefs.weight': 'altup.prediction_coefs.weight',
  'altup.correction_coefs.weight': 'altup.correction_coefs.weight',
  'altup.correct_output_scale': 'altup.correct_output_scale',
  'altup.prediction_coefs': 'altup.prediction_coefs',
  'altup.correction_coefs': 'altup.correction_coefs',
  'altup.sequence_own': 'altup.sequence_own',
  'altup.sequence_anchor': 'altup.sequence_anchor',
  'altup.sequence_correction': 'altup.sequence_correction',
};
/** Weights outside the layers. */
const OUTER: Readonly<Record<string, string>> = {
  'embed.weight': 'model.embed_tokens.weight',
  'pos_embed.weight': 'model.embed_positions.weight',
  'ln_final.gain': 'model.norm.weight',
  'unembed.weight': 'lm_head.weight',
  'embed_per_layer.weight': 'model.embed_tokens_per_layer.weight',
  'per_layer_model.weight': 'model.per_layer_model_projection.weight',
  'per_layer_model_norm.gain': 'model.per_layer_projection_norm.weight',
  'combine.weight': 'model.stack_combination.weight',
};

/** The name of a weight in model.safetensors, and whether it is transposed there. */
export function fileName(name: string): { name: string; transposed: boolean } {
  const inner = /^(?:stacks\.(\d+)\.)?blocks\.(\d+)\.(.+)$/.exec(name);
  const soft = /^(image|audio)\.(.+)$/.exec(name);
  if (soft)
    return {
      name: `model.${soft[1]}_encoder.${soft[2]}`,
      transposed: /(in|out|ffn\d\.\w+|attn\.\w+)\.weight$/.test(name),
    };
  const found = inner ? INNER[inner[3]!] : (OUTER[name] ?? mapName(name));
  if (found === undefined)
    throw new CairnError('bad_weights', `Expected a weight of the language model, got \`${name}\`.`);
  const transposed = name.endsWith('.weight') && !/^((pos_)?embed|embed_per_layer|combine)\./.test(name);
  const stack = inner?.[1] === undefined ? '' : `stacks.${inner[1]}.`;
  return { name: inner ? `model.${stack}layers.${inner[2]}.${found}` : found, transposed };
}

const JOINT = /^((?:stacks\.\d+\.)?)(altup\.(?:prediction|correction)_coefs)$/;

/**
 * A weight that lies together for all layers in memory, as a vector, and by layer on disk: the names of its parts there, and
 * their shape. Undefined for other weights.
 */
export function layerFiles(
  name: string,
  config: Pick<LmConfig, 'num_hidden_layers' | 'altup_num_inputs'>,
): { names: string[]; shape: number[] } | undefined {
  const found = JOINT.exec(name);
  if (!found) return undefined;
  const { num_hidden_layers: length, altup_num_inputs: k = 1 } = config;
  const names = Array.from({ length }, (_, i) => fileName(`${found[1]}blocks.${i}.${found[2]}`).name);
  return { names, shape: name.endsWith('prediction_coefs') ? [k, k] : [k] };
}

/** The maps between one width and several streams are numbered. */
function mapName(name: string): string | undefined {
  const map = /^altup_(projection|unembed)\.(\d+)\.weight$/.exec(name);
  if (!map) return undefined;
  return `model.altup_${map[1] === 'unembed' ? 'unembed_' : ''}projections.${map[2]}.weight`;
}
