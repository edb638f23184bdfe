// Features of an ask for answers by likeness: the fitted router's own (computed here, lexical), or a configured embeddings model's.
import { countAt, isObject, listAt, objectAt, toAbortSignal } from '../../../providers/index.ts';
import type { CacheConfig } from '../config.ts';
import type { Spender } from '../ledger.ts';
import type { Ledger } from '../ledger.ts';
import { fitOf } from '../learning.ts';
import type { Pool } from '../pool.ts';
import type { PromptPool } from '../prompt-pool.ts';

export interface AskVector {
  /** Vectors of one name may be compared. */
  readonly features: string;
  /** Unit length. */
  readonly vector: Float32Array;
}

/** An endpoint that takes longer is not waited for. */
const EMBED_MS = 1_000;

export interface AskVectorInput {
  readonly semantic: CacheConfig['semantic'];
  readonly pool: Pool;
  readonly prompts: PromptPool | undefined;
  readonly ledger: Ledger;
  readonly spender: Spender;
  readonly signal: AbortSignal;
  /** Hears what an endpoint's vector cost. */
  readonly spent: (model: string, usd: number) => void;
}

/** The vector of an ask; undefined when there is none to be had: no router, an endpoint that fails, text without features. */
export async function askVector(ask: string, input: AskVectorInput): Promise<AskVector | undefined> {
  const { semantic, prompts } = input;
  if (semantic.features !== 'router') return remoteVector(ask, input);
  if (prompts === undefined) return undefined;
  const { router } = prompts;
  const vector = unit(router.embed(ask));
  return vector === undefined ? undefined : { features: `${router.parts.encoder.id}/${fitOf(router)}`, vector };
}

async function remoteVector(ask: string, input: AskVectorInput): Promise<AskVector | undefined> {
  const { semantic, pool, ledger, spender } = input;
  const arm = pool.arms.get(semantic.features);
  if (arm?.provider.embed === undefined || arm.breaker.state(Date.now()) === 'open') return undefined;
  const tokens = Math.ceil(ask.length / 4);
  const costs = (n: number): { usd: number; tokens: number; requests: number } => ({
    usd: (n * arm.config.priceIn) / 1e6,
    tokens: n,
    requests: 0,
  });
  const hold = await ledger.reserve(pool.config, spender, costs(tokens));
  try {
    const body = { model: arm.config.model ?? arm.id, input: ask };
    const signal = AbortSignal.any([toAbortSignal(input.signal), AbortSignal.timeout(EMBED_MS)]);
    const answer = await arm.provider.embed({ body, signal });
    const spent = costs(countAt(objectAt(answer, 'usage'), 'prompt_tokens') ?? tokens);
    await hold.settle(spent);
    input.spent(arm.id, spent.usd);
    const first = listAt(answer, 'data')[0];
    const numbers = isObject(first) ? listAt(first, 'embedding') : [];
    const vector = unit(Float32Array.from(numbers, (v) => (typeof v === 'number' ? v : NaN)));
    if (vector === undefined) return undefined;
    return { features: `${arm.config.provider}/${body.model}/${vector.length}`, vector };
  } catch (error) {
    await hold.release();
    if (input.signal.aborted) throw error;
    return undefined;
  }
}

function unit(vector: Float32Array): Float32Array | undefined {
  let square = 0;
  for (const v of vector) square += v * v;
  if (!(square > 1e-6) || !Number.isFinite(square)) return undefined;
  const scale = 1 / Math.sqrt(square);
  return vector.map((v) => v * scale);
}
