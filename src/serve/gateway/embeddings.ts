// Vectors for texts: of a configured model, or the router's own lexical features. Counted whatever becomes of them.
import { countAt, isObject, type JsonObject, type JsonValue, listAt, objectAt } from '../../providers/index.ts';
import type { Gateway } from './gateway.ts';
import { GatewayError, toGatewayError } from './gateway-error.ts';
import type { ClientKey } from './keys.ts';
import type { Spending } from './ledger.ts';
import type { Arm, Pool } from './pool.ts';

/** The router's features under the name of a model. */
const LSA = 'cairn/lsa-128';
const MOST_TEXTS = 2_048;

export interface EmbeddingsAnswer {
  readonly answer: JsonObject;
  readonly headers: Readonly<Record<string, string>>;
}

interface Embedded extends EmbeddingsAnswer {
  readonly spent: { readonly tokens: number; readonly usd: number };
}

/** @throws GatewayError `not_fitted`, `invalid_request`, `model_not_found`, `budget_exceeded`, `upstream_failed` */
export async function answerEmbeddings(
  gateway: Gateway,
  body: JsonObject,
  key: ClientKey | undefined,
  signal: AbortSignal,
): Promise<EmbeddingsAnswer> {
  const name = typeof body['model'] === 'string' ? body['model'] : '';
  const arm = name === LSA ? undefined : embedderOf(gateway.current.pool, name, key);
  // Names that nobody configured are not counted one by one: strangers may send as many as they like.
  const model = name === LSA ? LSA : (arm?.id ?? 'none');
  const tokens = tokensOf(body['input']);
  try {
    const answered =
      name === LSA ? ownFeatures(gateway, body, tokens) : await fromModel(gateway, body, arm, key, tokens, signal);
    const { answer, headers, spent } = answered;
    gateway.metrics.embedded({ model, status: 200, key: key?.name, ...spent });
    return { answer, headers };
  } catch (error) {
    const status = signal.aborted ? 499 : toGatewayError(error).status;
    gateway.metrics.embedded({ model, status, key: key?.name, tokens: 0, usd: 0 });
    throw error;
  }
}

function ownFeatures(gateway: Gateway, body: JsonObject, tokens: number): Embedded {
  const { prompts } = gateway.current;
  if (prompts === undefined) {
    throw new GatewayError('not_fitted', 'Expected fitted prompt features, got none.', {
      status: 409,
      hint: 'Fit a router first: cairn route fit.',
    });
  }
  const input = typeof body['input'] === 'string' ? [body['input']] : listAt(body, 'input');
  if (input.length === 0 || input.length > MOST_TEXTS || !input.every((text) => typeof text === 'string')) {
    throw new GatewayError('invalid_request', 'Expected input to be a text or 1 to 2,048 texts.', {
      status: 400,
      param: 'input',
      hint: 'Tokens are not taken.',
    });
  }
  const data = input.map((text: JsonValue, index): JsonObject => ({
    object: 'embedding',
    index,
    embedding: [...prompts.router.embed(String(text))],
  }));
  const usage = { prompt_tokens: tokens, total_tokens: tokens };
  const answer = asAsked({ object: 'list', model: LSA, data, usage }, body);
  return { answer, headers: {}, spent: { tokens, usd: 0 } };
}

async function fromModel(
  gateway: Gateway,
  body: JsonObject,
  arm: Arm | undefined,
  key: ClientKey | undefined,
  estimate: number,
  signal: AbortSignal,
): Promise<Embedded> {
  if (arm?.provider.embed === undefined) {
    throw new GatewayError('model_not_found', 'Expected a model with embeddings, got another name.', {
      status: 404,
      param: 'model',
      hint: 'Configure one with "embeddings": true.',
    });
  }
  const costs = (tokens: number): Spending => ({ usd: (tokens * arm.config.priceIn) / 1e6, tokens, requests: 1 });
  const spender = { key: key?.name, session: undefined };
  const hold = await gateway.ledger.reserve(gateway.current.pool.config, spender, costs(estimate));
  try {
    const answer = await arm.provider.embed({ body: { ...body, model: arm.config.model ?? arm.id }, signal });
    const spent = costs(countAt(objectAt(answer, 'usage'), 'prompt_tokens') ?? estimate);
    await hold.settle(spent);
    return { answer: asAsked(answer, body), headers: { 'x-cairn-model': arm.id.replace(/[^\x20-\x7e]/g, '?') }, spent };
  } catch (error) {
    await hold.release();
    throw signal.aborted
      ? error
      : new GatewayError('upstream_failed', 'Expected vectors from the model, got a failure upstream.', {
          status: 502,
          hint: 'Try again.',
          cause: error,
        });
  }
}

/**
 * The vectors in the form that was asked for: numbers, or single precision in base64. Many servers only know numbers, and OpenAI's own
 * client asks for base64 unless told otherwise and reads nothing else then.
 */
function asAsked(answer: JsonObject, body: JsonObject): JsonObject {
  const base64 = body['encoding_format'] === 'base64';
  const data = listAt(answer, 'data').map((item): JsonValue => {
    if (!isObject(item)) return item;
    const { embedding } = item;
    if (base64 && Array.isArray(embedding)) {
      const { buffer } = Float32Array.from(embedding as readonly number[]);
      return { ...item, embedding: Buffer.from(buffer).toString('base64') };
    }
    if (!base64 && typeof embedding === 'string') {
      const bytes = Uint8Array.from(Buffer.from(embedding, 'base64'));
      return { ...item, embedding: [...new Float32Array(bytes.buffer, 0, bytes.length >> 2)] };
    }
    return item;
  });
  return { ...answer, data };
}

/** The model of this name that has embeddings and that the key may use. */
function embedderOf(pool: Pool, name: string, key: ClientKey | undefined): Arm | undefined {
  if (name === '') return undefined;
  const asked = Object.hasOwn(pool.config.aliases, name) ? pool.config.aliases[name]! : name;
  const arm =
    pool.find(asked) ?? [...pool.arms.values()].find(({ config }) => config.embeddings && config.model === name);
  const may = key?.models === undefined || (arm !== undefined && key.models.includes(arm.id));
  return may && arm?.config.embeddings === true ? arm : undefined;
}

/** About four characters a token; lists of tokens count as what they are written as. */
function tokensOf(input: JsonValue | undefined): number {
  const texts = typeof input === 'string' ? [input] : Array.isArray(input) ? (input as readonly JsonValue[]) : [];
  return texts.reduce<number>((sum, text) => sum + Math.ceil(lengthOf(text) / 4), 0);
}

function lengthOf(text: JsonValue): number {
  return typeof text === 'string' ? text.length : (JSON.stringify(text) ?? '').length;
}
