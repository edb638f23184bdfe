// One entry of the learner's table: a task with its samples, its model while it learns, the tests it went through, and the
// module it froze into. It certifies; it does not publish: that is the learner's.
import type { Rng } from '../../tensor/index.ts';
import { type Candidates, type CandidateOptions, candidatesFor } from './candidates.ts';
import { certifyCounted, certifyHeldOut, type ErrorCertificate, samplesToCertify, testShare } from './certificate.ts';
import { CLASS_WEIGHT, classSize, type Fit, logHypotheses } from './fit.ts';
import { errorRate, fitLadder } from './ladder.ts';
import type { Library } from './library.ts';
import { evaluate, inputsOf, type ModelKind, type Reference, type TargetKind } from './model.ts';
import { Samples } from './samples.ts';

/**
 * `learning`: takes samples. `parked`: several tests failed; tried again when a module is published. `frozen`: answers by a
 * module of its own. `merged`: answers by the module of an older task. `split`: two tasks in one bucket, told apart by the
 * context.
 */
export type TaskStatus = 'learning' | 'parked' | 'frozen' | 'merged' | 'split';

export interface TaskOptions extends CandidateOptions {
  readonly epsilon: number;
  readonly delta: number;
  readonly tolerance: number;
  readonly networks: boolean;
  /** Most samples kept while learning. */
  readonly maxSamples: number;
  /** Failed tests after which a task is parked. */
  readonly patience: number;
}

/** A branch of a split task. */
export interface Branch {
  readonly attribute: number;
  readonly threshold: number;
  readonly low: Task;
  readonly high: Task;
}

interface TestRecord {
  /** Tests at growing numbers of samples. */
  tests: number;
  at: number;
  /** Hypotheses of the class at the last of them: later ones on the same samples only pay for what is new. */
  size: number;
  /** Latest module that a model judged on held-out samples has read. */
  newest: number;
}

/** A model that passed. */
export interface Certified {
  readonly fit: Fit;
  readonly certificate: ErrorCertificate;
}

const FINITE = ['constant', 'copy', 'table'] as const;
const GROWTH = 1.25;

export class Task {
  readonly id: number;
  readonly name: string;
  status: TaskStatus = 'learning';
  samples: Samples;
  fit: Fit | undefined;
  /** The module that answers, once frozen or merged. */
  module: Reference | undefined;
  branch: Branch | undefined;
  /** All labelled examples seen, also those no longer kept. */
  seen = 0;
  kind: TargetKind = 'boolean';
  /** How many splits lie above this task. */
  splits = 0;
  readonly #library: Library;
  readonly #options: TaskOptions;
  readonly #rng: Rng;
  readonly #records = new Map<ModelKind, TestRecord>();
  #nextFit = 4;
  #failed = 0;

  constructor(id: number, name: string, library: Library, options: TaskOptions, rng: Rng) {
    this.id = id;
    this.name = name;
    this.#library = library;
    this.#options = options;
    this.#rng = rng;
    this.samples = new Samples(library);
  }

  /** Takes a labelled example; returns a model that may be frozen, if this example completed the evidence. */
  learn(x: ArrayLike<number>, y: number, context?: ArrayLike<number>): Certified | undefined {
    this.seen++;
    if (y !== 0 && y !== 1) this.kind = 'number';
    if (this.samples.count >= this.#options.maxSamples) return undefined;
    this.samples.add(x, y, context);
    const candidates = candidatesFor(this.#library, this.samples, this.#options);
    const due = this.#due(candidates);
    if (due.length === 0 && this.samples.count < this.#nextFit) return undefined;
    if (due.length === 0 && this.status === 'parked') return undefined;
    this.#refit(candidates);
    return this.#test(due);
  }

  /** Tries again with what is published now, on the samples there are. */
  retry(): Certified | undefined {
    const n = this.samples.count;
    if (n === 0 || this.status === 'frozen' || this.status === 'merged' || this.status === 'split') return undefined;
    const candidates = candidatesFor(this.#library, this.samples, this.#options);
    this.#refit(candidates);
    const fit = this.fit;
    const kind = fit?.model.kind;
    const record = kind && this.#records.get(kind);
    if (fit === undefined || kind === undefined || record === undefined || record.tests === 0) return undefined;
    if (isFinite(kind) && fit.logHypotheses !== undefined) {
      return this.#judgeFinite(fit, this.#share(record), growthPenalty(record.size, sizeOf(kind, candidates)));
    }
    // On held-out samples every try is a test of its own; one is only spent when the model reads something new.
    const newest = Math.max(-1, ...inputsOf(fit.model));
    if (newest <= record.newest) return undefined;
    record.newest = newest;
    record.tests++;
    return this.#judgeHeldOut(fit, kind);
  }

  /** The answer of the current model; undefined while there is none. */
  predict(x: ArrayLike<number>, memo: Map<Reference, number>): number | undefined {
    if (this.module !== undefined) return this.#library.evaluate(this.module, x, memo);
    const model = this.fit?.model;
    return model && evaluate(model, (r) => this.#library.evaluate(r, x, memo));
  }

  /** How often the current model was right, from its samples. */
  confidence(): number {
    return this.fit === undefined ? 0 : 1 - errorRate(this.fit);
  }

  /** Keeps the last examples only: enough to compare it with other tasks. */
  forgetSamples(keep: number): void {
    const n = this.samples.count;
    this.samples = this.samples.slice(Math.max(0, n - keep), n);
  }

  #refit(candidates: Candidates): void {
    const { tolerance, epsilon, networks } = this.#options;
    const n = this.samples.count;
    this.fit = fitLadder(this.samples, candidates, this.kind, { tolerance, epsilon, rng: this.#rng, networks });
    this.#nextFit = n + Math.max(4, n >> 2);
  }

  /** Classes whose next test falls on the present number of samples; their count moves on whether they pass or not. */
  #due(candidates: Candidates): ModelKind[] {
    const n = this.samples.count;
    const due: ModelKind[] = [];
    for (const kind of [...FINITE, 'sparse', 'network'] as const) {
      let record = this.#records.get(kind);
      if (record === undefined) this.#records.set(kind, (record = { tests: 0, at: 0, size: 1, newest: -1 }));
      const share = testShare(this.#options.delta, record.tests + 1);
      const need = isFinite(kind)
        ? samplesToCertify(this.#options.epsilon, share / 2, logHypotheses(kind, sizeOf(kind, candidates)))
        : 4 * Math.ceil(Math.log(1 / (share * CLASS_WEIGHT[kind])) / this.#options.epsilon);
      if (n < need || n < GROWTH * record.at) continue;
      record.tests++;
      record.at = n;
      if (isFinite(kind)) record.size = sizeOf(kind, candidates);
      due.push(kind);
    }
    return due;
  }

  #test(due: readonly ModelKind[]): Certified | undefined {
    const fit = this.fit;
    if (fit === undefined || due.length === 0) return undefined;
    const { kind } = fit.model;
    if (due.includes(kind)) {
      const passed =
        fit.logHypotheses === undefined
          ? this.#judgeHeldOut(fit, kind)
          : this.#judgeFinite(fit, this.#share(this.#records.get(kind)!), 0);
      if (passed !== undefined) return passed;
    }
    if (due.includes('table')) {
      this.#failed++;
      if (this.#failed >= this.#options.patience && this.status === 'learning') this.status = 'parked';
    }
    return undefined;
  }

  /** Half of a test's share is for its own hypotheses, half for those that come up later on the same samples. */
  #share(record: TestRecord): number {
    return testShare(this.#options.delta, record.tests) / 2;
  }

  #judgeFinite(fit: Fit, share: number, penalty: number): Certified | undefined {
    const log = fit.logHypotheses! + penalty;
    const certificate = certifyCounted(fit.judged, fit.errors, this.#options.epsilon, share, log);
    return certificate && { fit, certificate };
  }

  #judgeHeldOut(fit: Fit, kind: ModelKind): Certified | undefined {
    const share = testShare(this.#options.delta, this.#records.get(kind)!.tests) * CLASS_WEIGHT[kind];
    const certificate = certifyHeldOut(fit.judged, fit.errors, this.#options.epsilon, share);
    return certificate && { fit, certificate };
  }
}

function isFinite(kind: ModelKind): kind is (typeof FINITE)[number] {
  return kind === 'constant' || kind === 'copy' || kind === 'table';
}

function sizeOf(kind: (typeof FINITE)[number], candidates: Candidates): number {
  return classSize(kind, kind === 'table' ? candidates.pairable.length : candidates.references.length);
}

/**
 * What a model pays that came up after the list had grown from `before` to `now` hypotheses: with weights
 * 1 / (size (1 + ln(size / before))²) all later ones together weigh no more than one list.
 */
function growthPenalty(before: number, now: number): number {
  return 2 * Math.log(1 + Math.log(Math.max(1, now / before)));
}
