// One chat request from its body to its last byte: plan, budget, call, answer, record. Streams are passed on piece by piece with
// the client's own pace; when the client leaves, the call upstream ends.
import { randomUUID } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { type ChatChunk, type ChatUsage, type JsonObject, usageOf } from '../../providers/index.ts';
import { callsTool, estimateUsage, textLength, worstOf } from './_amounts.ts';
import {
  type CacheNote,
  type CacheWish,
  Collector,
  type Hit,
  type Looked,
  replay,
  type Ticket,
} from './answers/index.ts';
import { cacheHeader, costHeaders, type DecisionRecord, hitHeaders, planHeaders, planRecord } from './explain.ts';
import type { Current, Gateway } from './gateway.ts';
import { errorBody, GatewayError, toGatewayError } from './gateway-error.ts';
import type { ClientKey } from './keys.ts';
import type { Hold, Spending } from './ledger.ts';
import { makePlan, mayUse, nameOf, type Plan, type PlannedArm } from './plan.ts';
import { type Arm, costOf } from './pool.ts';
import type { ChatRequest } from './request.ts';
import { type Answered, type OpenStream, runStream, runWhole } from './run.ts';
import { type Session, sessionKey } from './sessions.ts';
import { chatVoice, type Voice } from './voice.ts';

/** What the client may say in headers. */
export interface ChatHeaders {
  readonly session: string | undefined;
  readonly pin: string | undefined;
  readonly maxCostUsd: number | undefined;
  readonly fallback: boolean;
  readonly explainInBody: boolean;
  readonly cache: CacheWish;
}

export interface ChatContext {
  readonly gateway: Gateway;
  readonly request: ChatRequest;
  readonly headers: ChatHeaders;
  readonly key: ClientKey | undefined;
  readonly response: ServerResponse;
  /** Aborted when the client leaves or the server closes. */
  readonly signal: AbortSignal;
  readonly began: number;
  /** How the answer is written; left out: as /v1/chat/completions does. */
  readonly voice?: (id: string) => Voice;
}

/** Answers the request; never throws: what goes wrong becomes the answer. */
export async function answerChat(context: ChatContext): Promise<void> {
  const { gateway } = context;
  const current = gateway.current;
  current.pool.enter();
  try {
    await new Chat(context, current).answer();
  } finally {
    current.pool.leave();
  }
}

class Chat {
  readonly #context: ChatContext;
  readonly #current: Current;
  readonly #id = randomUUID();
  readonly #session: string;
  readonly #voice: Voice;
  #note: CacheNote | undefined;
  #ticket: Ticket | undefined;
  #plan: Plan | undefined;
  #hold: Hold | undefined;
  #upstreamMs = 0;
  #firstByteAt: number | undefined;

  constructor(context: ChatContext, current: Current) {
    this.#context = context;
    this.#current = current;
    const { request, headers } = context;
    this.#session = sessionKey(headers.session, request.body, request.messages);
    this.#voice = context.voice?.(this.#id) ?? chatVoice(this.#id, request.wantsUsage);
  }

  async answer(): Promise<void> {
    try {
      const looked = await this.#look();
      if ('hit' in looked) return await this.#give(looked.hit);
      this.#note = 'ticket' in looked ? looked.ticket.note : looked.note;
      this.#ticket = 'ticket' in looked ? looked.ticket : undefined;
      this.#plan = this.#makePlan(false);
      try {
        await this.#call(this.#plan);
      } catch (error) {
        const over = error instanceof GatewayError && error.code === 'budget_exceeded';
        if (!over || !this.#gateway.ledger.degrades(this.#current.pool.config, this.#spender)) throw error;
        this.#plan = this.#makePlan(true);
        await this.#call(this.#plan);
      }
    } catch (error) {
      await this.#fail(error);
    }
  }

  get #gateway(): Gateway {
    return this.#context.gateway;
  }

  get #spender(): { key: string | undefined; session: string } {
    return { key: this.#context.key?.name, session: this.#session };
  }

  /** Looks for a kept answer. Names that the client may not use are left to the plan, which says so. */
  async #look(): Promise<Looked> {
    const { request, headers, key, signal } = this.#context;
    const { pool, prompts } = this.#current;
    try {
      mayUse(key, request.model);
    } catch {
      return { note: undefined };
    }
    return this.#gateway.answers.look({
      body: request.body,
      name: nameOf(pool, request, headers.pin),
      wish: headers.cache,
      key,
      pool,
      prompts,
      ledger: this.#gateway.ledger,
      spender: this.#spender,
      signal,
      spent: (model, usd) => this.#gateway.metrics.spent(model, usd, key?.name),
    });
  }

  /** Gives a kept answer: it counts as a request and costs nothing. */
  async #give({ completion, arm, note }: Hit): Promise<void> {
    const { request, headers } = this.#context;
    const one = { usd: 0, tokens: 0, requests: 1 };
    await (await this.#gateway.ledger.reserve(this.#current.pool.config, this.#spender, one)).settle(one);
    this.#note = note;
    const usage = usageOf(completion) ?? estimateUsage(request, textLength(completion));
    const { reference, saved } = this.#account(arm, usage, 0);
    const head = { ...hitHeaders(this.#id, arm, note), ...costHeaders(0, saved, reference) };
    if (request.stream) {
      this.#openStream(head);
      for (const chunk of replay(completion)) await this.#write(this.#voice.chunk(chunk));
      if (!this.#context.signal.aborted)
        this.#context.response.end(this.#voice.end(headers.explainInBody ? head : undefined));
    } else this.#sendWhole(completion, head);
    const status = this.#context.signal.aborted ? 499 : 200;
    this.#record(undefined, undefined, { status, by: 'cache', arm, cost: 0, saved, reference });
  }

  #makePlan(degraded: boolean): Plan {
    const { request, headers, key } = this.#context;
    return makePlan({
      request,
      pool: this.#current.pool,
      prompts: this.#current.prompts,
      online: this.#current.online,
      key,
      session: this.#gateway.sessions.get(this.#session),
      pin: headers.pin,
      maxCostUsd: headers.maxCostUsd,
      now: this.#gateway.now(),
      degraded,
    });
  }

  async #call(plan: Plan): Promise<void> {
    const { request, headers, signal } = this.#context;
    const { fallback } = this.#current.pool.config;
    const began = performance.now();
    const options = {
      maxArms: fallback.maxArms,
      retries: fallback.retries,
      maxCostRatio: fallback.maxCostRatio,
      fallback: headers.fallback,
      signal,
      now: this.#gateway.now,
      uniform: this.#gateway.uniform,
      redact: (value: unknown) => this.#gateway.redactValue(value),
      hold: async (planned: PlannedArm) => {
        this.#hold = await this.#gateway.ledger.reserve(
          this.#current.pool.config,
          this.#spender,
          worstOf(planned, request),
        );
        return this.#hold;
      },
    };
    if (request.stream) {
      const answered = await runStream(plan, request.body, options);
      this.#upstreamMs = performance.now() - began;
      await this.#sendStream(plan, answered);
    } else {
      const answered = await runWhole(plan, request.body, options);
      answered.leave();
      this.#upstreamMs = performance.now() - began;
      const { body, text, usage } = answered.value;
      const spent = this.#account(answered.planned.arm, usage ?? estimateUsage(request, textLength(body)));
      await this.#settle(spent);
      this.#remember(plan, answered.planned, body);
      const head = {
        ...planHeaders(this.#id, plan, answered.planned, answered),
        ...cacheHeader(this.#note),
        ...costHeaders(spent.usd, spent.saved, spent.reference),
      };
      this.#sendWhole(body, head, text);
      await this.#keep(plan, answered, body, spent.usd);
      this.#record(plan, answered, {
        status: 200,
        usage: spent.usage,
        cost: spent.usd,
        saved: spent.saved,
        reference: spent.reference,
      });
    }
  }

  async #sendStream(plan: Plan, answered: Answered<OpenStream>): Promise<void> {
    const { response, request, signal, headers } = this.#context;
    const { first, rest } = answered.value;
    const head = { ...planHeaders(this.#id, plan, answered.planned, answered), ...cacheHeader(this.#note) };
    this.#openStream(head);
    let usage: ChatUsage | undefined;
    let pieces = 0;
    let broken: GatewayError | undefined;
    const collector = this.#ticket === undefined ? undefined : new Collector(this.#ticket.maxBytes);
    const send = async (chunk: ChatChunk): Promise<void> => {
      if (chunk.content) pieces++;
      usage = chunk.usage ?? usage;
      collector?.add(chunk);
      await this.#write(this.#voice.chunk(chunk));
    };
    try {
      for (const chunk of first) await send(chunk);
      for (;;) {
        const { done, value } = await rest.next();
        if (done === true) break;
        await send(value);
      }
    } catch (error) {
      if (!signal.aborted) broken = toStreamError(error);
    } finally {
      answered.leave();
      if (signal.aborted || broken !== undefined) await ended(rest);
    }
    const spent = this.#account(answered.planned.arm, usage ?? estimateUsage(request, pieces * 4));
    await this.#settle(spent);
    this.#remember(plan, answered.planned, undefined, broken !== undefined);
    if (!signal.aborted) {
      if (broken !== undefined) response.end(this.#voice.fail(broken));
      else {
        const cost = costHeaders(spent.usd, spent.saved, spent.reference);
        response.end(this.#voice.end(headers.explainInBody ? { ...head, ...cost } : undefined));
        const completion = collector?.completion();
        if (completion !== undefined) await this.#keep(plan, answered, completion, spent.usd);
      }
    }
    this.#record(plan, answered, {
      status: signal.aborted ? 499 : broken === undefined ? 200 : broken.status,
      ...(broken === undefined ? {} : { code: broken.code }),
      usage: spent.usage,
      cost: spent.usd,
      saved: spent.saved,
      reference: spent.reference,
    });
  }

  /** Keeps a fresh answer of the model that was meant to give it. */
  async #keep(plan: Plan, answered: Answered<unknown>, completion: JsonObject, usd: number): Promise<void> {
    if (answered.fellBack || plan.by === 'degraded') return;
    await this.#ticket?.keep(completion, { event: this.#id, arm: answered.planned.arm, usd });
  }

  #openStream(head: Readonly<Record<string, string>>): void {
    this.#context.response.writeHead(200, {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-cache',
      'x-accel-buffering': 'no',
      ...this.#overheadHeader(),
      ...head,
    });
    const text = this.#voice.begin();
    if (text !== '') this.#context.response.write(text);
  }

  /** Writes at the client's pace. */
  async #write(text: string): Promise<void> {
    const { response, signal } = this.#context;
    if (text !== '' && !response.write(text)) await drained(response, signal);
  }

  #account(
    arm: Arm,
    usage: ChatUsage,
    usd = costOf(arm.config, usage),
  ): { usage: ChatUsage; usd: number; saved: number | undefined; reference: Arm | undefined; spending: Spending } {
    const reference = this.#current.pool.reference();
    const saved = reference === undefined ? undefined : costOf(reference.config, { ...usage, cachedTokens: 0 }) - usd;
    return {
      usage,
      usd,
      saved,
      reference,
      spending: { usd, tokens: usage.promptTokens + usage.completionTokens, requests: 1 },
    };
  }

  async #settle({ spending }: { spending: Spending }): Promise<void> {
    const hold = this.#hold;
    this.#hold = undefined;
    await hold?.settle(spending);
  }

  #remember(plan: Plan, planned: PlannedArm, body: JsonObject | undefined, failed = false): void {
    if (plan.by === 'named') return;
    const session: Session = {
      arm: planned.arm.id,
      at: this.#gateway.now(),
      event: this.#id,
      promptTokens: this.#context.request.inTokens,
      unpinned: failed,
      midTool: body !== undefined && callsTool(body),
    };
    this.#gateway.sessions.set(this.#session, session);
  }

  #record(
    plan: Plan | undefined,
    answered: Pick<Answered<unknown>, 'planned' | 'attempts' | 'fellBack'> | undefined,
    end: {
      status: number;
      code?: string;
      by?: DecisionRecord['by'];
      arm?: Arm;
      usage?: ChatUsage;
      cost?: number;
      saved?: number | undefined;
      reference?: Arm | undefined;
    },
  ): void {
    const { request, key, began } = this.#context;
    const ms = performance.now() - began;
    const record: DecisionRecord = {
      id: this.#id,
      at: this.#gateway.now(),
      asked: request.model.slice(0, 120),
      model: (answered?.planned.arm ?? end.arm)?.id ?? 'none',
      ...(plan === undefined ? { by: end.by ?? 'named', arms: [], removed: {} } : planRecord(plan, answered?.planned)),
      ...(this.#note === undefined ? {} : { cache: this.#note }),
      ...(answered?.planned.expectedError === undefined ? {} : { expectedError: answered.planned.expectedError }),
      fellBack: answered?.fellBack ?? false,
      attempts: answered?.attempts ?? [],
      ...(key === undefined ? {} : { key: key.name }),
      stream: request.stream,
      status: end.status,
      ...(end.code === undefined ? {} : { code: end.code }),
      ...(end.usage === undefined
        ? {}
        : {
            promptTokens: end.usage.promptTokens,
            completionTokens: end.usage.completionTokens,
            thoughtTokens: end.usage.thoughtTokens,
          }),
      ...(end.cost === undefined ? {} : { costUsd: end.cost }),
      ...(end.saved === undefined ? {} : { savedUsd: end.saved }),
      ...(end.reference === undefined ? {} : { reference: end.reference.id }),
      ms,
      overheadMs: Math.max(0, (this.#firstByteAt ?? performance.now()) - began - this.#upstreamMs),
    };
    this.#gateway.decided(record);
  }

  async #release(): Promise<void> {
    try {
      await this.#hold?.release();
    } catch (fault) {
      this.#gateway.log(`fault in budgets: ${String(fault)}`);
    }
  }

  async #fail(error: unknown): Promise<void> {
    await this.#release();
    const { response, signal } = this.#context;
    const known = toGatewayError(error);
    if (known.code === 'internal' && !signal.aborted) this.#gateway.log(`fault in chat: ${String(error)}`);
    if (!signal.aborted && !response.headersSent) {
      const extra: Record<string, string> = { 'x-cairn-event': this.#id };
      if (known.retryAfter !== undefined) extra['retry-after'] = String(known.retryAfter);
      this.#sendJson(known.status, errorBody(known), extra);
    } else if (!response.writableEnded) response.destroy();
    const session = this.#gateway.sessions.get(this.#session);
    if (session !== undefined && known.status >= 500)
      this.#gateway.sessions.set(this.#session, { ...session, unpinned: true });
    const attempts = (known.attempts ?? []) as DecisionRecord['attempts'];
    const first = this.#plan?.arms[0];
    this.#record(this.#plan, first === undefined ? undefined : { planned: first, attempts, fellBack: false }, {
      status: signal.aborted ? 499 : known.status,
      code: signal.aborted ? 'client_left' : known.code,
    });
  }

  /** @param text the body as its provider wrote it, if it is to be passed on untouched */
  #sendWhole(body: JsonObject, head: Readonly<Record<string, string>>, text?: string): void {
    const shown = this.#voice.whole(body);
    const { explainInBody } = this.#context.headers;
    if (shown === body && text !== undefined && !explainInBody) this.#sendText(200, text, head);
    else this.#sendJson(200, explainInBody ? { ...shown, cairn: head } : shown, head);
  }

  #sendJson(status: number, body: object, headers: Readonly<Record<string, string>>): void {
    this.#sendText(status, JSON.stringify(body), headers);
  }

  /** Head and body leave in one piece, as text. */
  #sendText(status: number, text: string, headers: Readonly<Record<string, string>>): void {
    this.#context.response.writeHead(status, {
      'content-type': 'application/json',
      'content-length': String(Buffer.byteLength(text)),
      ...this.#overheadHeader(),
      ...headers,
    });
    this.#context.response.end(text);
  }

  #overheadHeader(): Record<string, string> {
    this.#firstByteAt = performance.now();
    const ours = Math.max(0, this.#firstByteAt - this.#context.began - this.#upstreamMs);
    return { 'x-cairn-overhead-ms': ours.toFixed(2) };
  }
}

function toStreamError(error: unknown): GatewayError {
  const known = toGatewayError(error);
  if (known.code !== 'internal') return known;
  return new GatewayError(
    'upstream_failed',
    'Expected the stream to go on, got a break upstream after its beginning.',
    {
      status: 502,
      hint: 'What came before is incomplete. Ask again.',
      cause: error,
    },
  );
}

/** Ends an iteration whose faults are known already. */
async function ended(iterator: AsyncIterator<unknown>): Promise<void> {
  try {
    await iterator.return?.();
  } catch {
    // It broke before, or broke because it was ended.
  }
}

function drained(response: ServerResponse, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      response.off('drain', done);
      signal.removeEventListener('abort', done);
      resolve();
    };
    response.once('drain', done);
    signal.addEventListener('abort', done, { once: true });
    if (signal.aborted) done();
  });
}
