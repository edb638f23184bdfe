// N experts by a tree of two-expert nodes: an inner node passes on the gain of its mixture, and regrets add along the path
// from the root to an expert. A prior makes the paths unequal (Huffman's tree).
import { CairnError } from '../errors.ts';
import { checkGains, checkInteger, checkParts, checkRange, checkState } from './_check.ts';
import { DiscountedBettor, type DiscountedOptions } from './discounted-bettor.ts';
import type { Bettor, Combiner, PredictorState } from './types.ts';

export interface TournamentOptions extends DiscountedOptions {
  /** Positive weights of the experts: a larger one means a shorter path and a smaller regret. Default: all equal. */
  readonly prior?: readonly number[];
}

/** A child of a node: expert k is -1 - k, node i is i. Children come before their parent; the root is last. */
interface Node {
  readonly left: number;
  readonly right: number;
  readonly bettor: Bettor;
}

/**
 * Regret to every expert at most 0.9241 sqrt(n) times its depth, at every time.
 *
 * @example
 * const t = new Tournament(4, { memory: 100 });
 * t.learnOne([1, 0, 0, -1]);
 * t.weights(); // four weights, the first the largest
 */
export class Tournament implements Combiner {
  readonly experts: number;
  /** Nodes on the path from the root to each expert. */
  readonly depths: readonly number[];
  readonly #nodes: readonly Node[];

  /** @param options of the nodes, or a maker of one bettor for each of the `experts - 1` nodes. */
  constructor(
    experts: number,
    options: TournamentOptions | { node: (index: number) => Bettor; prior?: readonly number[] },
  ) {
    checkInteger('experts', experts, 1, 1_000_000);
    const prior = options.prior ?? new Array<number>(experts).fill(1);
    if (prior.length !== experts || !prior.every((p) => p > 0 && Number.isFinite(p))) {
      throw new CairnError(
        'bad_parameter',
        `Expected ${experts} positive weights as prior, got ${prior.length} numbers.`,
        {
          hint: 'Give one finite weight above 0 for every expert.',
        },
      );
    }
    if (!('node' in options)) checkRange('memory', options.memory, 2, 1e12);
    const make = 'node' in options ? options.node : (): Bettor => new DiscountedBettor(options);
    this.experts = experts;
    this.#nodes = huffman(prior).map(([left, right], i) => ({ left, right, bettor: make(i) }));
    this.depths = depthsOf(this.#nodes, experts);
  }

  /** The weights of the experts; they sum to 1. The same as `predictOne`. */
  weights(): Float64Array {
    return this.predictOne();
  }

  predictOne(): Float64Array {
    const weights = new Float64Array(this.experts);
    const share = new Float64Array(this.#nodes.length);
    if (share.length === 0) return weights.fill(1);
    share[share.length - 1] = 1;
    for (let i = share.length - 1; i >= 0; i--) {
      const { left, right, bettor } = this.#nodes[i]!;
      const first = share[i]! * ((1 + bettor.predictOne()) / 2);
      give(left, first);
      give(right, share[i]! - first);
    }
    return weights;

    function give(child: number, amount: number): void {
      if (child < 0) weights[-1 - child] = amount;
      else share[child] = amount;
    }
  }

  learnOne(gains: ArrayLike<number>): void {
    checkGains(gains, this.experts);
    const own = new Float64Array(this.#nodes.length);
    for (const [i, { left, right, bettor }] of this.#nodes.entries()) {
      const p = left < 0 ? gains[-1 - left]! : own[left]!;
      const q = right < 0 ? gains[-1 - right]! : own[right]!;
      const bit = (p - q) / 2;
      own[i] = clip((p + q) / 2 + bettor.predictOne() * bit);
      bettor.learnOne(clip(bit));
    }
  }

  state(): PredictorState {
    return { kind: this.#kind(), values: [], parts: this.#nodes.map((node) => node.bettor.state()) };
  }

  restore(state: PredictorState): this {
    checkState(state, this.#kind(), 0);
    const parts = checkParts(state, this.#nodes.length);
    const before = this.#nodes.map((node) => node.bettor.state());
    try {
      this.#nodes.forEach((node, i) => node.bettor.restore(parts[i]!));
    } catch (error) {
      this.#nodes.forEach((node, i) => node.bettor.restore(before[i]!));
      throw error;
    }
    return this;
  }

  #kind(): string {
    return `tournament(${this.depths.join(',')})`;
  }
}

/** Rounding must not push a mixture out of [-1,1]. */
function clip(x: number): number {
  return x > 1 ? 1 : x < -1 ? -1 : x;
}

/** Pairs of children, joined lightest first; equal weights in order of age, so equal priors give a balanced tree. */
function huffman(prior: readonly number[]): [number, number][] {
  const leaves = prior.map((weight, k) => ({ weight, id: -1 - k }));
  leaves.sort((a, b) => a.weight - b.weight || b.id - a.id);
  const joined: { weight: number; id: number }[] = [];
  const pairs: [number, number][] = [];
  let [l, j] = [0, 0];
  const take = (): { weight: number; id: number } => {
    const leaf = leaves[l];
    const inner = joined[j];
    if (leaf && (!inner || leaf.weight <= inner.weight)) {
      l++;
      return leaf;
    }
    j++;
    return inner!;
  };
  while (pairs.length < prior.length - 1) {
    const [a, b] = [take(), take()];
    joined.push({ weight: a.weight + b.weight, id: pairs.length });
    pairs.push([a.id, b.id]);
  }
  return pairs;
}

function depthsOf(nodes: readonly Node[], experts: number): number[] {
  const depth = new Array<number>(experts).fill(0);
  const inner = new Array<number>(nodes.length).fill(0);
  for (let i = nodes.length - 1; i >= 0; i--) {
    for (const child of [nodes[i]!.left, nodes[i]!.right]) {
      if (child < 0) depth[-1 - child] = inner[i]! + 1;
      else inner[child] = inner[i]! + 1;
    }
  }
  return depth;
}
