// A fitted model with its price: the bits that describe the model plus the bits that describe where it errs. The smallest
// price wins. Which classes of models there are, and what choosing one of them costs.
import type { Model, ModelKind } from './model.ts';

/** A model fitted to samples. */
export interface Fit {
  readonly model: Model;
  /** Samples it was judged on and how many it gets wrong: all of them for finite classes, the held-out ones otherwise. */
  readonly judged: number;
  readonly errors: number;
  /** Description length in bits, model and errors, over all samples. */
  readonly bits: number;
  /** Logarithm of one over the weight of the model among all finite models; undefined for real parameters. */
  readonly logHypotheses: number | undefined;
}

/** Weight of each class; they sum to one. Pairs get the most: they are the step by which hierarchies grow. */
export const CLASS_WEIGHT: Readonly<Record<ModelKind, number>> = {
  constant: 1 / 16,
  copy: 3 / 16,
  table: 1 / 2,
  sparse: 1 / 8,
  network: 1 / 8,
};

/** Bits that name `wrong` of `n` samples. */
export function errorBits(n: number, wrong: number): number {
  let bits = Math.log2(n + 1);
  const k = Math.min(wrong, n - wrong);
  for (let i = 0; i < k; i++) bits += Math.log2((n - i) / (i + 1));
  return bits;
}

/** Bits of a model that is one of `count` of its class. */
export function modelBits(kind: ModelKind, count: number): number {
  return Math.log2(count) - Math.log2(CLASS_WEIGHT[kind]);
}

/** The logarithm of one over the weight of a model that is one of `count` of its class. */
export function logHypotheses(kind: ModelKind, count: number): number {
  return Math.log(count) - Math.log(CLASS_WEIGHT[kind]);
}

/** Truth tables of two inputs that depend on both. */
export const TABLES_OF_TWO = 10;

/** How many models the finite classes have over so many candidates. */
export function classSize(kind: 'constant' | 'copy' | 'table', candidates: number): number {
  switch (kind) {
    case 'constant':
      return 2;
    case 'copy':
      return 2 * Math.max(1, candidates);
    case 'table':
      return Math.max(1, (TABLES_OF_TWO * candidates * (candidates - 1)) / 2);
    default:
      return kind satisfies never;
  }
}
