// Answers that are given again: to the same request, and, where it is switched on and its measured rate of false hits allows it, to
// one that is alike. Decides what may be given and kept; says it in a note. A fault here never fails a request.
import { isObject, type JsonObject, listAt, objectAt, textAt } from '../../../providers/index.ts';
import type { CacheConfig } from '../config.ts';
import { type ClientKey, tenantOf } from '../keys.ts';
import type { Arm, Pool } from '../pool.ts';
import { answersAgree } from './agree.ts';
import type { AnswerTable, KeptAnswer, WhichAnswers } from './answer-table.ts';
import { type AskVector, askVector, type AskVectorInput } from './ask-vector.ts';
import { FalseHits, type FalseHitsState } from './false-hits.ts';
import { bucket, LikenessIndex } from './likeness-index.ts';
import { exactKey, likenessOf, notCacheable } from './request-key.ts';

/** What a client may say: nothing, neither look nor keep, keep but do not look, take part whatever the temperature. */
export type CacheWish = 'default' | 'off' | 'refresh' | 'use';

/** What became of a request in the cache, as it is told and kept. */
export interface CacheNote {
  /** `check`: an answer that is alike was at hand, and a fresh one was fetched to compare. */
  readonly result: 'exact' | 'alike' | 'check' | 'miss' | 'bypass';
  /** Why it was passed by. */
  readonly why?: string;
  /** The event whose answer was given. */
  readonly from?: string;
  readonly ageMs?: number;
  /** What the answer had cost. */
  readonly savedUsd?: number;
  readonly similarity?: number;
  /** Of answers by likeness: rate of false ones among those checked, with its interval, and the threshold. */
  readonly falseHits?: Omit<FalseHitsState, 'why'>;
}

export interface LookInput extends Omit<AskVectorInput, 'semantic'> {
  readonly body: JsonObject;
  /** Model or policy by its resolved name. */
  readonly name: string;
  readonly wish: CacheWish;
  readonly pool: Pool;
  readonly key: ClientKey | undefined;
}

export interface Hit {
  readonly completion: JsonObject;
  readonly arm: Arm;
  readonly note: CacheNote;
}

/** What was found out on the way, for keeping the fresh answer. */
export interface Ticket {
  readonly note: CacheNote;
  readonly maxBytes: number;
  /** Keeps a fresh answer, if it is whole; settles a check. */
  keep(completion: JsonObject, of: { readonly event: string; readonly arm: Arm; readonly usd: number }): Promise<void>;
}

export type Looked = { readonly hit: Hit } | { readonly ticket: Ticket } | { readonly note: CacheNote | undefined };

export interface AnswersOptions {
  readonly table: AnswerTable;
  readonly now: () => number;
  readonly uniform: () => number;
  readonly log: (line: string) => void;
}

/** Checks that count for the rate of false hits. */
const WINDOW = 2_000;

export class Answers {
  readonly #options: AnswersOptions;
  readonly #index: LikenessIndex;
  readonly #evidence = new Map<string, Promise<FalseHits>>();
  #latest: string | undefined;

  private constructor(options: AnswersOptions, index: LikenessIndex) {
    this.#options = options;
    this.#index = index;
  }

  static async open(options: AnswersOptions): Promise<Answers> {
    return new Answers(options, new LikenessIndex(await options.table.vectors()));
  }

  /** Looks for an answer. Faults of the state are logged and count as none. @throws what budgets throw */
  async look(input: LookInput): Promise<Looked> {
    const { cache } = input.pool.config;
    if (!cache.exact && !cache.semantic.enabled) return { note: undefined };
    if (input.wish === 'off') return { note: { result: 'bypass', why: 'header' } };
    const why = notCacheable(input.body, cache.anyTemperature || input.wish === 'use');
    if (why !== undefined) return { note: { result: 'bypass', why } };
    const answers = nameOf(input);
    const tenant = cache.shared ? '*' : tenantOf(input.key);
    const key = exactKey(input.body, answers);
    const now = this.#options.now();
    if (cache.exact && input.wish !== 'refresh') {
      const kept = await this.#try(() => this.#options.table.find(tenant, key, now));
      const hit = kept === undefined ? undefined : toHit(kept, input, now, { result: 'exact' });
      if (hit !== undefined) {
        await this.#try(() => this.#options.table.touch(kept!.id, now));
        return { hit };
      }
    }
    const like = cache.semantic.enabled ? await this.#alike(input, answers, tenant, now) : undefined;
    if (like?.hit !== undefined) return { hit: like.hit };
    return { ticket: this.#ticket(input, { tenant, key, like }) };
  }

  async #alike(input: LookInput, answers: string, tenant: string, now: number): Promise<Alike | undefined> {
    const { semantic } = input.pool.config.cache;
    const like = likenessOf(input.body, answers);
    if (like === undefined) return undefined;
    const seen = await askVector(like.ask, { ...input, semantic });
    if (seen === undefined) return undefined;
    const place = { context: like.context, seen };
    if (input.wish === 'refresh') return place;
    const near = await this.#nearest(bucket(tenant, like.context, seen.features), seen.vector, now);
    if (near === undefined || near.similarity < semantic.floor) return place;
    const { kept } = near;
    const similarity = Math.min(1, near.similarity);
    const evidence = await this.#evidenceOf(semantic, seen.features);
    const { why: _why, ...falseHits } = evidence.state;
    const note: CacheNote = { result: 'alike', similarity, falseHits };
    const hit = toHit(kept, input, now, note);
    if (hit === undefined) return place;
    const given = falseHits.threshold !== undefined && similarity >= falseHits.threshold;
    if (!given || this.#options.uniform() < semantic.checks) {
      return { ...place, check: { old: textOf(hit.completion), similarity, evidence, falseHits } };
    }
    await this.#try(() => this.#options.table.touch(kept.id, now));
    return { ...place, hit };
  }

  /** The nearest answer that is still kept; vectors of answers that are gone are dropped on the way. */
  async #nearest(
    place: string,
    vector: Float32Array,
    now: number,
  ): Promise<{ kept: KeptAnswer; similarity: number } | undefined> {
    for (;;) {
      const near = this.#index.nearest(place, vector);
      if (near === undefined) return undefined;
      const kept = await this.#try(() => this.#options.table.get(near.id, now));
      if (kept !== undefined) return { kept, similarity: near.similarity };
      this.#index.drop(near.id);
    }
  }

  #ticket(input: LookInput, { tenant, key, like }: { tenant: string; key: string; like: Alike | undefined }): Ticket {
    const { cache } = input.pool.config;
    const check = like?.check;
    return {
      note:
        check === undefined
          ? { result: 'miss' }
          : { result: 'check', similarity: check.similarity, falseHits: check.falseHits },
      maxBytes: cache.maxAnswerBytes,
      keep: async (completion, { event, arm, usd }) => {
        if (!isWhole(completion, cache.toolCalls)) return;
        await this.#try(async () => {
          if (check !== undefined) await this.#learn(cache.semantic, like!.seen.features, check, textOf(completion));
          const body = JSON.stringify(completion);
          if (Buffer.byteLength(body) > cache.maxAnswerBytes) return;
          const at = this.#options.now();
          const { vector } = like?.seen ?? {};
          const id = await this.#options.table.put(
            {
              tenant,
              key,
              context: like?.context ?? null,
              features: like?.seen.features ?? null,
              vector: vector === undefined ? null : new Uint8Array(vector.buffer, vector.byteOffset, vector.byteLength),
              event,
              model: arm.id,
              mark: arm.mark,
              usd,
              at,
              expires: at + cache.ttlSeconds * 1000,
              body,
            },
            { entries: cache.maxEntries, bytes: cache.maxBytes },
          );
          if (like !== undefined)
            this.#index.add(id, bucket(tenant, like.context, like.seen.features), like.seen.vector, cache.maxEntries);
        });
      },
    };
  }

  async #learn(semantic: CacheConfig['semantic'], features: string, check: OpenCheck, fresh: string): Promise<void> {
    const { similarity, evidence } = check;
    const before = evidence.state;
    const one = { similarity, same: answersAgree(check.old, fresh, semantic.agreement) };
    evidence.learnOne(one);
    const after = evidence.state;
    if (before.threshold !== after.threshold) {
      this.#options.log(
        after.threshold === undefined
          ? `Answers by likeness are no longer given. ${after.why}`
          : `Answers by likeness are given from ${after.threshold.toFixed(3)} on: at most ${(100 * after.interval[1]).toFixed(1)} % false after ${after.checks} checks.`,
      );
    }
    await this.#options.table.addCheck(evidenceName(semantic, features), one, WINDOW);
  }

  /** What checks have shown for these features under these settings. */
  #evidenceOf(semantic: CacheConfig['semantic'], features: string): Promise<FalseHits> {
    const kept = evidenceName(semantic, features);
    const name = `${kept}|${semantic.maxFalseHits}|${semantic.confidence}`;
    this.#latest = name;
    let found = this.#evidence.get(name);
    if (found === undefined) {
      const { floor, maxFalseHits: limit, confidence } = semantic;
      found = this.#options.table
        .checks(kept)
        .then((checks) => new FalseHits({ floor, limit, confidence, window: WINDOW }, checks));
      if (this.#evidence.size > 16) this.#evidence.clear();
      this.#evidence.set(name, found);
      found.catch(() => this.#evidence.delete(name));
    }
    return found;
  }

  /** Deletes answers for good; returns how many. */
  async drop(which: WhichAnswers): Promise<number> {
    if (which === 'all') this.#index.clear();
    return this.#options.table.drop(which);
  }

  /** What is kept, and what the checks of likeness showed, as of the features used last. */
  async view(cache: CacheConfig): Promise<object> {
    const evidence = this.#latest === undefined ? undefined : await this.#evidence.get(this.#latest);
    const { entries, bytes } = await this.#options.table.size(this.#options.now());
    return {
      exact: cache.exact,
      semantic: cache.semantic.enabled,
      entries,
      bytes,
      alike: this.#index.size,
      ...(evidence === undefined ? {} : { falseHits: evidence.state }),
    };
  }

  close(): Promise<void> {
    return this.#options.table.close();
  }

  /** The state of the checks, for metrics. */
  async falseHits(): Promise<FalseHitsState | undefined> {
    return this.#latest === undefined ? undefined : (await this.#evidence.get(this.#latest))?.state;
  }

  async #try<T>(work: () => Promise<T>): Promise<T | undefined> {
    try {
      return await work();
    } catch (error) {
      this.#options.log(`fault in kept answers: ${String(error)}`);
      return undefined;
    }
  }
}

interface OpenCheck {
  readonly old: string;
  readonly similarity: number;
  readonly evidence: FalseHits;
  readonly falseHits: Omit<FalseHitsState, 'why'>;
}

interface Alike {
  readonly context: string;
  readonly seen: AskVector;
  readonly hit?: Hit;
  readonly check?: OpenCheck;
}

/** A kept answer as a hit, if its model is still there, as it was, and open to this key. */
function toHit(kept: KeptAnswer, input: LookInput, now: number, note: CacheNote): Hit | undefined {
  const arm = input.pool.arms.get(kept.model);
  if (arm === undefined || arm.mark !== kept.mark) return undefined;
  if (input.key?.models !== undefined && !input.key.models.includes(arm.id)) return undefined;
  const completion = JSON.parse(kept.body) as JsonObject;
  return {
    completion,
    arm,
    note: { ...note, from: kept.event, ageMs: Math.max(0, now - kept.at), savedUsd: kept.usd },
  };
}

/** Who answers: a model as it is configured, or a policy with its settings. */
function nameOf({ pool, name }: LookInput): string {
  const arm = pool.find(name);
  if (arm !== undefined) return `${arm.id}\n${arm.mark}`;
  const { routing } = pool.config;
  const policy = name.startsWith('cairn/auto:') ? routing.policies[name.slice(11)] : routing.default;
  return `${name}\n${JSON.stringify(policy ?? null)}`;
}

function evidenceName(semantic: CacheConfig['semantic'], features: string): string {
  return `${features}|floor=${semantic.floor}|agree=${semantic.agreement}`;
}

/** Whole answers only: not cut off, not withheld, not refused; tool calls where they are wanted. */
function isWhole(completion: JsonObject, toolCalls: boolean): boolean {
  const choices = listAt(completion, 'choices').filter(isObject);
  if (choices.length === 0) return false;
  return choices.every((choice) => {
    const message = objectAt(choice, 'message');
    const finish = textAt(choice, 'finish_reason');
    if (textAt(message, 'refusal') !== undefined) return false;
    const calls = listAt(message, 'tool_calls').length > 0 || isObject(message['function_call']);
    if (calls) return toolCalls && (finish === 'tool_calls' || finish === 'stop');
    return finish === 'stop' && (textAt(message, 'content') ?? '') !== '';
  });
}

function textOf(completion: JsonObject): string {
  return listAt(completion, 'choices')
    .filter(isObject)
    .map((choice) => textAt(objectAt(choice, 'message'), 'content') ?? '')
    .join('\n');
}
