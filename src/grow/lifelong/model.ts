// What a module of the lifelong learner computes, as plain data: a constant, a copy, a truth table of two inputs, a sparse
// linear or threshold function, or a small network. Prediction and a hash of the content; fitting is elsewhere.
import { createHash } from 'node:crypto';

/**
 * Where a model reads: below the number of features it is a feature of the example, above it a published module. References
 * never change, and a module only reads references that were there before it.
 */
export type Reference = number;

/** What targets of a task are: 0 and 1, or numbers that must be met within a tolerance. */
export type TargetKind = 'boolean' | 'number';

export type Model =
  | { readonly kind: 'constant'; readonly value: number }
  | { readonly kind: 'copy'; readonly input: Reference; readonly negate: boolean }
  /** Bit `a + 2 b` of `table` is the output for inputs a and b. */
  | { readonly kind: 'table'; readonly inputs: readonly [Reference, Reference]; readonly table: number }
  /** `bias + Σ weight · input`; with `threshold` 1 where that is positive, else 0. */
  | {
      readonly kind: 'sparse';
      readonly inputs: readonly Reference[];
      readonly weights: readonly number[];
      readonly bias: number;
      readonly threshold: boolean;
    }
  /** `out · tanh(W (x - shift) / spread + b) + c`; with `threshold` 1 where that is positive, else 0. */
  | {
      readonly kind: 'network';
      readonly inputs: readonly Reference[];
      readonly hidden: number;
      /** Per input its shift and spread, then W [hidden, inputs], b [hidden], out [hidden], c. */
      readonly parameters: readonly number[];
      readonly threshold: boolean;
    };

export type ModelKind = Model['kind'];

/** References that a model reads. */
export function inputsOf(model: Model): readonly Reference[] {
  switch (model.kind) {
    case 'constant':
      return [];
    case 'copy':
      return [model.input];
    case 'table':
    case 'sparse':
    case 'network':
      return model.inputs;
    default:
      return model satisfies never;
  }
}

/** The output of a model, given the value of each reference. */
export function evaluate(model: Model, valueOf: (reference: Reference) => number): number {
  switch (model.kind) {
    case 'constant':
      return model.value;
    case 'copy':
      return model.negate ? 1 - valueOf(model.input) : valueOf(model.input);
    case 'table': {
      const [a, b] = model.inputs;
      return (model.table >>> ((valueOf(a) > 0.5 ? 1 : 0) + (valueOf(b) > 0.5 ? 2 : 0))) & 1;
    }
    case 'sparse': {
      let sum = model.bias;
      for (let i = 0; i < model.inputs.length; i++) sum += model.weights[i]! * valueOf(model.inputs[i]!);
      return model.threshold ? (sum > 0 ? 1 : 0) : sum;
    }
    case 'network':
      return evaluateNetwork(model, valueOf);
    default:
      return model satisfies never;
  }
}

function evaluateNetwork(
  { inputs, hidden, parameters, threshold }: Extract<Model, { kind: 'network' }>,
  valueOf: (reference: Reference) => number,
): number {
  const k = inputs.length;
  const x = new Float64Array(k);
  for (let i = 0; i < k; i++) x[i] = (valueOf(inputs[i]!) - parameters[2 * i]!) / parameters[2 * i + 1]!;
  const [w, b, out] = [2 * k, 2 * k + hidden * k, 2 * k + hidden * k + hidden];
  let sum = parameters[out + hidden]!;
  for (let h = 0; h < hidden; h++) {
    let z = parameters[b + h]!;
    for (let i = 0; i < k; i++) z += parameters[w + h * k + i]! * x[i]!;
    sum += parameters[out + h]! * Math.tanh(z);
  }
  return threshold ? (sum > 0 ? 1 : 0) : sum;
}

/** SHA-256 of a model's content, hex: equal models, equal hash, on every machine. */
export function hashModel(model: Model): string {
  return createHash('sha256').update(JSON.stringify(model)).digest('hex');
}

/** One line for people, with names for references. */
export function describeModel(model: Model, nameOf: (reference: Reference) => string): string {
  switch (model.kind) {
    case 'constant':
      return String(model.value);
    case 'copy':
      return `${model.negate ? 'not ' : ''}${nameOf(model.input)}`;
    case 'table': {
      const [a, b] = model.inputs;
      const name = TABLE_NAMES[model.table] ?? `table ${model.table.toString(2).padStart(4, '0')}`;
      return `${name}(${nameOf(a)}, ${nameOf(b)})`;
    }
    case 'sparse': {
      const terms = model.inputs.map((input, i) => `${Number(model.weights[i]!.toPrecision(4))} ${nameOf(input)}`);
      const sum = [...terms, Number(model.bias.toPrecision(4))].join(' + ');
      return model.threshold ? `${sum} > 0` : sum;
    }
    case 'network':
      return `network of ${model.hidden} units over ${model.inputs.map(nameOf).join(', ')}`;
    default:
      return model satisfies never;
  }
}

const TABLE_NAMES: Readonly<Record<number, string>> = {
  8: 'and',
  14: 'or',
  6: 'xor',
  7: 'nand',
  1: 'nor',
  9: 'same',
  2: 'left and not right',
  4: 'right and not left',
  11: 'left or not right',
  13: 'right or not left',
};
