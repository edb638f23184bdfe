// config.json of a language model: the base model's keys, the keys that switch architecture blocks on, and every rule
// between keys in one place. Optional keys are absent in plain models, so their files stay as they were.
import { z } from 'zod';
import { CairnError } from '../errors.ts';
import { SOFT_RULES, softShape } from './lm-soft-config.ts';

const count = z.int().min(1).max(1_000_000_000);
const small = z.int().min(1).max(65_536);
const whole = z.int().min(0).max(65_536);

/** Keys every model file shares. */
export const commonShape = {
  architectures: z.array(z.string()),
  cairn_version: z.string(),
  dtype: z.literal('float32'),
};

/** AltUp (arXiv 2301.13310), see altup.ts. */
const altupShape = {
  /** Width factor K of the residual stream; 1 or absent: a plain stream. */
  altup_num_inputs: small.exactOptional(),
  /** Which of the K streams a layer works on: layer mod K, or always the first. */
  altup_schedule: z.enum(['alternating', 'same']).exactOptional(),
  /** One embedding copied K times and the mean of the streams at the end, instead of K-fold width. */
  altup_recycled: z.boolean().exactOptional(),
  /** Learned numbers, or functions of the token as in Gemma 3n, where the layer always works on the first stream. */
  altup_coefficients: z.enum(['scalar', 'dynamic']).exactOptional(),
  /** Dynamic form: bound of the coefficient weights. */
  altup_coef_clip: z.number().positive().exactOptional(),
  /** Dynamic form: a learned scale before the per-layer embedding's gate. */
  altup_correct_scale: z.boolean().exactOptional(),
  /** Sequence form: inner layers run on every k-th position only. 1 or absent: on all. */
  altup_sequence_stride: small.exactOptional(),
};

/** Tables that are looked up instead of computed, see memory-tables/. */
const memoryShape = {
  /** How a position finds its rows; absent: no tables. */
  memory_lookup: z.enum(['token', 'ngram', 'lsh', 'softmax', 'product']).exactOptional(),
  /** Rows of a table. By token there are vocab_size. */
  memory_entries: count.exactOptional(),
  /** Tokens of an n-gram. Default 2. */
  memory_ngram: z.int().min(1).max(16).exactOptional(),
  /** Rows of a position: hashes of its n-gram (default 1), hashed tables (default 1), product keys found (default 4). */
  memory_reads: z.int().min(1).max(64).exactOptional(),
  /** Rows of several hashes are summed (default), or joined, each with a part of the width out of a table of its own. */
  memory_combine: z.enum(['sum', 'concat']).exactOptional(),
  /** Rows are added to a layer's output (default), joined to its input, or used as small networks. */
  memory_consume: z.enum(['add', 'concat', 'expert']).exactOptional(),
  /** Hidden units of a row used as a network. Default 8. */
  memory_rank: small.exactOptional(),
  /** Scales what was read by how well it fits the layer's input. Default false. */
  memory_gate: z.boolean().exactOptional(),
  /** Layers that have a table; absent: all. */
  memory_layers: z.array(whole).exactOptional(),
};

/** StagFormer (arXiv 2501.15665), see stagformer/stacks.ts. */
const stagShape = {
  /** Stacks of `num_hidden_layers` layers each; 1 or absent: the plain transformer. */
  stag_num_stacks: z.int().min(1).max(64).exactOptional(),
  /** Later stacks use the weights of the first and add their cross-attention. */
  stag_shared: z.boolean().exactOptional(),
  /** Positions of the stack before that are seen; null or absent: all earlier ones. */
  stag_cross_window: count.nullable().exactOptional(),
  /** 1 or absent: only earlier positions are seen, so stacks can run at once. 0: the own position too. */
  stag_stagger: z.union([z.literal(0), z.literal(1)]).exactOptional(),
  /** The head reads a learned combination of all stacks instead of the last one. */
  stag_combine: z.boolean().exactOptional(),
};

/** Mixtures of experts in place of the MLP, see experts/sparse-moe.ts. */
const moeShape = {
  /** Networks of `intermediate_size`; absent: one MLP. */
  moe_num_experts: small.exactOptional(),
  /** Experts of a token. Default 1. */
  moe_top_k: small.exactOptional(),
  /** Tokens an expert takes in training, relative to an even spread. Default 1.25; otherwise no token is dropped. */
  moe_capacity: z.number().positive().exactOptional(),
  /** An MLP for all tokens beside the experts. */
  moe_shared_expert: z.boolean().exactOptional(),
  /** Even loads by an auxiliary loss (default) or by a bias of the choice that training nudges. */
  moe_balance: z.enum(['loss', 'bias']).exactOptional(),
};

/** Long context and the remaining forms of Gemma 3n. */
const contextShape = {
  /** Every n-th layer sees the whole context, the others `sliding_window`; absent: the window holds for all layers. */
  sliding_window_pattern: small.exactOptional(),
  /** The last n layers use the keys and values of the last layer before them that sees as far. */
  num_kv_shared_layers: whole.exactOptional(),
  /** Rank of the learned low-rank branch beside attention (LAuReL); absent: none. */
  laurel_rank: small.exactOptional(),
  /** Width of the per-layer embeddings; absent: none. */
  hidden_size_per_layer_input: small.exactOptional(),
  /** Norms after attention and MLP as well as before. */
  post_norms: z.boolean().exactOptional(),
  /** Values are normed per head, without a gain. */
  v_norm: z.boolean().exactOptional(),
  /** Factor of the attention scores; absent: one over the root of the head width. */
  attn_scale: z.number().positive().exactOptional(),
  /** Factor of the embedded tokens. */
  embed_scale: z.number().positive().exactOptional(),
  /** RoPE base of layers with a window where windows and full layers mix. */
  rope_local_theta: z.number().positive().exactOptional(),
  final_logit_softcapping: z.number().positive().exactOptional(),
};

export const lmShape = {
  model_type: z.literal('cairn_lm'),
  ...commonShape,
  vocab_size: count,
  hidden_size: small,
  num_hidden_layers: z.int().min(1).max(1024),
  num_attention_heads: small,
  num_key_value_heads: small,
  intermediate_size: small,
  max_position_embeddings: count,
  position_embedding: z.enum(['rope', 'learned']),
  rope_theta: z.number().positive(),
  rms_norm_eps: z.number().positive(),
  hidden_act: z.enum(['gelu', 'silu', 'relu-squared']),
  mlp_gated: z.boolean(),
  mlp_bias: z.boolean(),
  qk_norm: z.boolean(),
  attn_logit_softcapping: z.number().positive().nullable(),
  sliding_window: count.nullable(),
  tie_word_embeddings: z.boolean(),
  ...altupShape,
  ...memoryShape,
  ...stagShape,
  ...moeShape,
  ...contextShape,
  ...softShape,
};

export type LmConfig = z.infer<z.ZodObject<typeof lmShape, z.core.$strip>>;

/** The settings that differ from the base model; see `lmConfig`. */
export type LmSettings = Partial<Omit<LmConfig, 'model_type'>> & {
  readonly vocab_size: number;
  readonly hidden_size: number;
  readonly num_hidden_layers: number;
  readonly num_attention_heads: number;
  readonly max_position_embeddings: number;
};

/**
 * Fills in the base model: MLP of four widths with GELU and biases, RoPE, untied head, no window, no soft cap.
 * @example
 * lmConfig({ vocab_size: 65, hidden_size: 64, num_hidden_layers: 4, num_attention_heads: 4, max_position_embeddings: 64,
 *   altup_num_inputs: 2 });
 */
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

/** A relation between keys: what `key` is expected to do, and whether it does. */
interface Rule {
  readonly key: keyof LmConfig;
  readonly expected: (c: LmConfig) => string;
  readonly holds: (c: LmConfig) => boolean;
}

const RULES: readonly Rule[] = [
  {
    key: 'num_attention_heads',
    expected: (c) => `divide hidden_size ${c.hidden_size}`,
    holds: (c) => c.hidden_size % c.num_attention_heads === 0,
  },
  {
    key: 'num_key_value_heads',
    expected: (c) => `divide num_attention_heads ${c.num_attention_heads}`,
    holds: (c) => c.num_attention_heads % c.num_key_value_heads === 0,
  },
  {
    key: 'hidden_size',
    expected: () => 'give an even head width for RoPE',
    holds: (c) => c.position_embedding !== 'rope' || (c.hidden_size / c.num_attention_heads) % 2 === 0,
  },
  ...needs('altup_num_inputs', (c) => (c.altup_num_inputs ?? 1) > 1, 'be at least 2', [
    'altup_schedule',
    'altup_recycled',
    'altup_coefficients',
  ]),
  {
    key: 'altup_sequence_stride',
    expected: () => 'be absent or 1 where altup_num_inputs is above 1',
    holds: (c) => (c.altup_sequence_stride ?? 1) === 1 || (c.altup_num_inputs ?? 1) === 1,
  },
  ...(['sliding_window', 'num_kv_shared_layers', 'sliding_window_pattern'] as const).map((key) => ({
    key,
    expected: () => 'be absent where altup_sequence_stride is above 1',
    holds: (c: LmConfig) => (c.altup_sequence_stride ?? 1) === 1 || (c[key] ?? null) === null,
  })),
  {
    key: 'num_hidden_layers',
    expected: () =>
      'be at least 3 where altup_sequence_stride is above 1: the first and the last layer see all positions',
    holds: (c) => (c.altup_sequence_stride ?? 1) === 1 || c.num_hidden_layers >= 3,
  },
  {
    key: 'altup_sequence_stride',
    expected: () => 'be absent or 1 where stag_num_stacks is above 1',
    holds: (c) => (c.altup_sequence_stride ?? 1) === 1 || stackCount(c) === 1,
  },
  {
    key: 'altup_sequence_stride',
    expected: (c) => `be at most max_position_embeddings ${c.max_position_embeddings}`,
    holds: (c) => (c.altup_sequence_stride ?? 1) <= c.max_position_embeddings,
  },
  ...needs('altup_coefficients', (c) => c.altup_coefficients === 'dynamic', 'be "dynamic"', [
    'altup_coef_clip',
    'altup_correct_scale',
    'hidden_size_per_layer_input',
  ]),
  ...needs('altup_coefficients', (c) => c.altup_coefficients !== 'dynamic', 'be absent or "scalar"', [
    'altup_recycled',
    'altup_schedule',
  ]),
  ...needs('sliding_window_pattern', (c) => c.sliding_window_pattern !== undefined, 'be a number', [
    'rope_local_theta',
  ]),
  ...needs('stag_num_stacks', (c) => (c.stag_num_stacks ?? 1) > 1, 'be at least 2', [
    'stag_shared',
    'stag_cross_window',
    'stag_stagger',
    'stag_combine',
  ]),
  ...memoryRules(),
  ...needs('moe_num_experts', (c) => c.moe_num_experts !== undefined, 'be a number', [
    'moe_top_k',
    'moe_capacity',
    'moe_shared_expert',
    'moe_balance',
  ]),
  {
    key: 'moe_top_k',
    expected: (c) => `be at most moe_num_experts ${c.moe_num_experts}`,
    holds: (c) => (c.moe_top_k ?? 1) <= (c.moe_num_experts ?? Infinity),
  },
  {
    key: 'moe_balance',
    expected: () => 'be "loss" where stag_shared is true: the bias is nudged once a step',
    holds: (c) => c.moe_balance !== 'bias' || c.stag_shared !== true,
  },
  ...SOFT_RULES,
  ...needs('sliding_window', (c) => c.sliding_window !== null, 'be a number', ['sliding_window_pattern']),
  {
    key: 'num_kv_shared_layers',
    expected: (c) => `leave a layer of each kind that it is shared from among num_hidden_layers ${c.num_hidden_layers}`,
    holds: (c) => {
      const first = c.num_hidden_layers - (c.num_kv_shared_layers ?? 0);
      if (first < 1) return false;
      const kinds = (from: number, to: number): Set<boolean> =>
        new Set(Array.from({ length: to - from }, (_, i) => seesAll(c, from + i)));
      const own = kinds(0, first);
      return [...kinds(first, c.num_hidden_layers)].every((kind) => own.has(kind));
    },
  },
];

function memoryRules(): Rule[] {
  const rule = (
    key: keyof LmConfig,
    lookups: readonly (LmConfig['memory_lookup'] | 'all')[],
    expected: (c: LmConfig) => string,
    holds: (c: LmConfig) => boolean,
  ): Rule => ({
    key,
    expected,
    holds: (c) =>
      c.memory_lookup === undefined || !(lookups.includes('all') || lookups.includes(c.memory_lookup)) || holds(c),
  });
  const entries = (c: LmConfig): number => c.memory_entries ?? 0;
  const given = (c: LmConfig): string => `be given where memory_lookup is "${c.memory_lookup}"`;
  return [
    ...needs('memory_lookup', (c) => c.memory_lookup !== undefined, 'be given', [
      'memory_entries',
      'memory_ngram',
      'memory_reads',
      'memory_combine',
      'memory_consume',
      'memory_rank',
      'memory_gate',
      'memory_layers',
    ]),
    ...needs('memory_lookup', (c) => c.memory_lookup === 'ngram', 'be "ngram"', ['memory_ngram', 'memory_combine']),
    ...needs('memory_consume', (c) => c.memory_consume === 'expert', 'be "expert"', ['memory_rank']),
    rule('memory_entries', ['ngram', 'lsh', 'softmax', 'product'], given, (c) => c.memory_entries !== undefined),
    rule(
      'memory_entries',
      ['token'],
      () => 'be absent: by token there is a row a token',
      (c) => c.memory_entries === undefined,
    ),
    rule(
      'memory_entries',
      ['lsh'],
      () => 'be a power of two',
      (c) => Number.isInteger(Math.log2(entries(c))),
    ),
    rule(
      'memory_entries',
      ['product'],
      () => 'be a square',
      (c) => Number.isInteger(Math.sqrt(entries(c))),
    ),
    rule(
      'hidden_size',
      ['product'],
      () => 'be even for product keys',
      (c) => c.hidden_size % 2 === 0,
    ),
    rule(
      'memory_reads',
      ['product'],
      (c) => `be at most the root of memory_entries ${entries(c)}`,
      (c) => (c.memory_reads ?? 4) <= Math.sqrt(entries(c)),
    ),
    rule(
      'memory_reads',
      ['token', 'softmax'],
      () => 'be absent or 1: these lookups read one row',
      (c) => (c.memory_reads ?? 1) === 1,
    ),
    rule(
      'memory_reads',
      ['ngram'],
      (c) => `divide hidden_size ${c.hidden_size} where memory_combine is "concat"`,
      (c) => c.memory_combine !== 'concat' || c.hidden_size % (c.memory_reads ?? 1) === 0,
    ),
    rule(
      'memory_combine',
      ['ngram'],
      () => 'be absent or "sum" where rows are networks',
      (c) => c.memory_combine !== 'concat' || c.memory_consume !== 'expert',
    ),
    rule(
      'memory_gate',
      ['all'],
      () => 'be absent or false where rows are networks',
      (c) => c.memory_gate !== true || c.memory_consume !== 'expert',
    ),
    rule(
      'memory_layers',
      ['all'],
      (c) => `name layers below num_hidden_layers ${c.num_hidden_layers}`,
      (c) => (c.memory_layers ?? []).every((layer) => layer < c.num_hidden_layers),
    ),
  ];
}

/** `keys` may only be there when another key switches their block on. */
function needs(
  key: keyof LmConfig,
  on: (c: LmConfig) => boolean,
  expected: string,
  keys: readonly (keyof LmConfig)[],
): Rule[] {
  return keys.map((user) => ({
    key,
    expected: () => `${expected} where ${user} is given`,
    holds: (c: LmConfig) => c[user] === undefined || on(c),
  }));
}

/** Number of stacks of layers; 1 is the plain transformer. */
export function stackCount(c: LmConfig): number {
  return c.stag_num_stacks ?? 1;
}

/** Whether a layer attends to the whole context where windows are mixed with full layers; the last of each group does. */
export function seesAll(c: LmConfig, layer: number): boolean {
  const pattern = c.sliding_window_pattern;
  if (c.sliding_window === null) return true;
  return pattern !== undefined && (layer + 1) % pattern === 0;
}

/**
 * Checks what a schema cannot: keys that contradict each other.
 * @throws CairnError `bad_config` naming the key
 */
export function checkLmConfig(c: LmConfig): void {
  for (const { key, expected, holds } of RULES) {
    if (holds(c)) continue;
    const got = c[key] === undefined ? 'nothing' : String(JSON.stringify(c[key])).slice(0, 60);
    throw new CairnError('bad_config', `Expected key \`${key}\` of config.json to ${expected(c)}, got ${got}.`, {
      hint: 'Correct one of the keys.',
      details: { key },
    });
  }
}
