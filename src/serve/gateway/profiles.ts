// Adding a model while the server runs: what it will cost, one tiny call to see that it answers, then a profile on a part of the
// labelled prompts in the background. Every result is kept before the next is asked for, so that a profile that was cancelled or
// interrupted goes on where it stopped; when it is done the model is routed to, without a restart.
import { CairnError } from '../../errors.ts';
import { backoffMs, type ChatReply, isObject, listAt, pause, ProviderError, textAt } from '../../providers/index.ts';
import { worstCase } from './_amounts.ts';
import {
  estimateProfile,
  type ModelInfo,
  type ProfileAnswer,
  type ProfileEstimate,
  profileModel,
  type ProfileResult,
  type PromptRow,
  type PromptRouter,
} from '../../route/index.ts';
import type { ModelConfig } from './config.ts';
import type { Gateway } from './gateway.ts';
import { GatewayError } from './gateway-error.ts';
import { bodyFor, costOf } from './pool.ts';

/** A profile as it stands. */
export interface ProfileView {
  readonly id: string;
  readonly state: 'running' | 'done' | 'failed' | 'cancelled' | 'none';
  readonly done: number;
  readonly most: number;
  /** US dollars spent on it so far, in this run of the server. */
  readonly usd: number;
  readonly estimate?: ProfileEstimate;
  /** Calls that the infrastructure failed: missing, not wrong. */
  readonly failed?: number;
  /** It stopped early, since decisions no longer changed. */
  readonly settled?: boolean;
  readonly why?: string;
}

export interface AddRequest {
  readonly model: unknown;
  /** Spend what the estimate says, also above the limit. */
  readonly yes: boolean;
  /** Say what it would cost and do nothing. */
  readonly dryRun: boolean;
  readonly maxCalls: number;
}

interface Job {
  view: ProfileView;
  readonly control: AbortController;
  ended: Promise<void>;
}

const TRIES = 3;
const CONCURRENCY = 4;

export class Profiles {
  readonly #gateway: Gateway;
  readonly #jobs = new Map<string, Job>();

  constructor(gateway: Gateway) {
    this.#gateway = gateway;
  }

  view(id: string): ProfileView | undefined {
    return this.#jobs.get(id)?.view;
  }

  /**
   * Adds a model of a configured provider and begins to profile it.
   * @throws CairnError `bad_config`; `too_dear` before anything is spent; `busy` while it is being profiled; `model_failed` when it
   * does not answer
   */
  async add({ model: wanted, yes, dryRun, maxCalls }: AddRequest): Promise<ProfileView> {
    const gateway = this.#gateway;
    const model = gateway.checkModel(wanted);
    if (this.#jobs.get(model.id)?.view.state === 'running') {
      throw new CairnError('busy', `Expected one profile of ${model.id} at a time, got a second.`, {
        hint: 'Wait for it, or cancel it first.',
      });
    }
    const plan = await this.#plan(model, maxCalls);
    const limit = gateway.config.routing.profileLimitUsd;
    if (plan.estimate !== undefined && plan.estimate.usd > limit && !yes && !dryRun) {
      throw new CairnError(
        'too_dear',
        `Expected a profile within ${limit} USD, got an estimate of ${plan.estimate.usd.toPrecision(3)} USD for ${plan.estimate.calls} calls.`,
        { hint: 'Send "yes": true to spend it, or fewer calls with "maxCalls".', details: { estimate: plan.estimate } },
      );
    }
    const estimate = plan.estimate === undefined ? {} : { estimate: plan.estimate };
    const first = { id: model.id, done: plan.done.length, most: plan.most, usd: 0, ...estimate };
    const why = plan.why === undefined ? {} : { why: plan.why };
    if (dryRun) return { ...first, state: 'none', ...why };
    const usd = await this.#greet(model);
    await gateway.addModel(model);
    const control = new AbortController();
    const { router } = plan;
    const job: Job = {
      control,
      ended: Promise.resolve(),
      view: { ...first, usd, state: router === undefined ? 'none' : 'running', ...why },
    };
    this.#jobs.set(model.id, job);
    if (router !== undefined) job.ended = this.#profile(job, model, router, plan);
    return job.view;
  }

  /** Stops a profile; what was asked is kept. False when none runs. */
  async cancel(id: string): Promise<boolean> {
    const job = this.#jobs.get(id);
    if (job?.view.state !== 'running') return false;
    job.control.abort(new CairnError('cancelled', 'The profile was cancelled.'));
    await job.ended;
    return true;
  }

  /** Stops a profile and drops all that was asked. */
  async drop(id: string): Promise<void> {
    await this.cancel(id);
    this.#jobs.delete(id);
    const kind = kindOf(id);
    for (const { key } of await this.#gateway.state.list(kind)) await this.#gateway.state.drop(kind, key);
  }

  async close(): Promise<void> {
    await Promise.all([...this.#jobs.keys()].map((id) => this.cancel(id)));
  }

  async #plan(
    model: ModelConfig,
    maxCalls: number,
  ): Promise<{
    router?: PromptRouter;
    prompts: readonly PromptRow[];
    done: readonly ProfileResult[];
    most: number;
    estimate?: ProfileEstimate;
    why?: string;
  }> {
    const router = this.#gateway.fitted;
    const { profile = model.id } = model;
    const none = { prompts: [], done: [], most: 0 };
    if (model.embeddings) return { ...none, why: 'Models for vectors are not routed to.' };
    if (profile !== model.id) return { ...none, why: `It has the profile of ${profile}.` };
    if (router === undefined) return { ...none, why: 'No router is fitted: it can be called by name.' };
    const table = await this.#gateway.readTable();
    if (table === undefined) {
      return {
        ...none,
        why: 'The router keeps no prompt text: name the folder of its table as routing.table to profile models.',
      };
    }
    const labelled = new Set(router.parts.validation.ids);
    const prompts = table.prompts.filter((p) => labelled.has(p.id) && canBeMarked(p));
    if (prompts.length === 0)
      return { ...none, why: 'No labelled prompt of the table has a reference to mark answers against.' };
    const kept = await this.#gateway.state.list(kindOf(model.id));
    const done = kept.map(({ value }) => JSON.parse(value) as ProfileResult).filter((r) => r.score !== undefined);
    const most = Math.min(maxCalls, prompts.length);
    const estimate = estimateProfile(router, infoOf(model), Math.max(0, most - done.length));
    return { router, prompts, done, most, estimate };
  }

  /** One tiny call: does it answer at all? Returns what it cost. */
  async #greet(model: ModelConfig): Promise<number> {
    const pool = this.#gateway.trialPool(model);
    try {
      const arm = pool.arms.get(model.id)!;
      if (model.embeddings) return 0;
      const body = { messages: [{ role: 'user', content: 'Answer with the word yes.' }], max_tokens: 16 };
      const { usd } = await this.#charged(model, 'Answer with the word yes.', 16, () =>
        arm.provider.chat({ body: bodyFor(arm, body) as never, signal: AbortSignal.timeout(30_000) }),
      );
      return usd;
    } catch (cause) {
      if (cause instanceof GatewayError) throw cause;
      const text = CairnError.isInstance(cause) ? cause.message : 'no answer';
      throw new CairnError(
        'model_failed',
        this.#gateway.redact(`Expected an answer of ${model.id}, got a failure: ${text}`),
        {
          hint: 'Check the provider, its key and the name of the model. Nothing was added.',
          cause,
        },
      );
    } finally {
      await pool.close();
    }
  }

  /** A call under the server's budgets: the worst case is reserved, what it took is settled. @throws GatewayError `budget_exceeded` */
  async #charged(
    model: ModelConfig,
    text: string,
    most: number | undefined,
    call: () => Promise<ChatReply>,
  ): Promise<{ reply: ChatReply; usd: number }> {
    const { ledger, config, metrics } = this.#gateway;
    const inTokens = Math.max(1, Math.ceil(text.length / 4));
    const hold = await ledger.reserve(config, { key: undefined, session: undefined }, worstCase(model, inTokens, most));
    try {
      const reply = await call();
      const { usage } = reply;
      const usd = usage === undefined ? 0 : costOf(model, usage);
      const tokens = usage === undefined ? inTokens : usage.promptTokens + usage.completionTokens;
      await hold.settle({ usd, tokens, requests: 1 });
      metrics.spent(model.id, usd);
      return { reply, usd };
    } catch (error) {
      await hold.release();
      throw error;
    }
  }

  async #profile(
    job: Job,
    model: ModelConfig,
    router: PromptRouter,
    plan: { prompts: readonly PromptRow[]; done: readonly ProfileResult[]; most: number },
  ): Promise<void> {
    const { state } = this.#gateway;
    const update = (change: Partial<ProfileView>): void => {
      job.view = { ...job.view, ...change };
    };
    try {
      const report = await profileModel(router, infoOf(model), {
        prompts: plan.prompts,
        done: plan.done,
        maxCalls: plan.most,
        concurrency: CONCURRENCY,
        signal: job.control.signal,
        ask: (prompt, signal) =>
          this.#ask(model, prompt, signal, (usd) => update({ usd: job.view.usd + usd })).catch((error: unknown) => {
            // Nothing more can be asked: what was asked is kept, and the profile goes on when there is money again.
            if (error instanceof GatewayError) job.control.abort(error);
            throw error;
          }),
        keep: (result) => state.put(kindOf(model.id), result.id, JSON.stringify(result)),
        onProgress: (done) => update({ done }),
      });
      await this.#gateway.measured(router, report.arm);
      update({ state: 'done', done: report.calls, failed: report.failed, settled: report.settled });
      this.#gateway.log(`${model.id} was profiled on ${report.calls} prompts and is routed to.`);
    } catch (error) {
      const { aborted, reason } = job.control.signal;
      const cause: unknown = reason instanceof GatewayError ? reason : error;
      const cancelled = aborted && !(reason instanceof GatewayError);
      const why = CairnError.isInstance(cause)
        ? cause.toText()
        : 'Expected no fault here, got one that Cairn does not know.';
      update(cancelled ? { state: 'cancelled' } : { state: 'failed', why: this.#gateway.redact(why) });
      if (!cancelled) this.#gateway.log(`The profile of ${model.id} ended: ${why}`);
    }
  }

  async #ask(
    model: ModelConfig,
    prompt: PromptRow,
    signal: AbortSignal,
    spent: (usd: number) => void,
  ): Promise<ProfileAnswer> {
    const gateway = this.#gateway;
    for (let attempt = 0; ; attempt++) {
      const { pool } = gateway.current;
      const arm = pool.arms.get(model.id);
      if (arm === undefined) throw new CairnError('not_found', `Expected ${model.id} to be in the pool, got none.`);
      pool.enter();
      try {
        await arm.gate.enter(signal);
        try {
          const body = bodyFor(arm, { messages: [{ role: 'user', content: prompt.text }] });
          const { reply, usd } = await this.#charged(model, prompt.text, undefined, () =>
            arm.provider.chat({ body: body as never, signal }),
          );
          spent(usd);
          const choice = listAt(reply.body, 'choices')[0];
          const message = isObject(choice) && isObject(choice['message']) ? choice['message'] : {};
          const { usage } = reply;
          return {
            text: textAt(message, 'content') ?? '',
            ...(usage === undefined ? {} : { outTokens: usage.completionTokens, thoughtTokens: usage.thoughtTokens }),
          };
        } finally {
          arm.gate.leave();
        }
      } catch (error) {
        const again = error instanceof ProviderError && error.remedy === 'retry' && attempt + 1 < TRIES;
        if (!again) throw error;
        await pause(backoffMs(attempt, error.retryAfterMs, gateway.uniform), signal);
      } finally {
        pool.leave();
      }
    }
  }
}

/** Results of a model's profile. */
function kindOf(id: string): string {
  return `profile:${id}`;
}

/** Whether an answer can be marked here: not by a judge or a checker, and not without a reference. */
function canBeMarked({ reference, scorer }: PromptRow): boolean {
  const kind = scorer?.kind ?? 'exact';
  if (kind === 'judge' || kind === 'certificate') return false;
  return reference !== undefined || kind === 'regex' || kind === 'json-schema';
}

function infoOf(model: ModelConfig): ModelInfo {
  return {
    id: model.id,
    price_in_per_mtok: model.priceIn,
    price_out_per_mtok: model.priceOut,
    modalities: model.modalities,
    ...(model.contextTokens === undefined ? {} : { context_tokens: model.contextTokens }),
  };
}
