// Beam search: the likeliest continuations that a search of bounded width finds. Deterministic; with one beam it is greedy.
import { CairnError } from '../errors.ts';
import { createDecoder, type DecoderState } from './decoder.ts';
import { promptIds, tooLong } from './generate.ts';
import type { LanguageModel } from './lm.ts';
import { softmax } from './sampling.ts';

export interface BeamSearchOptions {
  /** Continuations that are kept at a time. Default 4. */
  readonly numBeams?: number;
  /** Default 50. */
  readonly maxTokens?: number;
  /** Scores are sums of log probabilities divided by length to this power. Default 1; 0 prefers short ones. */
  readonly lengthPenalty?: number;
  readonly eosTokenIds?: readonly number[];
  readonly signal?: AbortSignal;
}

export interface Beam {
  /** Without the end token. */
  readonly tokens: readonly number[];
  readonly text: string;
  /** Sum of log probabilities (nats), the end token included. */
  readonly logprob: number;
  /** `logprob / length^lengthPenalty`, the end token counted. */
  readonly score: number;
  readonly reason: 'eos' | 'length';
}

interface Live {
  readonly tokens: readonly number[];
  readonly logprob: number;
  readonly state: DecoderState;
  /** Log probabilities of the next token. */
  readonly next: Float64Array;
}

/**
 * The best continuations, best first; as many as beams.
 * @throws CairnError `bad_sampling`, `empty_prompt`, `context_exceeded` for a prompt longer than the model's context
 * @example
 * const [best] = await beamSearch(model, 'To be', { numBeams: 4, maxTokens: 20 });
 */
export async function beamSearch(
  model: LanguageModel,
  prompt: string | readonly number[],
  options: BeamSearchOptions = {},
): Promise<Beam[]> {
  const { numBeams = 4, maxTokens = 50, lengthPenalty = 1, eosTokenIds = [], signal } = options;
  for (const [name, value] of Object.entries({ numBeams, maxTokens })) {
    if (!Number.isInteger(value) || value < 1) {
      throw new CairnError('bad_sampling', `Expected ${name} to be a positive integer, got ${value}.`);
    }
  }
  if (!Number.isFinite(lengthPenalty)) {
    throw new CairnError('bad_sampling', `Expected lengthPenalty to be a number, got ${lengthPenalty}.`);
  }
  const ids = promptIds(model, prompt);
  if (ids.length > model.config.max_position_embeddings) throw tooLong(model.config, ids.length);
  await using decoder = createDecoder(model);
  const scoreOf = (logprob: number, length: number): number => logprob / length ** lengthPenalty;
  const extend = async (
    from: DecoderState | undefined,
    ids: readonly number[],
  ): Promise<Pick<Live, 'state' | 'next'>> => {
    if (from) decoder.restore(from);
    const next = softmax(await decoder.feed(ids)).map(Math.log);
    return { state: decoder.save(), next };
  };
  let live: Live[] = [{ tokens: [], logprob: 0, ...(await extend(undefined, ids)) }];
  let done: Beam[] = [];
  const finish = (tokens: readonly number[], logprob: number, length: number, reason: Beam['reason']): void => {
    const text = model.tokenizer.decode(tokens);
    done.push({ tokens, text, logprob, score: scoreOf(logprob, length), reason });
    done = done.toSorted((a, b) => b.score - a.score).slice(0, numBeams);
  };
  for (let length = 1; live.length > 0; length++) {
    signal?.throwIfAborted();
    const best = bestSteps(live, numBeams + eosTokenIds.length * live.length);
    const going: Live[] = [];
    for (const { beam, token, logprob } of best) {
      if (going.length === numBeams) break;
      const { tokens, state } = live[beam]!;
      if (eosTokenIds.includes(token)) finish(tokens, logprob, length, 'eos');
      else if (length === maxTokens) finish([...tokens, token], logprob, length, 'length');
      else going.push({ tokens: [...tokens, token], logprob, ...(await extend(state, [token])) });
    }
    live = length === maxTokens ? [] : going;
    // What is still alive can only lose probability; the longest it may get bounds its score.
    const reach =
      live.length === 0 ? -Infinity : Math.max(...[length, maxTokens].map((n) => scoreOf(live[0]!.logprob, n)));
    if (done.length === numBeams && done.at(-1)!.score >= reach) break;
  }
  return done;
}

/** The likeliest next steps over all beams; the earlier beam and the smaller id first among equals. */
function bestSteps(live: readonly Live[], count: number): { beam: number; token: number; logprob: number }[] {
  const steps = live.flatMap(({ logprob, next }, beam) =>
    Array.from(next, (p, token) => ({ beam, token, logprob: logprob + p })),
  );
  return steps.toSorted((a, b) => b.logprob - a.logprob || a.beam - b.beam || a.token - b.token).slice(0, count);
}
