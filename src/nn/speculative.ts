// Speculative decoding: a small draft model proposes k tokens, the target scores them all in one pass and keeps as many as
// its own distribution would have drawn. The tokens have exactly the target's distribution, and with temperature 0 they are
// the target's own. Source: Leviathan, Kalman, Matias, "Fast Inference from Transformers via Speculative Decoding" (2023).
import { CairnError } from '../errors.ts';
import { Rng } from '../tensor/index.ts';
import { createDecoder, type DecoderState } from './decoder.ts';
import { promptIds } from './generate.ts';
import type { LanguageModel } from './lm.ts';
import { checkSampling, distribution, drawToken, type SamplingOptions } from './sampling.ts';

export interface SpeculativeOptions extends Omit<SamplingOptions, 'repetitionPenalty' | 'noRepeatNgram'> {
  /** Default 200. */
  readonly maxTokens?: number;
  /** Default 0. */
  readonly seed?: number | string;
  /** Tokens that the draft proposes at a time. Default 4. */
  readonly draftTokens?: number;
  readonly signal?: AbortSignal;
}

export interface SpeculativeResult {
  readonly tokens: readonly number[];
  readonly text: string;
  /** Tokens that the draft proposed, and those of them that were kept. */
  readonly proposed: number;
  readonly accepted: number;
  /** Passes of the target. */
  readonly passes: number;
}

/**
 * Continues a prompt with the tokens of `target`, helped by `draft`, a model over the same tokens.
 * @throws CairnError `bad_draft` when the vocabularies differ, `bad_sampling`, `empty_prompt`
 * @example
 * const { text, accepted, proposed } = await generateSpeculatively(large, small, 'ROMEO:', { maxTokens: 100, seed: 7 });
 */
export async function generateSpeculatively(
  target: LanguageModel,
  draft: LanguageModel,
  prompt: string | readonly number[],
  options: SpeculativeOptions = {},
): Promise<SpeculativeResult> {
  const settings: SpeculativeOptions = { ...target.generation, ...options };
  const { maxTokens = 200, draftTokens = 4, seed = 0, signal } = settings;
  checkSampling(settings);
  if (!Number.isInteger(draftTokens) || draftTokens < 1) {
    throw new CairnError('bad_sampling', `Expected draftTokens to be a positive integer, got ${draftTokens}.`);
  }
  if (draft.config.vocab_size !== target.config.vocab_size) {
    throw new CairnError(
      'bad_draft',
      `Expected a draft with the target's ${target.config.vocab_size} tokens, got ${draft.config.vocab_size}.`,
      { hint: 'Train the draft with the same tokenizer.' },
    );
  }
  const ids = promptIds(target, prompt);
  const start = ids.length;
  const context = Math.min(target.config.max_position_embeddings, draft.config.max_position_embeddings);
  if (start + maxTokens > context) {
    throw new CairnError(
      'context_exceeded',
      `Expected at most ${context} tokens, got ${start} and ${maxTokens} more.`,
      {
        hint: 'Ask for fewer tokens: windows do not move while drafts are checked.',
      },
    );
  }
  const rng = new Rng(seed).fork('speculative');
  const own = { temperature: 1, topK: 0, topP: 1, minP: 0, ...settings };
  const shape = (logits: ArrayLike<number>): Float64Array => distribution(logits, own);
  await using large = createDecoder(target);
  await using small = createDecoder(draft);
  let [proposed, accepted, passes] = [0, 0, 0];
  while (ids.length - start < maxTokens) {
    if (signal?.aborted === true) break;
    const room = Math.min(draftTokens, maxTokens - (ids.length - start) - 1);
    const guesses: number[] = [];
    const q: Float64Array[] = [];
    const marks: DecoderState[] = [];
    for (let i = 0; i < room; i++) {
      q.push(shape(await small.feed([...ids, ...guesses].slice(small.length))));
      marks.push(small.save());
      guesses.push(drawToken(q[i]!, rng));
    }
    // Logits after the last token of the text and after each guess.
    const rows = await large.feedAll([...ids, ...guesses].slice(large.length));
    const p = rows.slice(-(room + 1)).map(shape);
    passes++;
    proposed += room;
    let kept = 0;
    while (kept < room && rng.uniform() * q[kept]![guesses[kept]!]! < p[kept]![guesses[kept]!]!) kept++;
    accepted += kept;
    ids.push(...guesses.slice(0, kept));
    await large.rewind(ids.length);
    // The draft stands behind its last guess but one: go back to where the guesses were kept.
    const mark = marks[Math.min(kept, room - 1)];
    if (mark) small.restore(mark);
    ids.push(drawToken(kept < room ? excess(p[kept]!, q[kept]!) : p[room]!, rng));
  }
  const tokens = ids.slice(start);
  return { tokens, text: target.tokenizer.decode(tokens), proposed, accepted, passes };
}

/** What the target has more of than the draft: where a refused guess is drawn again. */
function excess(p: Float64Array, q: Float64Array): Float64Array {
  const rest = p.map((x, i) => Math.max(0, x - q[i]!));
  return rest.some((x) => x > 0) ? rest : p;
}
