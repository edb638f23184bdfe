// Which task is it? Without contexts, the examples themselves must tell: a sticky hidden Markov model over the published
// modules and one unknown task, smoothed over what was seen. Where the unknown one rules, stretches of examples are searched
// for a function that explains them; what is certified becomes a module.
import { Rng } from '../../tensor/index.ts';
import { type CandidateOptions, candidatesFor } from './candidates.ts';
import { certifyCounted, certifyHeldOut, type ErrorCertificate, samplesToCertify, testShare } from './certificate.ts';
import { classSize, type Fit, logHypotheses } from './fit.ts';
import { fitLadder } from './ladder.ts';
import type { Library } from './library.ts';
import type { Reference, TargetKind } from './model.ts';
import { Samples } from './samples.ts';

export interface IdentityOptions {
  /** Chance that the next example is of the same task. Default 0.95. */
  readonly stay?: number;
  /** Examples that are kept for smoothing and search. Default 8,192. */
  readonly history?: number;
  /** Unexplained examples between two searches. Default 16. */
  readonly searchEvery?: number;
}

interface SearchOptions extends CandidateOptions {
  readonly epsilon: number;
  readonly delta: number;
  readonly tolerance: number;
}

/** A function that explains a stretch of examples. */
export interface Segment {
  readonly fit: Fit;
  readonly certificate: ErrorCertificate;
  readonly kind: TargetKind;
}

/** The most likely task of the next example. */
export interface Belief {
  readonly module: Reference;
  readonly probability: number;
}

/** Examples without a task, and what is believed about them. */
export class Identity {
  readonly #library: Library;
  readonly #options: SearchOptions;
  readonly #stay: number;
  readonly #history: number;
  readonly #every: number;
  #examples: Samples;
  #modules: Reference[] = [];
  /** Filtered belief over the modules, the unknown task last. */
  #belief: number[] = [1];
  #unexplained = 0;
  #tests = 0;
  readonly #tried = new Set<string>();
  #dropped = 0;
  readonly #distinct = new Set<number>();
  #counted = 0;

  constructor(library: Library, options: SearchOptions, identity: IdentityOptions) {
    this.#library = library;
    this.#options = options;
    this.#stay = identity.stay ?? 0.95;
    this.#history = identity.history ?? 8192;
    this.#every = identity.searchEvery ?? 16;
    this.#examples = new Samples(library);
  }

  /** The module that most likely answers the next example; undefined while the unknown task is likelier than all. */
  belief(): Belief | undefined {
    const next = this.#predicted(this.#belief);
    let best = next.length - 1;
    for (let k = 0; k < next.length; k++) if (next[k]! > next[best]!) best = k;
    return best === next.length - 1 ? undefined : { module: this.#modules[best]!, probability: next[best]! };
  }

  observe(x: ArrayLike<number>, y: number): void {
    this.#examples.add(x, y);
    if (this.#examples.count > 1.25 * this.#history) {
      this.#dropped += this.#examples.count - this.#history;
      this.#examples = this.#examples.slice(this.#examples.count - this.#history, this.#examples.count);
    }
    this.#belief = normalised(this.#weighted(this.#predicted(this.#belief), this.#examples.count - 1));
    if (this.#belief.at(-1)! > 0.5) this.#unexplained++;
  }

  /** A module was published: from now on it is a possible explanation, also of what lies back. */
  published(module: Reference): void {
    this.#modules.push(module);
    const n = this.#examples.count;
    let belief = this.#start();
    for (let t = Math.max(0, n - 512); t < n; t++) belief = normalised(this.#weighted(this.#predicted(belief), t));
    this.#belief = belief;
  }

  /** Looks for a function that explains a stretch of unexplained examples, when there are enough new ones or if `now`. */
  search(now = false): Segment | undefined {
    if (!now && this.#unexplained < this.#every) return undefined;
    const kind: TargetKind = this.#examples.targets.every((y) => y === 0 || y === 1) ? 'boolean' : 'number';
    for (const [from, to] of runs(this.#smoothed(), this.#modules.length)) {
      const pool = candidatesFor(this.#library, this.#examples, this.#options);
      for (let end = to; ;) {
        const length = this.#windowLength(pool.pairable.length);
        const start = end - length;
        if (start < from) break;
        const key = `${start + this.#dropped}:${length >> 3}:${this.#modules.length}`;
        if (!this.#tried.has(key)) {
          this.#tried.add(key);
          const found = this.#explain(this.#examples.slice(start, end), kind);
          if (found !== undefined) {
            this.#unexplained = this.#every;
            return found;
          }
        }
        end -= Math.max(8, length >> 2);
      }
    }
    this.#unexplained = 0;
    return undefined;
  }

  /** The module of each kept example by all evidence, undefined where the unknown task is likelier. */
  assignments(): (Reference | undefined)[] {
    return Array.from(this.#smoothed(), (k) => this.#modules[k]);
  }

  #windowLength(candidates: number): number {
    const share = testShare(this.#options.delta, this.#tests + 1);
    return samplesToCertify(this.#options.epsilon, share, logHypotheses('table', classSize('table', candidates)));
  }

  #explain(window: Samples, kind: TargetKind): Segment | undefined {
    this.#tests++;
    const { epsilon, delta, tolerance } = this.#options;
    const share = testShare(delta, this.#tests);
    const candidates = candidatesFor(this.#library, window, this.#options);
    const fit = fitLadder(window, candidates, kind, { epsilon, tolerance, networks: false, rng: new Rng(0) });
    if (fit === undefined) return undefined;
    const { model } = fit;
    if (model.kind === 'copy' && !model.negate && this.#modules.includes(model.input)) return undefined;
    const certificate =
      fit.logHypotheses === undefined
        ? certifyHeldOut(fit.judged, fit.errors, epsilon, share)
        : certifyCounted(fit.judged, fit.errors, epsilon, share, fit.logHypotheses);
    return certificate && { fit, certificate, kind };
  }

  /** Most likely state of each example by the forward-backward recursion; the last state is the unknown task. */
  #smoothed(): Uint16Array {
    const n = this.#examples.count;
    const states = this.#modules.length + 1;
    const forward = new Float64Array(n * states);
    let belief = this.#start();
    for (let t = 0; t < n; t++) {
      belief = normalised(this.#weighted(t === 0 ? belief : this.#predicted(belief), t));
      forward.set(belief, t * states);
    }
    const best = new Uint16Array(n);
    let backward = new Array<number>(states).fill(1);
    for (let t = n - 1; t >= 0; t--) {
      let top = -1;
      for (let k = 0; k < states; k++) {
        const p = forward[t * states + k]! * backward[k]!;
        if (p > top) {
          top = p;
          best[t] = k;
        }
      }
      backward = normalised(this.#predicted(this.#weighted(backward, t)));
    }
    return best;
  }

  #start(): number[] {
    const states = this.#modules.length + 1;
    return new Array<number>(states).fill(1 / states);
  }

  /** One step of the chain: stay, or move to any other state alike. Symmetric, so it also runs backward. */
  #predicted(belief: readonly number[]): number[] {
    if (belief.length === 1) return [...belief];
    const total = belief.reduce((s, p) => s + p, 0);
    const move = (1 - this.#stay) / (belief.length - 1);
    return belief.map((p) => this.#stay * p + move * (total - p));
  }

  /** Times the likelihood of an example's target. */
  #weighted(belief: readonly number[], t: number): number[] {
    const y = this.#examples.targets[t]!;
    const values = this.#targetValues();
    return belief.map((p, k) => {
      const reference = this.#modules[k];
      if (reference === undefined) return p / values;
      const { kind } = this.#library.module(reference);
      const limit = kind === 'boolean' ? 0.5 : this.#options.tolerance;
      const miss = this.#missRate(reference);
      const value = this.#examples.valueAt(reference, t);
      return p * (Math.abs(value - y) <= limit ? 1 - miss : miss / (values - 1));
    });
  }

  #missRate(reference: Reference): number {
    const certificate = this.#library.module(reference).certificate;
    if (certificate === undefined) return 0.02;
    return Math.max(1e-3, (certificate.errors + 0.05) / (certificate.samples + 1));
  }

  /** How many values a target may take: what a blind guess is measured by. */
  #targetValues(): number {
    const targets = this.#examples.targets;
    if (this.#distinct.size < 1000) {
      for (let i = this.#counted; i < targets.length; i++) this.#distinct.add(targets[i]!);
    }
    this.#counted = targets.length;
    return Math.max(2, this.#distinct.size);
  }
}

/** Stretches of examples in the unknown state, latest first. */
function runs(states: Uint16Array, unknown: number): [number, number][] {
  const found: [number, number][] = [];
  for (let end = states.length; end > 0;) {
    if (states[end - 1] !== unknown) {
      end--;
      continue;
    }
    let start = end;
    while (start > 0 && states[start - 1] === unknown) start--;
    found.push([start, end]);
    end = start;
  }
  return found;
}

function normalised(p: number[]): number[] {
  const total = p.reduce((s, v) => s + v, 0);
  return p.map((v) => v / total);
}
