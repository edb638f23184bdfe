// Carries out a plan: model after model, try after try, until one answers or nothing is left. A stream counts as answered with
// its first content; before that everything may be tried again, afterwards nothing is, or the client would see text twice.
import {
  backoffMs,
  type ChatChunk,
  pause,
  ProviderError,
  type ChatReply,
  type JsonObject,
} from '../../providers/index.ts';
import { GatewayError } from './gateway-error.ts';
import type { Plan, PlannedArm } from './plan.ts';
import { bodyFor } from './pool.ts';

/** One try, as it is told to clients and kept in the log. */
export interface Attempt {
  readonly arm: string;
  /** HTTP status of the upstream, where it sent one. */
  readonly status: number | undefined;
  readonly outcome: string;
  readonly ms: number;
}

export interface RunOptions {
  readonly maxArms: number;
  readonly retries: number;
  readonly maxCostRatio: number;
  readonly fallback: boolean;
  readonly signal: AbortSignal;
  readonly now: () => number;
  readonly uniform: () => number;
  /** Redacts text of upstream errors. */
  readonly redact: (value: unknown) => unknown;
  /** Called before a model is asked and told how it ended: budgets. Throws to refuse. */
  readonly hold: (planned: PlannedArm) => Promise<{ release(): Promise<void> }>;
}

export interface Answered<T> {
  readonly planned: PlannedArm;
  readonly value: T;
  readonly attempts: readonly Attempt[];
  /** True when it is not the model that was chosen first. */
  readonly fellBack: boolean;
  /** Gives back the place at the provider; called once, when the answer is whole. */
  readonly leave: () => void;
}

/** A stream whose first content has arrived. */
export interface OpenStream {
  /** Up to and including the first content. */
  readonly first: readonly ChatChunk[];
  readonly rest: AsyncIterator<ChatChunk>;
}

export function runWhole(plan: Plan, body: JsonObject, options: RunOptions): Promise<Answered<ChatReply>> {
  return tryArms(plan, options, ({ arm }) =>
    arm.provider.chat({ body: bodyFor(arm, body) as JsonObject, signal: options.signal }),
  );
}

export function runStream(plan: Plan, body: JsonObject, options: RunOptions): Promise<Answered<OpenStream>> {
  return tryArms(plan, options, async ({ arm }) => {
    const chunks = await arm.provider.stream({ body: bodyFor(arm, body) as JsonObject, signal: options.signal });
    const rest = chunks[Symbol.asyncIterator]();
    const first: ChatChunk[] = [];
    for (;;) {
      const { done, value } = await rest.next();
      if (done === true) return { first, rest };
      first.push(value);
      if (value.content) return { first, rest };
    }
  });
}

/**
 * @throws GatewayError `upstream_failed`, `timeout`, `invalid_request` (the upstream's own word on the request), and what
 * `hold` throws
 */
async function tryArms<T>(
  plan: Plan,
  options: RunOptions,
  work: (planned: PlannedArm) => Promise<T>,
): Promise<Answered<T>> {
  const attempts: Attempt[] = [];
  const chosen = plan.arms[0]!;
  let last: unknown;
  for (const [index, planned] of candidates(plan, options).entries()) {
    const { arm } = planned;
    const before = options.now();
    if (!arm.breaker.allow(before)) {
      attempts.push({ arm: arm.id, status: undefined, outcome: 'resting', ms: 0 });
      continue;
    }
    if (arm.gate.full) {
      arm.breaker.release();
      attempts.push({ arm: arm.id, status: undefined, outcome: 'queue full', ms: 0 });
      last = new GatewayError('rate_limited', `Expected room for a call to ${arm.id}, got a full queue.`, {
        status: 429,
        retryAfter: 1,
        hint: 'Try again in a second.',
      });
      continue;
    }
    let hold: { release(): Promise<void> };
    try {
      hold = await options.hold(planned);
    } catch (error) {
      arm.breaker.release();
      // A dearer fallback that the budget refuses is no reason to forget why the first model failed.
      if (index === 0 || last === undefined) throw error;
      attempts.push({ arm: arm.id, status: undefined, outcome: 'over budget', ms: 0 });
      continue;
    }
    const result = await withRetries(planned, options, attempts, work);
    if (result.ok)
      return { planned, value: result.value, attempts, fellBack: planned !== chosen, leave: () => arm.gate.leave() };
    await hold.release();
    last = result.error;
    if (options.signal.aborted) throw options.signal.reason;
    if (ProviderError.isInstance(last) && (last as ProviderError).remedy === 'client') break;
  }
  throw failure(last, attempts, options);
}

function candidates(plan: Plan, options: RunOptions): PlannedArm[] {
  const [chosen, ...others] = plan.arms;
  if (!options.fallback) return [chosen!];
  const most = chosen!.expectedCost * options.maxCostRatio;
  const within = others.filter((planned) => chosen!.expectedCost === 0 || planned.expectedCost <= most);
  return [chosen!, ...within].slice(0, options.maxArms);
}

async function withRetries<T>(
  planned: PlannedArm,
  options: RunOptions,
  attempts: Attempt[],
  work: (planned: PlannedArm) => Promise<T>,
): Promise<{ ok: true; value: T } | { ok: false; error: unknown }> {
  const { arm } = planned;
  for (let attempt = 0; ; attempt++) {
    const began = options.now();
    let entered = false;
    try {
      await arm.gate.enter(options.signal);
      entered = true;
      const value = await work(planned);
      arm.breaker.succeeded(options.now());
      attempts.push({ arm: arm.id, status: 200, outcome: 'answered', ms: options.now() - began });
      entered = false; // kept until the answer is whole
      return { ok: true, value };
    } catch (error) {
      const known = ProviderError.isInstance(error) ? (error as ProviderError) : undefined;
      if (known?.unhealthy === true) arm.breaker.failed(options.now());
      else arm.breaker.release();
      attempts.push({
        arm: arm.id,
        status: known?.status,
        outcome: known?.code ?? 'stopped',
        ms: options.now() - began,
      });
      if (options.signal.aborted || known === undefined) return { ok: false, error };
      const again = known.remedy === 'retry' && attempt < options.retries && arm.breaker.allow(options.now());
      if (!again) return { ok: false, error };
      const wait = backoffMs(attempt, known.retryAfterMs, options.uniform);
      if (wait > MAX_WAIT_MS) {
        arm.breaker.release();
        return { ok: false, error };
      }
      await pause(wait, options.signal).catch(() => undefined);
    } finally {
      if (entered) arm.gate.leave();
    }
  }
}

/** Longer waits are left to the client. */
const MAX_WAIT_MS = 8_000;

function failure(last: unknown, attempts: readonly Attempt[], options: RunOptions): unknown {
  if (last instanceof GatewayError) return last;
  if (!ProviderError.isInstance(last)) {
    return (
      last ??
      new GatewayError('upstream_failed', 'Expected a model that answers, got only ones that rest after failures.', {
        status: 503,
        retryAfter: 15,
        attempts,
        hint: 'Wait a little, or look at /metrics.',
      })
    );
  }
  const error = last as ProviderError;
  const upstream = error.upstream === undefined ? {} : { upstream: options.redact(error.upstream) };
  const shared = { attempts, cause: error, ...upstream };
  if (error.remedy === 'client') {
    return new GatewayError(
      'invalid_request',
      `Expected a request that the model accepts, got a refusal (status ${error.status ?? 400}).`,
      {
        status: error.status ?? 400,
        hint: 'The field upstream of this error has the model’s own words.',
        ...shared,
      },
    );
  }
  if (error.code === 'context_length_exceeded') {
    return new GatewayError('context_length_exceeded', error.message, {
      status: 400,
      param: 'messages',
      ...(error.hint === undefined ? {} : { hint: error.hint }),
      ...shared,
    });
  }
  if (error.status === 429) {
    return new GatewayError('rate_limited', 'Expected room at the models of the pool, got their rate limits.', {
      status: 429,
      retryAfter: Math.max(1, Math.ceil((error.retryAfterMs ?? 1_000) / 1000)),
      hint: 'Try again later, or add a model of another provider.',
      ...shared,
    });
  }
  const late = error.code === 'timeout';
  return new GatewayError(
    late ? 'timeout' : 'upstream_failed',
    `${error.message} ${attempts.length} ${attempts.length === 1 ? 'try' : 'tries'} in all.`,
    {
      status: late ? 504 : 502,
      hint: 'The field attempts of this error lists them.',
      ...shared,
    },
  );
}
