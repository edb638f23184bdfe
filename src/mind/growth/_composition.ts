// Which composition of calls is worth a module of its own: the chain of modules, tried one after the other for one input,
// that makes most of a task's cost.
import { forEachCall, type ReceiptCall } from '../receipt.ts';
import type { ModuleGrowth } from './types.ts';

/** Adds up the chains of a task over many events. */
export class Compositions {
  readonly #task: string;
  readonly #chains = new Map<string, { path: readonly string[]; calls: number; cost: number }>();
  #calls = 0;
  #cost = 0;

  constructor(task: string) {
    this.#task = task;
  }

  /** Counts every call of the task below a receipt's root, each once. */
  add(root: ReceiptCall): void {
    forEachCall(root, (call) => call.task === this.#task && this.#count(call));
  }

  /** The chain of two or more modules with the largest cost in all; undefined when every call took one module. */
  get dearest(): ModuleGrowth['composition'] | undefined {
    const [best] = [...this.#chains.values()]
      .filter(({ path }) => path.length > 1)
      .sort((a, b) => b.cost - a.cost || (a.path.join() < b.path.join() ? -1 : 1));
    if (best === undefined || this.#cost === 0) return undefined;
    return { path: best.path, calls: best.calls, of: this.#calls, costShare: best.cost / this.#cost };
  }

  #count(call: ReceiptCall): void {
    const tried = call.attempts.filter(({ outcome }) => outcome !== 'over-budget');
    const path = tried.map(({ module }) => module);
    const cost = tried.reduce((sum, { flop }) => sum + flop, 0);
    this.#calls++;
    this.#cost += cost;
    const key = path.join(' ');
    const chain = this.#chains.get(key) ?? { path, calls: 0, cost: 0 };
    chain.calls++;
    chain.cost += cost;
    this.#chains.set(key, chain);
  }
}
