// What outcomes teach the gateway. The fitted router is the safe expert of an online router (1305.1359); outcomes correct its
// challenger. Every outcome is one durable row, so that a sudden end loses none and one event can be forgotten; a snapshot now and
// then saves learning all rows again. Failures of the infrastructure are refused: they say nothing about a model.
import { CairnError } from '../../errors.ts';
import {
  type Judge,
  OnlineRouter,
  type OnlineRouterState,
  type OutcomeSource,
  type PromptRouter,
  RELIABILITY,
} from '../../route/index.ts';
import { crc32, Rng } from '../../tensor/index.ts';
import type { FeedbackConfig } from './config.ts';
import type { DecisionRecord } from './explain.ts';
import type { GatewayState, KeptChange } from './state.ts';

/** How an answer turned out, as somebody says. */
export interface OutcomeReport {
  /** 1 right, 0 wrong. */
  readonly outcome: number;
  readonly source: OutcomeSource;
}

/** What became of a report. */
export interface Lesson {
  readonly taught: boolean;
  /** Why it taught nothing. */
  readonly why?: string;
}

/** What has been learned, and what is promised. */
export interface LearningView {
  readonly judge: Judge | 'off';
  readonly outcomes: number;
  readonly learnedWeight: number;
  readonly disagreements: number;
  readonly arms: readonly { readonly id: string; readonly outcomes: number }[];
  /** `none` means: no guarantee. */
  readonly guarantee: { readonly kind: 'none' | 'labelled prompts' | 'in expectation'; readonly says: string };
}

interface Row {
  readonly n: number;
  readonly fit: string;
  readonly model: string;
  readonly outcome: number;
  readonly source: OutcomeSource;
  readonly decided: NonNullable<DecisionRecord['online']>;
  readonly lambda: number;
  readonly phi: NonNullable<DecisionRecord['phi']>;
}

interface Snapshot {
  readonly n: number;
  readonly online: OnlineRouterState;
}

/** Kind of kept values that `take` understands. */
export const OUTCOMES = 'outcome';
const SNAPSHOTS = 'learning';
/** Rows that are kept; outcomes older than these have decayed long before. */
const MOST_ROWS = 100_000;
const SNAPSHOT_EVERY_MS = 30_000;

export class Learning {
  readonly #state: GatewayState;
  readonly #log: (line: string) => void;
  /** By event, oldest first. */
  readonly #rows: Map<string, Row>;
  readonly #snapshots: Map<string, Snapshot>;
  #online: OnlineRouter | undefined;
  #fit = '';
  #judge: Judge | 'off' = 'off';
  #n: number;
  #lane: Promise<unknown> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;
  #unsaved = false;

  private constructor(
    state: GatewayState,
    log: (line: string) => void,
    rows: Map<string, Row>,
    snapshots: Map<string, Snapshot>,
  ) {
    this.#state = state;
    this.#log = log;
    this.#rows = rows;
    this.#snapshots = snapshots;
    this.#n = Math.max(0, ...[...rows.values()].map((row) => row.n));
  }

  /** Reads what was kept. */
  static async open(state: GatewayState, log: (line: string) => void): Promise<Learning> {
    const [rows, snapshots] = await Promise.all([state.list(OUTCOMES), state.list(SNAPSHOTS)]);
    const parsed = rows
      .map(({ key, value }) => [key, JSON.parse(value) as Row] as const)
      .sort((a, b) => a[1].n - b[1].n);
    return new Learning(
      state,
      log,
      new Map(parsed),
      new Map(snapshots.map(({ key, value }) => [key, JSON.parse(value) as Snapshot])),
    );
  }

  /** Learns on top of another fitted router from now on; what outcomes taught is kept as long as its kinds of prompt are the same. */
  attach(router: PromptRouter | undefined, config: FeedbackConfig): OnlineRouter | undefined {
    const before = this.#online;
    const { judge } = config;
    if (before !== undefined) this.#snapshots.set(this.#fit, { n: this.#n, online: before.state() });
    this.#judge = judge;
    this.#online = undefined;
    if (router === undefined || judge === 'off') return undefined;
    this.#fit = fitOf(router);
    const make = (): OnlineRouter =>
      new OnlineRouter(router, {
        rng: new Rng('gateway').fork('feedback'),
        judge,
        memory: config.memory,
        exploration: config.exploration,
      });
    let online = make();
    let from = 0;
    const snapshot = this.#snapshots.get(this.#fit);
    if (snapshot !== undefined) {
      try {
        online.restore(snapshot.online);
        from = snapshot.n;
      } catch (error) {
        if (!CairnError.isInstance(error) || error.code !== 'bad_state') throw error;
        this.#log('Outcomes are learned again: the settings of feedback have changed.');
        online = make();
      }
    }
    for (const [event, row] of this.#rows) if (row.n > from && row.fit === this.#fit) learn(online, event, row);
    this.#online = online;
    return online;
  }

  /**
   * Takes a report of how an event turned out. The last word about an event counts.
   * @throws CairnError `bad_outcome`
   */
  report(record: DecisionRecord, report: OutcomeReport): Promise<Lesson> {
    return this.#inLane(async () => {
      checkReport(record, report);
      await this.#forget(record.id);
      const { online: decided, phi, lambda } = record;
      if (decided === undefined || phi === undefined || lambda === undefined) {
        return {
          taught: false,
          why: 'The model was not chosen by the router: the outcome is kept and teaches nothing.',
        };
      }
      if (this.#online === undefined || decided.fit !== this.#fit) {
        return {
          taught: false,
          why:
            this.#online === undefined ? 'Nothing learns here at the moment.' : 'Another router has been fitted since.',
        };
      }
      const row: Row = { n: ++this.#n, fit: this.#fit, model: record.model, ...report, decided, lambda, phi };
      learn(this.#online, record.id, row);
      this.#rows.set(record.id, row);
      await this.#state.put(OUTCOMES, record.id, JSON.stringify(row));
      for (const oldest of this.#rows.keys()) {
        if (this.#rows.size <= MOST_ROWS) break;
        this.#rows.delete(oldest);
        await this.#state.drop(OUTCOMES, oldest);
      }
      this.#unsaved = true;
      this.#timer ??= setTimeout(() => void this.save(), SNAPSHOT_EVERY_MS).unref();
      return { taught: true };
    });
  }

  /** Takes back what an event taught, on disk too; false when it had taught nothing. */
  forget(event: string): Promise<boolean> {
    return this.#inLane(() => this.#forget(event));
  }

  /** Takes in what another gateway that shares the state was told, or told to forget. */
  take({ key: event, value }: KeptChange): Promise<void> {
    return this.#inLane(async () => {
      const known = this.#rows.get(event);
      if ((known === undefined ? undefined : JSON.stringify(known)) === value) return;
      this.#unlearn(event);
      if (value === undefined) return;
      const row = JSON.parse(value) as Row;
      this.#n = Math.max(this.#n, row.n);
      this.#rows.set(event, row);
      if (this.#online !== undefined && row.fit === this.#fit) learn(this.#online, event, row);
    });
  }

  #unlearn(event: string): Row | undefined {
    const row = this.#rows.get(event);
    this.#rows.delete(event);
    if (row?.fit === this.#fit) this.#online?.forget(event);
    return row;
  }

  async #forget(event: string): Promise<boolean> {
    const row = this.#unlearn(event);
    if (row === undefined) return false;
    await this.#state.drop(OUTCOMES, event);
    // A snapshot that was written before holds the event: it goes, and what it stood for is learned from the rows.
    this.#snapshots.delete(row.fit);
    await this.#state.drop(SNAPSHOTS, row.fit);
    if (row.fit === this.#fit) await this.#save();
    return true;
  }

  view(): LearningView {
    const online = this.#online;
    if (online === undefined) {
      return {
        judge: this.#judge,
        outcomes: 0,
        learnedWeight: 0,
        disagreements: 0,
        arms: [],
        guarantee: {
          kind: 'none',
          says: `No guarantee: ${this.#judge === 'off' ? 'outcomes are not learned from' : 'no router is fitted'}.`,
        },
      };
    }
    const { learnedWeight, disagreements, guarantee } = online.standing();
    const arms = online.router.arms.map((arm) => ({ id: arm.id, outcomes: online.outcomes.count(arm.id) }));
    return {
      judge: online.judge,
      outcomes: arms.reduce((sum, arm) => sum + arm.outcomes, 0),
      learnedWeight,
      disagreements,
      arms,
      guarantee: this.#guarantee(online, guarantee),
    };
  }

  #guarantee(online: OnlineRouter, bound: string): LearningView['guarantee'] {
    if (online.judge !== 'replay') {
      return {
        kind: 'in expectation',
        says: `Bounded ${bound}; only over requests whose model was free to choose, not over those of a conversation that stays.`,
      };
    }
    const { arms } = online.router;
    const { ids } = online.router.parts.validation;
    const both = ids.some((_, j) => arms.filter((arm) => !Number.isNaN(arm.error[j]!)).length > 1);
    return both
      ? {
          kind: 'labelled prompts',
          says: `Bounded ${bound}. No guarantee for other requests: only one model's answer is seen.`,
        }
      : { kind: 'none', says: 'No guarantee: no labelled prompt was answered by two models.' };
  }

  /** Writes a snapshot. */
  save(): Promise<void> {
    return this.#inLane(async () => {
      if (this.#unsaved) await this.#save();
    });
  }

  async #save(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#online === undefined) return;
    this.#unsaved = false;
    // A snapshot says up to which row it stands; rows of other gateways come in between.
    if (this.#state.shared) return;
    const snapshot: Snapshot = { n: this.#n, online: this.#online.state() };
    this.#snapshots.set(this.#fit, snapshot);
    await this.#state.put(SNAPSHOTS, this.#fit, JSON.stringify(snapshot));
  }

  /** One at a time, in the order they came. */
  #inLane<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#lane.then(work);
    this.#lane = result.catch(() => undefined);
    return result;
  }
}

function learn(online: OnlineRouter, event: string, row: Row): void {
  const { arm, safeArm, learnedArm, propensity, relativeCost } = row.decided;
  const phi = new Float64Array(online.router.parts.map.k);
  for (const [kind, share] of row.phi) if (kind < phi.length) phi[kind] = share;
  // Where another model answered than was drawn, the outcome is about that model and says nothing of the choice.
  const drawn = row.model === arm;
  online.learnOne({
    event,
    outcome: row.outcome,
    source: row.source,
    decided: {
      arm: row.model,
      safeArm: drawn ? safeArm : row.model,
      learnedArm: drawn ? learnedArm : row.model,
      propensity: drawn ? propensity : 1,
      lambda: row.lambda,
      relativeCost,
      decision: { phi },
    },
  });
}

function checkReport(record: DecisionRecord, { outcome, source }: OutcomeReport): void {
  if (typeof outcome !== 'number' || !(outcome >= 0 && outcome <= 1)) {
    throw new CairnError(
      'bad_outcome',
      'Expected "outcome" as a number from 0 (wrong) to 1 (right), got something else.',
      {
        hint: 'Send for example {"event": "…", "outcome": 1}.',
      },
    );
  }
  if (!Object.hasOwn(RELIABILITY, source)) {
    throw new CairnError('bad_outcome', 'Expected a known source of the outcome, got another.', {
      hint: `Sources are ${Object.keys(RELIABILITY).join(', ')}.`,
    });
  }
  if (record.status !== 200) {
    throw new CairnError(
      'bad_outcome',
      `Expected an event that was answered, got one that ended with ${record.status}.`,
      {
        hint: 'Failures of the infrastructure say nothing about a model and are not counted.',
      },
    );
  }
}

/** Names the kinds of prompt of a router: two routers of one fit have the same name, whatever arms they have. */
export function fitOf(router: PromptRouter): string {
  const known = fits.get(router);
  if (known !== undefined) return known;
  let sum = 0;
  for (const { phi } of router.labelled.phis) {
    sum = crc32(new Uint8Array(phi.buffer, phi.byteOffset, phi.byteLength), sum);
  }
  const fit = `k${router.parts.map.k}-${sum.toString(16).padStart(8, '0')}`;
  fits.set(router, fit);
  return fit;
}

const fits = new WeakMap<PromptRouter, string>();
