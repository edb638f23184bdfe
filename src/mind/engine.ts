// The engine below the mind: finds the modules of a task, routes every input, runs, verifies, escalates, and grows the trace.
// It knows no memory and no disk; mind.ts adds them.
import { CairnError } from '../errors.ts';
import type { Encoder, PathRouter } from '../route/index.ts';
import type { Rng } from '../tensor/index.ts';
import { BudgetState } from './_budget.ts';
import { RunningCall, type Frame } from './_call.ts';
import { checkAttributes, Node, NO_USAGE, totalUsage } from './_trace.ts';
import type { Answer, Certificate, Limits, Module, NestedLimits, Reply, RouteNote, Usage } from './module.ts';

/** Replays certificates of one task. Independent of the modules that produce them. */
export interface Checker<I = unknown, O = unknown> {
  /** True: an answer without an accepted certificate does not count. Default false. */
  readonly required?: boolean;
  /** Null when the certificate proves the output, else why not. Must not throw for malformed certificates. */
  check(input: I, output: O, certificate: Certificate): string | null;
}

/** How one task's inputs are routed: a fitted router and the features it was fitted on. */
export interface Routing<I = unknown> {
  readonly router: PathRouter;
  readonly encoder: Encoder<I>;
}

export interface EngineOptions {
  readonly rng: Rng;
  /** Milliseconds, for usage and deadlines only. */
  readonly clock: () => number;
}

type Any = Module<unknown, unknown>;

/** One input on its way through the modules of its task. */
interface Pending {
  readonly input: unknown;
  readonly node: Node;
  readonly plan: { readonly module: Any; readonly threshold: number }[];
  step: number;
  best: { answer: Answer<unknown>; module: Any; inputs: Node['inputs']; proved: boolean } | undefined;
  failure: NonNullable<Reply<unknown>['failure']> | undefined;
  last: string;
  reply: Reply<unknown> | undefined;
}

const MAX_DEPTH = 32;

export class Engine {
  readonly #modules = new Map<string, Any[]>();
  readonly #checkers = new Map<string, Checker>();
  readonly #routings = new Map<string, Routing>();
  readonly #options: EngineOptions;
  #asks = 0;

  constructor(options: EngineOptions) {
    this.#options = options;
  }

  /** @throws CairnError `duplicate_module`, `bad_module` */
  add(module: Any): void {
    const list = this.#modules.get(module.task) ?? [];
    if (list.some((m) => m.id === module.id)) {
      throw new CairnError('duplicate_module', `Expected a new module id, got '${module.id}' again.`, {
        hint: 'Give every module of a task its own id.',
      });
    }
    if (!module.id.startsWith(`${module.task}/`) || !(module.cost.amount >= 0)) {
      throw new CairnError(
        'bad_module',
        `Expected an id '${module.task}/<variant>' and a cost of at least 0, got '${module.id}' and ${module.cost.amount}.`,
      );
    }
    const unit = list[0]?.cost.unit;
    if (unit !== undefined && unit !== module.cost.unit) {
      throw new CairnError('bad_module', `Expected the cost of '${module.id}' in ${unit}, got ${module.cost.unit}.`, {
        hint: 'All modules of a task state cost in one unit.',
      });
    }
    this.#modules.set(
      module.task,
      [...list, module].sort((a, b) => a.cost.amount - b.cost.amount),
    );
  }

  /** Takes a module out again; routers pass over what is not there. */
  remove(task: string, id: string): void {
    const list = this.#modules.get(task);
    if (list)
      this.#modules.set(
        task,
        list.filter((m) => m.id !== id),
      );
  }

  /** Another engine with the same modules, checkers and routers: what is changed there is not changed here. */
  copy(options: EngineOptions): Engine {
    const copy = new Engine(options);
    for (const [task, list] of this.#modules) copy.#modules.set(task, list);
    for (const [task, checker] of this.#checkers) copy.#checkers.set(task, checker);
    for (const [task, routing] of this.#routings) copy.#routings.set(task, routing);
    return copy;
  }

  setChecker(task: string, checker: Checker): void {
    this.#checkers.set(task, checker);
  }

  setRouting(task: string, routing: Routing): void {
    if (routing.router.encoder !== routing.encoder.id) {
      throw new CairnError(
        'bad_router',
        `Expected a router fitted on ${routing.encoder.id}, got one fitted on ${routing.router.encoder}.`,
        { hint: 'Calibrate the task again.' },
      );
    }
    this.#routings.set(task, routing);
  }

  /** From now on the cheapest module comes first. */
  dropRouting(task: string): void {
    this.#routings.delete(task);
  }

  routing(task: string): Routing | undefined {
    return this.#routings.get(task);
  }

  /** Modules of a task, cheapest first. */
  modules(task: string): readonly Any[] {
    const list = this.#modules.get(task);
    if (list) return list;
    throw new CairnError('unknown_task', `Expected a task that some module has, got '${task}'.`, {
      hint: `Known tasks: ${[...this.#modules.keys()].sort().join(', ') || 'none'}.`,
    });
  }

  tasks(): string[] {
    return [...this.#modules.keys()].sort();
  }

  /** A top-level call: its own budget, its own random stream, an empty stack. */
  async ask(task: string, inputs: readonly unknown[], limits: Limits = {}): Promise<Reply<unknown>[]> {
    const frame: Frame = {
      engine: this,
      stack: [],
      rng: this.#options.rng.fork(this.#asks++),
      budget: new BudgetState(limits, this.#options.clock),
      signal: limits.signal ?? new AbortController().signal,
      timer: { nested: 0, calls: 0 },
    };
    return this.run(task, inputs, limits, frame);
  }

  /** All inputs through the modules of a task; replies keep the order of the inputs. */
  async run(task: string, inputs: readonly unknown[], limits: NestedLimits, frame: Frame): Promise<Reply<unknown>[]> {
    const modules = this.modules(task);
    if (frame.stack.length >= MAX_DEPTH) {
      throw new CairnError(
        'too_deep',
        `Expected at most ${MAX_DEPTH} nested calls, got ${[...frame.stack.map((f) => f.task), task].slice(-4).join(' → ')} below them.`,
        { hint: 'A module probably asks for its own task with ever new inputs.' },
      );
    }
    for (const input of inputs) {
      const cycle = frame.stack.findIndex((f) => f.task === task && Object.is(f.input, input));
      if (cycle >= 0) {
        throw new CairnError(
          'cyclic_ask',
          `Expected a module not to wait for itself, got ${[...frame.stack.slice(cycle).map((f) => f.task), task].join(' → ')}.`,
          { hint: 'Ask with a smaller input, or for another task.' },
        );
      }
    }
    const pending = inputs.map((input) => this.#plan(task, input, modules, limits));
    for (;;) {
      if (frame.signal.aborted) throw aborted(frame.signal);
      const groups = new Map<Any, Pending[]>();
      for (const p of pending) {
        if (p.reply) continue;
        const next = p.plan[p.step];
        if (!next) this.#settle(p);
        else groups.set(next.module, [...(groups.get(next.module) ?? []), p]);
      }
      const module = modules.find((m) => groups.has(m));
      if (!module) return pending.map((p) => p.reply!);
      await this.#runGroup(task, module, groups.get(module)!, frame);
    }
  }

  #plan(task: string, input: unknown, all: readonly Any[], limits: NestedLimits): Pending {
    const floor = limits.minConfidence ?? 0;
    const eligible = all.filter(
      (m) =>
        (limits.allow?.includes(m.id) ?? true) &&
        !(limits.deny?.includes(m.id) ?? false) &&
        (m.accepts?.(input) ?? true),
    );
    const routing = this.#routings.get(task);
    const known = routing ? eligible.filter((m) => routing.router.modules.includes(m.id)) : [];
    let path = eligible;
    let thresholds = eligible.map(() => floor);
    let route: RouteNote = {
      by: limits.allow?.length === 1 ? 'pinned' : eligible.length > 1 ? 'cheapest' : 'only',
      chosen: eligible[0]?.id ?? '',
      path: eligible.map((m) => m.id),
    };
    let usage = NO_USAGE;
    if (routing && known.length > 1) {
      const { router, encoder } = routing;
      const z = new Float32Array(encoder.dim);
      encoder.embed(input, z, 0);
      const d = router.route(
        z,
        known.map((m) => m.id),
      );
      const chosen = d.path.map((id) => known.find((m) => m.id === id)!);
      path = [...chosen, ...eligible.filter((m) => !chosen.includes(m))];
      thresholds = path.map((m, i) => Math.max(floor, i < chosen.length - 1 ? router.threshold(m.id)! : 0));
      usage = { flop: encoder.flop + router.flop, ms: 0 };
      route = {
        by: 'router',
        chosen: chosen[0]!.id,
        path: d.path,
        expectedError: d.expectedError,
        interval: d.interval,
        expectedCost: d.expectedCost,
        cluster: d.cluster,
        ...(d.runnerUp
          ? {
              runnerUp: {
                module: d.runnerUp.path[0]!,
                expectedError: d.runnerUp.expectedError,
                expectedCost: d.runnerUp.expectedCost,
              },
            }
          : {}),
      };
    }
    const node = new Node(task, route);
    node.usage = usage;
    return {
      input,
      node,
      plan: path.map((module, i) => ({ module, threshold: thresholds[i]! })),
      step: 0,
      best: undefined,
      failure: undefined,
      last: `no module of '${task}' takes this input`,
      reply: undefined,
    };
  }

  async #runGroup(task: string, module: Any, group: readonly Pending[], frame: Frame): Promise<void> {
    const room = frame.budget.fits(module.cost);
    const runs = group.slice(0, Math.min(group.length, room));
    for (const p of group.slice(runs.length)) {
      p.node.addAttempt({ module: module.id, outcome: 'over-budget', usage: NO_USAGE });
      p.last = `the budget does not allow ${module.id}`;
      p.step++;
    }
    if (module.runBatch && runs.length > 1) return this.#runBatch(task, module, runs, frame);
    for (const p of runs) {
      if (frame.budget.fits(module.cost) < 1) {
        p.node.addAttempt({ module: module.id, outcome: 'over-budget', usage: NO_USAGE });
        p.last = `the budget does not allow ${module.id}`;
        p.step++;
        continue;
      }
      const call = new RunningCall(frame, task, p.input, module.id, false);
      const from = this.#options.clock();
      let answer: Answer<unknown> | undefined;
      let fault: unknown;
      try {
        answer = await module.run(p.input, call);
      } catch (error) {
        fault = error;
      }
      const elapsed = this.#options.clock() - from;
      frame.timer.nested += elapsed;
      this.#judge(task, module, p, answer, fault, Math.max(0, elapsed - call.nestedMs), call.inputs, frame);
    }
  }

  async #runBatch(task: string, module: Any, runs: readonly Pending[], frame: Frame): Promise<void> {
    const call = new RunningCall(frame, task, undefined, module.id, true);
    const from = this.#options.clock();
    let answers: readonly Answer<unknown>[] = [];
    let fault: unknown;
    try {
      answers = await module.runBatch!(
        runs.map((p) => p.input),
        call,
      );
      if (answers.length !== runs.length) {
        throw new CairnError('bad_batch', `Expected ${runs.length} answers from ${module.id}, got ${answers.length}.`);
      }
    } catch (error) {
      fault = error;
    }
    const elapsed = this.#options.clock() - from;
    frame.timer.nested += elapsed;
    runs.forEach((p, i) =>
      this.#judge(
        task,
        module,
        p,
        fault === undefined ? answers[i] : undefined,
        fault,
        elapsed / runs.length,
        [],
        frame,
      ),
    );
  }

  /** Accepts one answer, or passes the input on to its next module. */
  #judge(
    task: string,
    module: Any,
    p: Pending,
    answer: Answer<unknown> | undefined,
    fault: unknown,
    ms: number,
    inputs: Node['inputs'],
    frame: Frame,
  ): void {
    if (frame.signal.aborted) throw aborted(frame.signal);
    const usage: Usage = answer ? { ...answer.usage, ms: answer.usage.ms ?? ms } : { flop: 0, ms };
    frame.budget.charge(usage);
    let proved = false;
    let outcome: 'answered' | 'abstained' | 'unsure' | 'unproved' | 'failed' = 'answered';
    let note = answer?.note;
    if (!fault && answer) {
      try {
        checkAttributes(module.id, answer.attributes, answer.groups);
      } catch (error) {
        fault = error;
      }
    }
    if (fault || !answer) {
      outcome = 'failed';
      p.failure = toFailure(fault);
      note = p.failure.message;
      p.last = `${module.id} failed: ${p.failure.message}`;
    } else if (answer.output === undefined) {
      outcome = 'abstained';
      p.last = `${module.id} abstained${note ? `: ${note}` : ''}`;
    } else {
      const checker = this.#checkers.get(task);
      const why =
        checker && answer.certificate
          ? checker.check(p.input, answer.output, answer.certificate)
          : 'there is no certificate';
      proved = checker !== undefined && answer.certificate !== undefined && why === null;
      if (checker && !proved && (checker.required === true || answer.certificate)) {
        outcome = 'unproved';
        note = why ?? note;
        p.last = `${module.id} gave no proof that holds: ${why}`;
      } else if ((answer.confidence ?? 1) < p.plan[p.step]!.threshold) {
        outcome = 'unsure';
        p.last = `${module.id} was not sure enough`;
      }
    }
    const accepted = outcome === 'answered';
    const better = outcome === 'unsure' && (answer!.confidence ?? 1) > (p.best?.answer.confidence ?? -1);
    if (accepted || better) p.best = { answer: answer!, module, inputs, proved };
    p.node.addAttempt({
      module: module.id,
      outcome,
      usage,
      ...(answer?.confidence === undefined ? {} : { confidence: answer.confidence }),
      ...(note === undefined ? {} : { note }),
      ...(accepted || inputs.length === 0 ? {} : { calls: inputs }),
    });
    p.step++;
    if (accepted) this.#settle(p);
  }

  /** Makes the reply out of the best answer there is. An unsure one counts only when nothing surer came. */
  #settle(p: Pending): void {
    const { node, best } = p;
    if (best) {
      node.module = best.module.id;
      node.attributes = best.answer.attributes;
      node.groups = best.answer.groups;
      node.confidence = best.answer.confidence;
      node.inputs = best.inputs;
    }
    p.reply = {
      output: best?.answer.output,
      task: node.task,
      module: best?.module.id,
      confidence: best?.answer.confidence,
      certificate: best?.answer.certificate,
      proved: best?.proved ?? false,
      usage: node.inputs.length === 0 && node.attempts.every((a) => !a.calls) ? node.usage : totalUsage(node),
      trace: node,
      ...(best?.answer.receipt ? { receipt: best.answer.receipt } : {}),
      ...(best ? {} : { reason: p.last }),
      ...(best || !p.failure ? {} : { failure: p.failure }),
    };
  }
}

/** What a thrown value says, as plain data. */
export function toFailure(fault: unknown): NonNullable<Reply<unknown>['failure']> {
  if (CairnError.isInstance(fault)) {
    return { code: fault.code, message: fault.message, ...(fault.hint === undefined ? {} : { hint: fault.hint }) };
  }
  return { code: 'module_failed', message: fault instanceof Error ? fault.message : String(fault) };
}

function aborted(signal: AbortSignal): CairnError {
  return new CairnError('aborted', 'Expected to finish, got an abort signal.', { cause: signal.reason });
}
