// A soak of the gateway: clients of every form, some of which leave or read slowly, upstreams that fail in every way, configuration
// that changes meanwhile. Afterwards no request may be lost without an honest error, and the gateway's books must agree with
// themselves and with those of the upstreams.
import { writeFileSync } from 'node:fs';
import { Agent } from 'node:http';
import { Rng } from 'cairn/tensor';
import { type Ask, askOnce, type Form, type Outcome } from './soak-client.ts';
import { UPSTREAM_NAMES, World } from './soak-world.ts';

export interface SoakOptions {
  readonly seconds: number;
  /** It goes on until so many requests were answered and the configuration was taken over so often, however slow the machine is. */
  readonly atLeast?: { readonly answered: number; readonly reloads: number };
  readonly seed: number | string;
  readonly clients?: number;
  /** Starts a gateway with this configuration file, which the soak writes. */
  readonly start: (configPath: string) => Promise<{ readonly url: string; close(): Promise<void> }>;
  readonly configPath: string;
  readonly log: (line: string) => void;
  readonly signal: AbortSignal;
}

export interface SoakReport {
  readonly requests: number;
  readonly outcomes: Readonly<Record<Outcome['kind'], number>>;
  /** Honest errors by their code. */
  readonly errors: Readonly<Record<string, number>>;
  /** The first lost requests, in words. */
  readonly lost: readonly string[];
  readonly faults: Readonly<Record<string, number>>;
  readonly reloads: number;
  readonly outages: number;
  /** Answered requests whose tokens in the books are not those that the upstream counted, and nothing explains why. */
  readonly mismatches: readonly string[];
  /**
   * Answers that an upstream sent whole but that did not arrive whole, since it vanished or a time limit ran out meanwhile: it
   * counted them, the gateway asked again, and no gateway can know.
   */
  readonly unseen: number;
  /** Sums of the ledger, and of the decisions. */
  readonly ledger: Books;
  readonly decided: Books;
  /** Reservations that were left. */
  readonly reserved: number;
  /** Memory in MiB, resident and in use by JavaScript: median of the second quarter and of the last. */
  readonly memory: { readonly early: number; readonly late: number };
  readonly heap: { readonly early: number; readonly late: number };
}

export interface Books {
  readonly usd: number;
  readonly tokens: number;
  readonly requests: number;
}

interface Decision {
  readonly id: string;
  readonly at: number;
  readonly promptTokens?: number;
  readonly completionTokens?: number;
  readonly costUsd?: number;
  readonly ms: number;
  readonly attempts: readonly { readonly outcome: string }[];
}

export async function soak(options: SoakOptions): Promise<SoakReport> {
  const { seconds, atLeast, seed, clients = 12, configPath, log, signal } = options;
  const root = new Rng(seed);
  const world = await World.open(root.fork('world'));
  writeFileSync(configPath, JSON.stringify(world.configuration(0)));
  const gateway = await options.start(configPath);
  const agent = new Agent({ keepAlive: true, maxSockets: clients });
  const books = new Bookkeeper(gateway.url);
  const memory: { resident: number; heap: number }[] = [];
  /** When upstreams vanished, milliseconds since 1970. */
  const vanished: number[] = [];
  let unseen = 0;
  const counts = { answered: 0, refused: 0, broken: 0, left: 0, lost: 0 };
  const errors: Record<string, number> = {};
  const lost: string[] = [];
  const answered = new Map<string, number>();
  const mismatches: string[] = [];
  let [next, reloads, outages] = [0, 0, 0];
  const until = performance.now() + seconds * 1000;
  const enough = (): boolean =>
    atLeast === undefined || (counts.answered >= atLeast.answered && reloads >= atLeast.reloads);
  const running = (): boolean => (performance.now() < until || !enough()) && !signal.aborted;

  const client = async (rng: Rng): Promise<void> => {
    while (running()) {
      const ask = draw(rng, next++);
      const outcome = await askOnce(gateway.url, agent, ask);
      counts[outcome.kind]++;
      if (outcome.kind === 'answered') answered.set(outcome.event ?? 'none', ask.id);
      else if (outcome.kind !== 'left') errors[outcome.why ?? ''] = (errors[outcome.why ?? ''] ?? 0) + 1;
      if (outcome.kind === 'lost' && lost.length < 20) lost.push(`#${ask.id} ${ask.form} ${ask.model}: ${outcome.why}`);
      if (outcome.kind !== 'answered') world.served.delete(ask.id);
    }
  };
  const trouble = async (rng: Rng): Promise<void> => {
    for (let variant = 1; running(); variant++) {
      await pause(200 + rng.integer(400));
      const what = rng.integer(4);
      if (what === 0) world.storm(300 + rng.integer(700));
      if (what === 1) {
        const name = UPSTREAM_NAMES[rng.integer(UPSTREAM_NAMES.length)]!;
        outages++;
        vanished.push(Date.now());
        await world.stop(name);
        await pause(200 + rng.integer(600));
        await world.start(name);
      }
      writeFileSync(configPath, JSON.stringify(world.configuration(variant)));
      const answer = await ask('/api/gateway/reload', gateway.url, { method: 'POST' });
      if (((await answer.json()) as { reloaded?: unknown }).reloaded === true) reloads++;
    }
  };
  /** Reads the decisions as they come, and settles each answered request against the upstreams' books. */
  const check = async (): Promise<void> => {
    for (const decision of await books.read()) {
      const id = answered.get(decision.id);
      if (id === undefined) continue;
      answered.delete(decision.id);
      const own = (decision.promptTokens ?? 0) + (decision.completionTokens ?? 0);
      const { answers, tokens } = world.served.get(id) ?? { answers: 0, tokens: 0 };
      world.served.delete(id);
      if (answers === 1 && tokens === own) continue;
      const failed = decision.attempts.filter(({ outcome }) => outcome !== 'answered').length;
      const broke = vanished.some((at) => at > decision.at - decision.ms - 1_000 && at < decision.at + 1_000);
      // Sent again after a try that failed; or its end was lost, and with it the upstream's count of its tokens.
      const again = answers > 1 && answers <= 1 + failed && tokens === own * answers;
      const cut = broke && answers <= 1 + failed;
      if (again || cut) unseen += Math.max(1, answers - 1);
      else if (mismatches.length < 20)
        mismatches.push(`#${id}: ${answers} answers with ${tokens} tokens upstream, ${own} in the books`);
    }
  };
  const watch = async (): Promise<void> => {
    let said = performance.now();
    while (running()) {
      await pause(500);
      await check();
      memory.push(await memoryOf(gateway.url));
      if (performance.now() - said > 30_000) {
        said = performance.now();
        log(`${next} requests, ${JSON.stringify(counts)}, ${memory.at(-1)!.resident.toFixed(0)} MiB`);
      }
    }
  };
  try {
    await Promise.all([
      ...Array.from({ length: clients }, (_, i) => client(root.fork(`client-${i}`))),
      trouble(root.fork('trouble')),
      watch(),
    ]);
    // Streams whose clients left end a moment later.
    let reserved = 1;
    for (let i = 0; i < 100 && reserved > 0; i++) {
      await pause(100);
      reserved = (await budgets(gateway.url)).reduce((sum, budget) => sum + budget.reserved, 0);
    }
    await pause(300);
    await check();
    for (const id of [...answered.values()].slice(0, 20)) mismatches.push(`#${id}: answered, but in no decision`);
    const spent = new Map((await budgets(gateway.url)).map((budget) => [budget.unit, budget.spent]));
    return {
      requests: next,
      outcomes: counts,
      errors,
      lost,
      faults: Object.fromEntries(world.faults),
      reloads,
      outages,
      mismatches,
      ledger: {
        usd: spent.get('usd') ?? NaN,
        tokens: spent.get('tokens') ?? NaN,
        requests: spent.get('requests') ?? NaN,
      },
      decided: books.sums,
      reserved,
      unseen,
      memory: quarters(memory.map(({ resident }) => resident)),
      heap: quarters(memory.map(({ heap }) => heap)),
    };
  } finally {
    agent.destroy();
    await gateway.close();
    await world.close();
  }
}

function draw(rng: Rng, id: number): Ask {
  const forms: readonly Form[] = ['whole', 'whole', 'stream', 'stream', 'responses', 'responses-stream'];
  const models = ['cairn/auto', 'cairn/auto', 'cairn/auto', 'a', 'b', 'c', 'd', 'changing', 'one/a'];
  return {
    id,
    form: forms[rng.integer(forms.length)]!,
    model: models[rng.integer(models.length)]!,
    session: `s${rng.integer(500)}`,
    ...(rng.bernoulli(0.06) ? { leaveAfterMs: rng.integer(40) } : {}),
    ...(rng.bernoulli(0.03) ? { slowMs: 3 } : {}),
  };
}

/** Adds up every decision once, page by page. */
class Bookkeeper {
  readonly #url: string;
  readonly #seen = new Set<string>();
  readonly sums = { usd: 0, tokens: 0, requests: 0 };

  constructor(url: string) {
    this.#url = url;
  }

  /** Decisions that were not read before. */
  async read(): Promise<Decision[]> {
    const fresh: Decision[] = [];
    let before: number | undefined;
    for (;;) {
      const answer = await ask(
        `/api/route/decisions?limit=500${before === undefined ? '' : `&before=${before}`}`,
        this.#url,
      );
      const { decisions } = (await answer.json()) as { decisions: Decision[] };
      const unseen = decisions.filter((decision) => !this.#seen.has(decision.id));
      for (const decision of unseen) {
        this.#seen.add(decision.id);
        fresh.push(decision);
        if (decision.costUsd === undefined) continue;
        this.sums.usd += decision.costUsd;
        this.sums.tokens += (decision.promptTokens ?? 0) + (decision.completionTokens ?? 0);
        this.sums.requests++;
      }
      // Decisions of the same millisecond may be on two pages.
      const next = (decisions.at(-1)?.at ?? 0) + 1;
      if (decisions.length < 500 || unseen.length === 0 || next === before) break;
      before = next;
    }
    return fresh;
  }
}

async function budgets(url: string): Promise<{ unit: keyof Books; spent: number; reserved: number }[]> {
  const answer = await ask('/api/budgets', url);
  return ((await answer.json()) as { budgets: { unit: keyof Books; spent: number; reserved: number }[] }).budgets;
}

async function memoryOf(url: string): Promise<{ resident: number; heap: number }> {
  const text = await (await ask('/metrics', url)).text();
  const of = (name: string): number => Number(new RegExp(`^${name} (\\d+)`, 'm').exec(text)?.[1] ?? NaN) / 2 ** 20;
  return { resident: of('cairn_resident_memory_bytes'), heap: of('cairn_heap_used_bytes') };
}

function quarters(values: readonly number[]): { early: number; late: number } {
  const quarter = Math.floor(values.length / 4);
  return { early: middle(values.slice(quarter, 2 * quarter)), late: middle(values.slice(-Math.max(1, quarter))) };
}

/** A request for the books. A kept connection that the server closed meanwhile is no fault; a server that is gone is. */
async function ask(path: string, url: string, init: RequestInit = {}): Promise<Response> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await fetch(new URL(path, url), init);
    } catch (error) {
      if (attempt === 4) throw error;
      await pause(50);
    }
  }
}

function middle(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? NaN;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
