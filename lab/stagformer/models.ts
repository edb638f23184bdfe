// The models of this experiment: random ones for what does not depend on training, and the sizes that are trained.
import { charTokenizer } from 'cairn/data';
import { type LanguageModel, lmConfig, lmProgram, type LmSettings } from 'cairn/nn';
import { type Executor, ModelState, type Rng } from 'cairn/tensor';

/** As many characters as a small corpus has. */
const ALPHABET = Array.from({ length: 65 }, (_, i) => String.fromCharCode(40 + i)).join('');

/** The trained size: width 64, four heads, context 64. */
export const SMALL = { hidden_size: 64, num_attention_heads: 4, max_position_embeddings: 64 } as const;

/** A model that was never trained, its weights large enough for all parts to matter. */
export function randomModel(settings: Omit<LmSettings, 'vocab_size'>, executor: Executor, rng: Rng): LanguageModel {
  const config = lmConfig({ vocab_size: ALPHABET.length, ...settings } as LmSettings);
  const state = ModelState.init(lmProgram(config, { batch: 1, length: 1 }), rng.fork('weights'));
  const noise = rng.fork('noise');
  const scale = 1 / Math.sqrt(config.hidden_size);
  for (const name of state.names()) {
    const t = state.get(name);
    if (t.shape.length === 2) state.set(name, { ...t, data: t.data.map((x) => x + scale * noise.normal()) });
  }
  return { config, state, executor, tokenizer: charTokenizer(ALPHABET), generation: {} };
}
