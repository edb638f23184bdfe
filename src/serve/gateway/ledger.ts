// Budgets that bind: the worst case of a call is reserved before it is made and settled with what it really cost. Calls at the
// same time cannot exceed a budget together, because reserving is one transaction of the state.
import { randomUUID } from 'node:crypto';
import type { BudgetConfig, GatewayConfig } from './config.ts';
import { GatewayError } from './gateway-error.ts';
import type { Account, GatewayState, Reservation } from './state.ts';

/** Who spends. */
export interface Spender {
  readonly key: string | undefined;
  readonly session: string | undefined;
}

/** What a call costs: before it is made the most it can, afterwards what it did. */
export interface Spending {
  readonly usd: number;
  readonly tokens: number;
  readonly requests: number;
}

/** Reservations of calls that never end are dropped after this time. */
const EXPIRES_MS = 15 * 60_000;

export interface Hold {
  settle(spent: Spending): Promise<void>;
  /** Nothing was spent. */
  release(): Promise<void>;
}

/** Settlements that the state did not take are tried again this often; until then their worst case stays reserved. */
const OWED_EVERY_MS = 2_000;

interface Owed {
  readonly reservation: Reservation;
  readonly spent: readonly number[];
}

const NO_HOLD: Hold = { settle: async () => undefined, release: async () => undefined };

export class Ledger {
  readonly #state: GatewayState;
  readonly #now: () => number;
  /** What the state did not take. */
  readonly #owed = new Set<Owed>();
  #timer: NodeJS.Timeout | undefined;

  constructor(state: GatewayState, now: () => number) {
    this.#state = state;
    this.#now = now;
  }

  /**
   * Reserves the worst case with every budget that applies.
   * @throws GatewayError `budget_exceeded` with the time when the window ends; `state_unavailable` when nobody can say what is left
   */
  async reserve(config: GatewayConfig, who: Spender, worst: Spending): Promise<Hold> {
    const budgets = config.budgets.filter((budget) => nameOf(budget, who) !== undefined);
    if (budgets.length === 0) return NO_HOLD;
    const now = this.#now();
    const accounts: Account[] = budgets.map((budget) => ({
      name: nameOf(budget, who)!,
      window: windowStart(budget.window, now),
      amount: worst[budget.unit],
      limit: budget.limit,
    }));
    const reserved = await this.#state
      .reserve(randomUUID(), accounts, now + EXPIRES_MS, now)
      .catch((cause: unknown) => {
        throw new GatewayError(
          'state_unavailable',
          'Expected to reserve a budget, got no answer of the state that keeps it.',
          {
            status: 503,
            retryAfter: 2,
            hint: 'Try again; nothing was spent.',
            cause,
          },
        );
      });
    if (!reserved.ok) {
      const { over, used } = reserved;
      const at = accounts.findIndex(({ name, limit }) => name === over.name && limit === over.limit);
      throw this.#refusal(budgets[at]!, over, used, now);
    }
    const { reservation } = reserved;
    return {
      settle: (spent) => this.#settle(reservation, budgets, spent),
      release: () => this.#settle(reservation, budgets, { usd: 0, tokens: 0, requests: 0 }),
    };
  }

  /** True when a budget that applies asks for the cheapest model instead of a refusal. */
  degrades(config: GatewayConfig, who: Spender): boolean {
    return config.budgets.some((budget) => budget.onBudget === 'degrade' && nameOf(budget, who) !== undefined);
  }

  /** Every budget as it stands; for scope key and session only those of `who`. */
  async view(config: GatewayConfig, who: Spender): Promise<object[]> {
    const now = this.#now();
    const budgets = config.budgets.filter((budget) => nameOf(budget, who) !== undefined);
    const names = budgets.map((budget) => ({ name: nameOf(budget, who)!, window: windowStart(budget.window, now) }));
    const usage = await this.#state.usage(names, now);
    return budgets.map((budget, i) => ({
      ...budget,
      account: names[i]!.name,
      spent: usage[i]!.spent,
      reserved: usage[i]!.reserved,
      resetsAt: new Date(windowEnd(budget.window, now)).toISOString(),
    }));
  }

  async #settle(reservation: Reservation, budgets: readonly BudgetConfig[], spent: Spending): Promise<void> {
    await this.#pay({ reservation, spent: budgets.map((budget) => spent[budget.unit]) });
  }

  /** An answer that was paid for is not lost because its price could not be written at once. */
  async #pay(owed: Owed): Promise<void> {
    try {
      await this.#state.settle(owed.reservation, owed.spent);
      this.#owed.delete(owed);
    } catch {
      this.#owed.add(owed);
      this.#timer ??= setTimeout(() => void this.settleOwed(), OWED_EVERY_MS).unref();
    }
  }

  /** Tries again to settle what the state did not take. How many are still owed. */
  async settleOwed(): Promise<number> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (const owed of this.#owed) await this.#pay(owed);
    return this.#owed.size;
  }

  #refusal(budget: BudgetConfig, over: Account, used: number, now: number): GatewayError {
    const end = windowEnd(budget.window, now);
    const left = Math.max(0, budget.limit - used);
    const unit = budget.unit === 'usd' ? 'US dollars' : budget.unit;
    return new GatewayError(
      'budget_exceeded',
      `Expected a call within the budget of ${budget.limit} ${unit} a ${budget.window} (${budget.scope}), got one that may take ${round(over.amount)} with ${round(left)} left.`,
      {
        status: 429,
        retryAfter: Math.max(1, Math.ceil((end - now) / 1000)),
        hint: `The window ends at ${new Date(end).toISOString()}. Lower max_tokens, or ask for a larger budget.`,
      },
    );
  }
}

/** The account of a budget for this spender; undefined when the budget does not apply. */
function nameOf(budget: BudgetConfig, who: Spender): string | undefined {
  const tail = `${budget.unit}/${budget.window}`;
  if (budget.scope === 'server') return `server/${tail}`;
  if (budget.scope === 'session') return who.session === undefined ? undefined : `session:${who.session}/${tail}`;
  if (who.key === undefined || (budget.key !== undefined && budget.key !== who.key)) return undefined;
  return `key:${who.key}/${tail}`;
}

/** Windows are aligned to the clock, months to UTC. */
export function windowStart(window: BudgetConfig['window'], now: number): number {
  if (window === 'month') {
    const date = new Date(now);
    return Date.UTC(date.getUTCFullYear(), date.getUTCMonth(), 1);
  }
  const length = LENGTHS[window];
  return Math.floor(now / length) * length;
}

export function windowEnd(window: BudgetConfig['window'], now: number): number {
  if (window === 'month') {
    const date = new Date(now);
    return Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 1);
  }
  return windowStart(window, now) + LENGTHS[window];
}

const LENGTHS = { minute: 60_000, hour: 3_600_000, day: 86_400_000 } as const;

function round(value: number): number {
  return Number(value.toPrecision(4));
}
