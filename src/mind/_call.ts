// The `Call` that a running module holds: nested asks go back to the engine and become inputs of the module's trace node.
import { CairnError } from '../errors.ts';
import type { Rng } from '../tensor/index.ts';
import type { BudgetState } from './_budget.ts';
import type { Engine } from './engine.ts';
import { checkAttributes, Node } from './_trace.ts';
import type { Call, NestedLimits, Reply, TraceInput, TraceNode } from './module.ts';

/** Where in a tree of calls something runs. */
export interface Frame {
  readonly engine: Engine;
  readonly stack: readonly { readonly task: string; readonly input: unknown }[];
  readonly rng: Rng;
  readonly budget: BudgetState;
  readonly signal: AbortSignal;
  /** Milliseconds spent in calls below this frame, and how many there were. */
  readonly timer: { nested: number; calls: number };
}

export class RunningCall implements Call {
  readonly budget: BudgetState;
  readonly signal: AbortSignal;
  readonly inputs: TraceInput[] = [];
  readonly #frame: Frame;
  readonly #name: string;
  readonly #batch: boolean;
  #rng: Rng | undefined;

  constructor(parent: Frame, task: string, input: unknown, module: string, batch: boolean) {
    this.budget = parent.budget;
    this.signal = parent.signal;
    this.#name = `${module}#${parent.timer.calls++}`;
    this.#batch = batch;
    const rng = (): Rng => (this.#rng ??= parent.rng.fork(this.#name));
    this.#frame = {
      engine: parent.engine,
      stack: [...parent.stack, { task, input }],
      get rng() {
        return rng();
      },
      budget: parent.budget,
      signal: parent.signal,
      timer: { nested: 0, calls: 0 },
    };
  }

  get rng(): Rng {
    return this.#frame.rng;
  }

  get path(): readonly string[] {
    return this.#frame.stack.map((f) => f.task);
  }

  /** Milliseconds that nested calls took. */
  get nestedMs(): number {
    return this.#frame.timer.nested;
  }

  async ask<O>(task: string, input: unknown, weight: number | NestedLimits = 1): Promise<Reply<O>> {
    const [reply] = await this.askAll<O>(task, [input], weight);
    return reply!;
  }

  async askAll<O>(task: string, inputs: readonly unknown[], weight: number | NestedLimits = 1): Promise<Reply<O>[]> {
    if (this.#batch) {
      throw new CairnError('nested_batch', `Expected no nested call in a batched run, got a call of '${task}'.`, {
        hint: 'Leave out runBatch in a module that asks others.',
      });
    }
    const limits = typeof weight === 'number' ? { weight } : weight;
    const share = checkWeight(limits.weight ?? 1);
    const replies = await this.#frame.engine.run(task, inputs, limits, this.#frame);
    for (const reply of replies) this.inputs.push({ node: reply.trace, weight: share });
    return replies as Reply<O>[];
  }

  use(reply: Reply<unknown>, weight: number): void {
    checkWeight(weight);
    const at = this.inputs.findIndex((input) => input.node === reply.trace);
    if (at < 0) this.inputs.push({ node: reply.trace, weight });
    else this.inputs[at] = { node: reply.trace, weight };
  }

  amend(node: TraceNode, attributes: Float32Array): void {
    if (!(node instanceof Node) || node.attributes.length !== attributes.length) {
      throw new CairnError(
        'bad_attributes',
        `Expected ${node.attributes.length} attributes to amend '${node.task}', got ${attributes.length}.`,
      );
    }
    checkAttributes(node.task, attributes, node.groups);
    node.attributes = attributes;
    node.amended = true;
  }
}

function checkWeight(weight: number): number {
  if (weight >= 0 && Number.isFinite(weight)) return weight;
  throw new CairnError('bad_weight', `Expected a weight of at least 0, got ${weight}.`, {
    hint: 'Use 0 to trace without sketching.',
  });
}
