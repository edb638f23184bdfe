// What outcomes say about the arms of a router: decayed counts per arm and kind of prompt, on top of the labelled prompts.
// Every count belongs to an event and can be taken back exactly.
import { CairnError } from '../../errors.ts';
import type { ArmEstimate } from '../pool/index.ts';

/** How an outcome was found, and how much one counts. Failures of the infrastructure say nothing about an arm. */
export const RELIABILITY = { certificate: 1, test: 1, explicit: 1, repeat: 0.3, judge: 0.3 } as const;
export type OutcomeSource = keyof typeof RELIABILITY;

/** What one answered request said about its arm. */
export interface Outcome {
  readonly event: string;
  readonly arm: string;
  /** [K] assignment of the prompt under the router's maps. */
  readonly phi: ArrayLike<number>;
  /** Error of the answer in [0,1]. */
  readonly error: number;
  readonly source: OutcomeSource;
}

interface Entry {
  readonly event: string;
  readonly phi: readonly (readonly [kind: number, share: number])[];
  readonly error: number;
  readonly weight: number;
  /** Number of the arm's observation. */
  readonly at: number;
}

/** What is known of an arm: its entries, and their decayed sums per kind. */
interface Known {
  seen: number;
  entries: Entry[];
  readonly sums: Map<number, { mass: number; errors: number }>;
}

/** A stored ledger: plain JSON. */
export interface OutcomesState {
  readonly memory: number;
  readonly arms: readonly { readonly arm: string; readonly seen: number; readonly entries: readonly Entry[] }[];
}

/** Entries that have decayed below this share are dropped. */
const FORGOTTEN = 1e-4;
/** From so many outcomes on, the labelled prompts of an arm count half. */
const HALF_AFTER = 200;

/**
 * @example
 * const outcomes = new Outcomes();
 * outcomes.learnOne({ event: 'e1', arm: 'model-a', phi: [1, 0], error: 1, source: 'explicit' });
 */
export class Outcomes {
  readonly memory: number;
  readonly #rho: number;
  readonly #arms = new Map<string, Known>();

  /** @param options `memory`: outcomes of an arm after which one counts a factor e less. Default 500. */
  constructor(options: { readonly memory?: number } = {}) {
    this.memory = options.memory ?? 500;
    if (!(this.memory >= 2 && this.memory <= 1e9)) {
      throw new CairnError('bad_parameter', `Expected a memory between 2 and 1e9, got ${this.memory}.`, {
        hint: 'Leave it out for 500 outcomes.',
      });
    }
    this.#rho = 1 - 1 / this.memory;
  }

  /** @throws CairnError `bad_outcome` for an error out of [0,1], an unknown source or an event that was counted already. */
  learnOne(outcome: Outcome): void {
    const weight = RELIABILITY[outcome.source] as number | undefined;
    if (!(outcome.error >= 0 && outcome.error <= 1) || weight === undefined) {
      throw new CairnError(
        'bad_outcome',
        `Expected an error in [0,1] from a known source, got ${outcome.error} from "${outcome.source}".`,
        { hint: `Sources are ${Object.keys(RELIABILITY).join(', ')}; an outcome o counts as the error 1 - o.` },
      );
    }
    const known: Known = this.#arms.get(outcome.arm) ?? { seen: 0, entries: [], sums: new Map() };
    if (known.entries.some((e) => e.event === outcome.event)) {
      throw new CairnError('bad_outcome', `Expected one outcome for event "${outcome.event}", got a second.`, {
        hint: 'Forget the first one before it is replaced.',
      });
    }
    const phi = Array.from(outcome.phi, (share, kind) => [kind, share] as const).filter(([, share]) => share > 0);
    const entry = { event: outcome.event, phi, error: outcome.error, weight, at: ++known.seen };
    for (const sum of known.sums.values()) {
      sum.mass *= this.#rho;
      sum.errors *= this.#rho;
    }
    known.entries.push(entry);
    this.#add(known, entry, 1);
    while (this.#share(known, known.entries[0]!) < FORGOTTEN) this.#add(known, known.entries.shift()!, -1);
    this.#arms.set(outcome.arm, known);
  }

  /** How much an entry still counts. */
  #share(known: Known, entry: Entry): number {
    return this.#rho ** (known.seen - entry.at);
  }

  /** Puts an entry into the sums, or takes it out. */
  #add(known: Known, entry: Entry, sign: 1 | -1): void {
    const weight = sign * entry.weight * this.#share(known, entry);
    for (const [kind, share] of entry.phi) {
      const sum = known.sums.get(kind) ?? { mass: 0, errors: 0 };
      sum.mass += weight * share;
      sum.errors += weight * share * entry.error;
      known.sums.set(kind, sum);
    }
  }

  /** Takes an event back, as if its outcome had never counted; returns whether there was one. */
  forget(event: string): boolean {
    let found = false;
    for (const known of this.#arms.values()) {
      const kept = known.entries.filter((e) => e.event !== event);
      if (kept.length === known.entries.length) continue;
      found = true;
      this.#refill(known, kept);
    }
    return found;
  }

  #refill(known: Known, entries: readonly Entry[]): void {
    known.entries = [...entries];
    known.sums.clear();
    for (const entry of entries) this.#add(known, entry, 1);
  }

  /** Outcomes of an arm that still count. */
  count(arm: string): number {
    return this.#arms.get(arm)?.entries.length ?? 0;
  }

  /**
   * The expected error of an arm for a prompt of assignment phi, from labelled prompts and outcomes together. Without
   * outcomes of the arm it is the labelled estimate itself.
   * @param maps number of maps in the bag that phi is over
   * @param n0 strength of the prior in the labelled estimate
   */
  expectedError(arm: string, estimate: ArmEstimate, phi: ArrayLike<number>, maps: number, n0: number): number {
    const known = this.#arms.get(arm);
    const trust = this.count(arm) > HALF_AFTER ? 0.5 : 1;
    let error = 0;
    for (let k = 0; k < phi.length; k++) {
      const share = phi[k]!;
      if (share === 0) continue;
      // However strong the pull towards the arm's mean, that mean is known from its labelled prompts only.
      const labelled = (estimate.mass[k]! + Math.max(1, Math.min(n0, estimate.count))) * trust;
      const sum = known?.sums.get(k);
      const psi = sum
        ? (labelled * estimate.psi[k]! + maps * sum.errors) / (labelled + maps * Math.max(0, sum.mass))
        : estimate.psi[k]!;
      error += share * psi;
    }
    return error;
  }

  state(): OutcomesState {
    return {
      memory: this.memory,
      arms: [...this.#arms].map(([arm, { seen, entries }]) => ({ arm, seen, entries: [...entries] })),
    };
  }

  /** @throws CairnError `bad_state` for a state of another memory. */
  restore(state: OutcomesState): this {
    if (state.memory !== this.memory) {
      throw new CairnError('bad_state', `Expected outcomes with memory ${this.memory}, got ${state.memory}.`, {
        hint: 'Restore with the memory they were gathered with.',
      });
    }
    this.#arms.clear();
    for (const { arm, seen, entries } of state.arms) {
      const known: Known = { seen, entries: [], sums: new Map() };
      this.#refill(known, entries);
      this.#arms.set(arm, known);
    }
    return this;
  }
}
