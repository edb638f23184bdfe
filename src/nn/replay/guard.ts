// Finds silent corruption in training by running steps again (as the Gemini 2.5 report, arXiv 2507.06261, describes; the
// protocol here is ours). Every m steps, and when loss or gradient norm leaves its usual range, the steps since the last
// snapshot are replayed and all bits compared; between steps the resting state is held under a seal of fingerprints.
import { CairnError } from '../../errors.ts';
import type { Feed, HostTensor, ModelState, Program } from '../../tensor/index.ts';
import { fingerprintOutputs, type Fingerprints, fingerprintState, firstDifference } from './fingerprint.ts';

/**
 * `equal`: the replay gave the same bits. `corrupt`: the record differs from the replay and a second replay agrees with
 * the first. `nondeterministic`: two replays differ from each other, so nothing can be said about the record.
 */
export type Verdict = 'equal' | 'corrupt' | 'nondeterministic';

/** What was found at one check. */
export interface ReplayEvent {
  readonly verdict: Verdict;
  /** `replay`: steps were run again. `seal`: the state changed while it rested. `snapshot`: a snapshot did; it is dropped. */
  readonly check: 'replay' | 'seal' | 'snapshot';
  /** First and last step that were checked. */
  readonly from: number;
  readonly step: number;
  /** First state entry or output that differed. */
  readonly tensor?: string;
  /** Training goes on from this step; absent when nothing was undone. */
  readonly rolledBackTo?: number;
}

export interface ReplayOptions {
  /** Steps between snapshots; a snapshot's own step is replayed. Default 100. */
  readonly every?: number;
  /** Snapshots that are kept. Default 2. */
  readonly ring?: number;
  /** Fingerprint the state after every step and compare before the next one. Default true. */
  readonly seal?: boolean;
  /** A loss or gradient norm this many standard deviations above its running mean has its steps replayed. Default 6. */
  readonly sigma?: number;
  readonly onEvent?: (event: ReplayEvent) => void;
}

/** What a guarded step gave: outputs, or the position to go on from. */
export type GuardedStep<P> = { readonly outputs: Readonly<Record<string, HostTensor>> } | { readonly rollback: P };

interface Snapshot<P> {
  readonly step: number;
  readonly position: P;
  readonly state: ModelState;
  readonly hashes: Fingerprints;
}

interface Done {
  readonly feeds: () => Readonly<Record<string, Feed>>;
  readonly outputs: Fingerprints;
}

/** Steps before the running mean and deviation are trusted. */
const SETTLED = 20;

/**
 * Runs the steps of one training run under guard.
 * @typeParam P what the caller needs to go on from a step
 * @example
 * const guard = new ReplayGuard({ program, state, every: 100 });
 * const result = await guard.step(step, position, () => feedsOf(step));
 * if ('rollback' in result) position = result.rollback;
 */
export class ReplayGuard<P> {
  readonly #program: Program;
  readonly #state: ModelState;
  readonly #options: Required<Omit<ReplayOptions, 'onEvent'>> & Pick<ReplayOptions, 'onEvent'>;
  #ring: Snapshot<P>[] = [];
  /** Steps since the newest snapshot, its own first. */
  #since: Done[] = [];
  #seal: Fingerprints | undefined;
  /** The next step begins with a snapshot. */
  #due = true;
  readonly #usual = { loss: new Usual(), gradNorm: new Usual() };

  constructor(options: ReplayOptions & { readonly program: Program; readonly state: ModelState }) {
    const { program, state, every = 100, ring = 2, seal = true, sigma = 6, onEvent } = options;
    const whole = (value: number, name: string): void => {
      if (!Number.isInteger(value) || value < 1) {
        throw new CairnError('bad_replay', `Expected ${name} of the replay to be a positive integer, got ${value}.`);
      }
    };
    whole(every, 'every');
    whole(ring, 'ring');
    if (!(sigma > 0)) throw new CairnError('bad_replay', `Expected sigma of the replay above 0, got ${sigma}.`);
    this.#program = program;
    this.#state = state;
    this.#options = { every, ring, seal, sigma, ...(onEvent === undefined ? {} : { onEvent }) };
  }

  /**
   * Runs one step. `feeds` must give the same values whenever it is called.
   * @throws CairnError `corrupt` when no snapshot is left whole to go back to
   */
  async step(step: number, position: P, feeds: () => Readonly<Record<string, Feed>>): Promise<GuardedStep<P>> {
    const broken = this.#seal && firstDifference(this.#seal, fingerprintState(this.#state));
    if (broken !== undefined) return { rollback: this.#rollBack(step, broken) };
    if (this.#due || step % this.#options.every === 0) this.#snapshot(step, position);
    const outputs = await this.#program.run(feeds());
    this.#since.push({ feeds, outputs: fingerprintOutputs(outputs) });
    if (this.#since.length === 1 || this.#isUnusual(outputs)) {
      const good = await this.#replay(step);
      this.#sealState();
      return { outputs: good ?? outputs };
    }
    this.#sealState();
    return { outputs };
  }

  #snapshot(step: number, position: P): void {
    const hashes = this.#seal ?? fingerprintState(this.#state);
    this.#ring = [...this.#ring, { step, position, state: this.#state.clone(), hashes }].slice(-this.#options.ring);
    this.#since = [];
    this.#due = false;
  }

  #sealState(): void {
    this.#seal = this.#options.seal ? fingerprintState(this.#state) : undefined;
  }

  /** Replays the steps since the snapshot; returns the outputs of the last one when the record was wrong. */
  async #replay(step: number): Promise<Readonly<Record<string, HostTensor>> | undefined> {
    const start = this.#ring.at(-1)!;
    const hit = firstDifference(start.hashes, fingerprintState(start.state));
    if (hit !== undefined) {
      this.#ring = this.#ring.slice(0, -1);
      this.#due = true;
      this.#options.onEvent?.({ verdict: 'corrupt', check: 'snapshot', from: start.step, step, tensor: hit });
      return undefined;
    }
    const record = { outputs: this.#since.map((s) => s.outputs), state: fingerprintState(this.#state) };
    const first = await this.#again(start);
    let tensor = difference(record, first);
    let verdict: Verdict = 'equal';
    let last = first.last;
    if (tensor !== undefined) {
      const second = await this.#again(start);
      const unlike = difference(first, second);
      verdict = unlike === undefined ? 'corrupt' : 'nondeterministic';
      tensor = unlike ?? tensor;
      last = second.last;
      this.#since = this.#since.map((s, i) => ({ ...s, outputs: second.outputs[i]! }));
    }
    this.#options.onEvent?.({
      verdict,
      check: 'replay',
      from: start.step,
      step,
      ...(tensor === undefined ? {} : { tensor }),
    });
    return verdict === 'equal' ? undefined : last;
  }

  async #again(start: Snapshot<P>): Promise<Run> {
    this.#restore(start);
    const outputs: Fingerprints[] = [];
    let last: Readonly<Record<string, HostTensor>> = {};
    for (const done of this.#since) {
      last = await this.#program.run(done.feeds());
      outputs.push(fingerprintOutputs(last));
    }
    return { outputs, state: fingerprintState(this.#state), last };
  }

  #restore(snapshot: Snapshot<P>): void {
    for (const [name, t] of snapshot.state.clone().entries()) this.#state.set(name, t);
  }

  #rollBack(step: number, tensor: string): P {
    // A flipped bit may have hit a snapshot too; the older one is there for that.
    const whole = this.#ring.findLast((s) => firstDifference(s.hashes, fingerprintState(s.state)) === undefined);
    if (!whole) {
      throw new CairnError('corrupt', `Expected a whole snapshot to go back to, got none; \`${tensor}\` has changed.`, {
        hint: 'Resume from the last checkpoint.',
      });
    }
    this.#restore(whole);
    this.#ring = this.#ring.slice(0, this.#ring.indexOf(whole));
    this.#due = true;
    this.#seal = whole.hashes;
    this.#options.onEvent?.({
      verdict: 'corrupt',
      check: 'seal',
      from: step,
      step,
      tensor,
      rolledBackTo: whole.step,
    });
    return whole.position;
  }

  #isUnusual(outputs: Readonly<Record<string, HostTensor>>): boolean {
    let found = false;
    for (const name of ['loss', 'gradNorm'] as const) {
      const value = outputs[name]?.data[0];
      if (value !== undefined && this.#usual[name].surprises(value, this.#options.sigma)) found = true;
    }
    return found;
  }
}

interface Run {
  readonly outputs: readonly Fingerprints[];
  readonly state: Fingerprints;
  readonly last: Readonly<Record<string, HostTensor>>;
}

function difference(a: Omit<Run, 'last'>, b: Omit<Run, 'last'>): string | undefined {
  const state = firstDifference(a.state, b.state);
  if (state !== undefined) return state;
  for (const [i, x] of a.outputs.entries()) {
    const output = firstDifference(x, b.outputs[i]!);
    if (output !== undefined) return output;
  }
  return undefined;
}

/** Running mean and deviation of a value, recent steps weighing more. */
class Usual {
  #count = 0;
  #mean = 0;
  #variance = 0;

  surprises(value: number, sigma: number): boolean {
    if (!Number.isFinite(value)) return true;
    const gap = value - this.#mean;
    const out = this.#count >= SETTLED && gap > sigma * Math.sqrt(this.#variance);
    const share = Math.max(0.05, 1 / ++this.#count);
    this.#mean += share * gap;
    this.#variance = (1 - share) * (this.#variance + share * gap * gap);
    return out;
  }
}
