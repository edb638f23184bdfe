// The lifelong learner: a hash table of tasks keyed by context, each learned given the modules that earlier tasks froze
// into. After the construction of "Provable Hierarchical Lifelong Learning with a Sketch-based Modular Architecture"
// (arXiv 2112.10919). Without contexts, which task an example belongs to is discovered: see identity.ts.
import { CairnError } from '../../errors.ts';
import { Rng } from '../../tensor/index.ts';
import { type Context, Contexts } from './contexts.ts';
import { Identity, type IdentityOptions, type Segment } from './identity.ts';
import { type AdoptedFunction, type FrozenModule, Library } from './library.ts';
import type { Reference, TargetKind } from './model.ts';
import { splitTask } from './split.ts';
import { type Certified, Task, type TaskOptions, type TaskStatus } from './task.ts';

export interface LifelongOptions {
  /** Names of the numbers of an example. */
  readonly features: readonly string[];
  readonly seed: number;
  /** A module is frozen when its error is certified to be below this. Default 0.05. */
  readonly epsilon?: number;
  /** Chance that any freeze of one task is wrong. Default 0.01. */
  readonly delta?: number;
  /** Numbers count as met within this distance. Default 1e-6. */
  readonly tolerance?: number;
  /** Most modules on a path. Default 16. */
  readonly maxDepth?: number;
  /** Above this many candidates only informative and recent ones are read. Default 2,000. */
  readonly pruneAbove?: number;
  /** How many informative and how many recent ones are kept then. Default 64 each. */
  readonly keep?: number;
  /** Whether small networks may be trained where nothing simpler fits. Default true. */
  readonly networks?: boolean;
  /** Most samples kept of one task. Default 8,192. */
  readonly maxSamples?: number;
  /** Failed tests after which a task is parked until a module is published. Default 3. */
  readonly patience?: number;
  /** Modules unread for this many steps are retired. Default: never. */
  readonly retireAfter?: number;
  /** Cosine of context sketches above which two contexts are one. Default 0.8. */
  readonly sameContext?: number;
  /** How tasks are told apart without contexts. */
  readonly identity?: IdentityOptions;
}

/** What one step found. */
export interface Step {
  /** The answer before this example was learned; undefined while the task has no model. */
  readonly prediction: number | undefined;
  /** Task that is responsible; undefined while no task explains the examples. */
  readonly task: string | undefined;
  readonly status: TaskStatus | 'unknown';
  /** Estimated chance that the prediction is right. */
  readonly confidence: number;
  /** Names of the modules that were run, in order. */
  readonly trace: readonly string[];
  /** Modules that were published because of this example. */
  readonly published: readonly FrozenModule[];
}

/** A task as it stands. */
export interface TaskReport {
  readonly name: string;
  readonly status: TaskStatus;
  readonly samples: number;
  /** The module that answers. */
  readonly module: string | undefined;
  readonly confidence: number;
}

const KEPT = 64;

/**
 * Learns tasks one after another without forgetting any.
 *
 * @example
 * const learner = new Lifelong({ features: ['a', 'b', 'c', 'd'], seed: 7, epsilon: 0.25 });
 * for (const x of inputs) learner.step('xor ab', x, x[0] ^ x[1]);
 * learner.frozen()[0]?.model; // { kind: 'table', inputs: [0, 1], table: 6 }
 * learner.call('xor ab', [1, 0, 0, 1]); // 1
 */
export class Lifelong {
  readonly library: Library;
  readonly #options: TaskOptions;
  readonly #retireAfter: number;
  readonly #rng: Rng;
  readonly #contexts: Contexts;
  readonly #byBucket = new Map<number, Task>();
  readonly #tasks: Task[] = [];
  readonly #identity: Identity;
  #time = 0;

  constructor(options: LifelongOptions) {
    const { features, seed } = options;
    if (features.length === 0) throw new CairnError('bad_option', 'Expected at least one feature, got none.');
    this.#options = {
      epsilon: probability('epsilon', options.epsilon ?? 0.05),
      delta: probability('delta', options.delta ?? 0.01),
      tolerance: options.tolerance ?? 1e-6,
      maxDepth: options.maxDepth ?? 16,
      pruneAbove: options.pruneAbove ?? 2000,
      keep: options.keep ?? 64,
      networks: options.networks ?? true,
      maxSamples: options.maxSamples ?? 8192,
      patience: options.patience ?? 3,
    };
    this.#retireAfter = options.retireAfter ?? Infinity;
    this.library = new Library(features);
    this.#rng = new Rng(seed).fork('lifelong');
    this.#contexts = new Contexts({
      seed: `${seed}`,
      ...(options.sameContext === undefined ? {} : { same: options.sameContext }),
    });
    this.#identity = new Identity(this.library, this.#options, options.identity ?? {});
  }

  /**
   * Answers one example and, when its target is given, learns from it.
   * @param context names or describes the task; undefined when nobody knows which task it is
   * @param x one number per feature
   * @param y 0 or 1, or any finite number
   * @throws CairnError `shape_mismatch`, `not_finite`
   */
  step(context: Context | undefined, x: ArrayLike<number>, y?: number): Step {
    this.#check(x, y);
    this.#time++;
    if (this.#time % 1024 === 0 && this.#retireAfter < Infinity) {
      this.library.retireUnreadSince(this.#time - this.#retireAfter);
    }
    const memo = new Map<Reference, number>();
    if (context === undefined) return this.#unlabelled(x, y, memo);
    const task = this.#taskOf(context, y !== undefined);
    if (task === undefined) return unknown();
    const answer = this.#answer(task, x, memo);
    if (y === undefined) return answer;
    const published: FrozenModule[] = [];
    const certified = task.module === undefined ? task.learn(x, y, numbersOf(context)) : undefined;
    if (task.module !== undefined) task.seen++;
    if (certified !== undefined) this.#settle(task, certified, published);
    else if (task.status === 'parked' && task.branch === undefined) this.#trySplit(task, published);
    return { ...answer, status: task.status, published };
  }

  /** Modules that are frozen, in the order they were. */
  frozen(): FrozenModule[] {
    return this.library.modules();
  }

  /** Every task met so far. */
  tasks(): TaskReport[] {
    return this.#tasks.map((t) => ({
      name: t.name,
      status: t.status,
      samples: t.seen,
      module: t.module === undefined ? undefined : this.library.nameOf(t.module),
      confidence: t.module === undefined ? t.confidence() : 1 - this.#options.epsilon,
    }));
  }

  /**
   * The answer of a task without learning.
   * @param task a context, or the name of a module
   * @throws CairnError `unknown_task`, `shape_mismatch`
   */
  call(task: Context, x: ArrayLike<number>): number | undefined {
    this.#check(x, undefined);
    const memo = new Map<Reference, number>();
    const found = this.#taskOf(task, false);
    if (found !== undefined) return this.#answer(found, x, memo).prediction;
    const module = typeof task === 'string' ? this.library.modules().find((m) => m.name === task) : undefined;
    if (module === undefined) {
      throw new CairnError('unknown_task', 'Expected a task that was met or the name of a module, got another.', {
        hint: 'List them with tasks() and frozen().',
      });
    }
    this.library.touch(module.reference, this.#time);
    return this.library.evaluate(module.reference, x, memo);
  }

  /** Brings in a function from outside as a frozen module that new tasks may read. `hash` names its content. */
  adopt(name: string, kind: TargetKind, call: AdoptedFunction, hash: string): FrozenModule {
    const module = this.library.adopt(name, kind, call, hash);
    this.#wake([]);
    return module;
  }

  /**
   * Which module explains each of the examples that came without context, oldest first, now that all evidence is in;
   * undefined where none does. Only the last ones are kept, see `IdentityOptions.history`.
   */
  assignments(): (string | undefined)[] {
    return this.#identity.assignments().map((r) => (r === undefined ? undefined : this.library.nameOf(r)));
  }

  /** Throws when a frozen module changed or the graph of modules is not what it was. */
  verify(): void {
    this.library.verify();
  }

  #unlabelled(x: ArrayLike<number>, y: number | undefined, memo: Map<Reference, number>): Step {
    const belief = this.#identity.belief();
    const answer: Step =
      belief === undefined
        ? unknown()
        : {
            prediction: this.library.evaluate(belief.module, x, memo),
            task: this.library.nameOf(belief.module),
            status: 'frozen',
            confidence: belief.probability,
            trace: this.library.below(belief.module).map((m) => m.name),
            published: [],
          };
    if (belief !== undefined) this.library.touch(belief.module, this.#time);
    if (y === undefined) return answer;
    const published: FrozenModule[] = [];
    this.#identity.observe(x, y);
    for (let found = this.#identity.search(); found !== undefined; found = this.#identity.search()) {
      published.push(this.#publish(found));
    }
    if (published.length > 0) this.#wake(published);
    return { ...answer, published };
  }

  #publish({ fit, certificate, kind }: Segment): FrozenModule {
    const name = `discovered ${this.library.size + 1}`;
    const module = this.library.freeze(name, kind, fit.model, certificate.samples, certificate);
    this.library.touch(module.reference, this.#time);
    this.#identity.published(module.reference);
    return module;
  }

  #taskOf(context: Context, create: boolean): Task | undefined {
    let bucket = this.#contexts.find(context);
    if (bucket === undefined) {
      if (!create) return undefined;
      bucket = this.#contexts.add(context);
      const name = typeof context === 'string' ? context : `task ${bucket + 1}`;
      this.#byBucket.set(bucket, this.#newTask(name));
    }
    let task = this.#byBucket.get(bucket)!;
    const code = numbersOf(context);
    if (code === undefined) return task;
    while (task.branch !== undefined) {
      task = (code[task.branch.attribute] ?? 0) < task.branch.threshold ? task.branch.low : task.branch.high;
    }
    return task;
  }

  #newTask(name: string, changed: Partial<TaskOptions> = {}): Task {
    const id = this.#tasks.length;
    const task = new Task(id, name, this.library, { ...this.#options, ...changed }, this.#rng.fork(id));
    this.#tasks.push(task);
    return task;
  }

  #answer(task: Task, x: ArrayLike<number>, memo: Map<Reference, number>): Step {
    const prediction = task.predict(x, memo);
    if (task.module !== undefined) this.library.touch(task.module, this.#time);
    return {
      prediction,
      task: task.name,
      status: task.status,
      confidence:
        prediction === undefined ? 0 : task.module === undefined ? task.confidence() : 1 - this.#options.epsilon,
      trace: [...memo.keys()].map((r) => this.library.nameOf(r)),
      published: [],
    };
  }

  /** Freezes a task and tries the others again. */
  #settle(task: Task, certified: Certified, published: FrozenModule[]): void {
    this.#freeze(task, certified, published);
    this.#wake(published);
  }

  /** Publishes a model, or, where it is a copy of an older module, lets the task answer by that one. */
  #freeze(task: Task, { fit, certificate }: Certified, published: FrozenModule[]): void {
    const { model } = fit;
    if (model.kind === 'copy' && !model.negate && this.library.isModule(model.input)) {
      task.module = model.input;
      task.status = 'merged';
    } else {
      const module = this.library.freeze(task.name, task.kind, model, task.samples.count, certificate);
      task.module = module.reference;
      task.status = 'frozen';
      published.push(module);
      this.#identity.published(module.reference);
    }
    this.library.touch(task.module, this.#time);
    task.forgetSamples(KEPT);
  }

  /** Tries every unfinished task again; what freezes may let others freeze. */
  #wake(published: FrozenModule[]): void {
    for (let again = true; again;) {
      again = false;
      for (const task of this.#tasks) {
        const certified = task.retry();
        if (certified === undefined) continue;
        this.#freeze(task, certified, published);
        again = task.status === 'frozen' || again;
      }
      if (!again) {
        for (let found = this.#identity.search(true); found !== undefined; found = this.#identity.search(true)) {
          published.push(this.#publish(found));
          again = true;
        }
      }
    }
  }

  #trySplit(task: Task, published: FrozenModule[]): void {
    const found = splitTask(task, this.library, this.#options, (name, changed) => this.#newTask(name, changed));
    if (found === undefined) return;
    task.branch = found.branch;
    task.status = 'split';
    for (const [child, certified] of found.certified) this.#freeze(child, certified, published);
    this.#wake(published);
  }

  #check(x: ArrayLike<number>, y: number | undefined): void {
    const { features } = this.library;
    if (x.length !== features.length) {
      throw new CairnError('shape_mismatch', `Expected ${features.length} features, got ${x.length} numbers.`);
    }
    for (let i = 0; i < x.length; i++) {
      if (!Number.isFinite(x[i])) {
        throw new CairnError('not_finite', `Expected a finite number for "${features[i]}", got ${x[i]}.`);
      }
    }
    if (y !== undefined && !Number.isFinite(y)) {
      throw new CairnError('not_finite', `Expected a finite target, got ${y}.`, { hint: 'Leave it out to only ask.' });
    }
  }
}

function unknown(): Step {
  return { prediction: undefined, task: undefined, status: 'unknown', confidence: 0, trace: [], published: [] };
}

function numbersOf(context: Context): ArrayLike<number> | undefined {
  return typeof context === 'string' || 'module' in context ? undefined : context;
}

function probability(name: string, value: number): number {
  if (!(value > 0 && value < 1)) {
    throw new CairnError('bad_option', `Expected ${name} between 0 and 1, got ${value}.`);
  }
  return value;
}
