// Einstein summation, lowered to transpose, reshape and matmul while the graph is built: there is no einsum op.
import { CairnError } from '../../errors.ts';
import { shapeText, sizeOf } from '../shape.ts';
import type { Tensor } from '../tensor.ts';
import { matmul } from './matmul.ts';

interface Term {
  readonly tensor: Tensor;
  readonly labels: string;
}

/**
 * Sums products over repeated letters. Letters stand for axes; operands are combined from left to right.
 * @throws CairnError `bad_einsum`, `shape_mismatch`
 * @example einsum('bhqd,bhkd->bhqk', q, k);
 */
export function einsum(spec: string, ...operands: readonly Tensor[]): Tensor {
  const { inputs, output } = parse(spec, operands);
  let terms: Term[] = operands.map((tensor, i) => ({ tensor, labels: inputs[i]! }));
  while (terms.length > 1) {
    const [a, b, ...rest] = terms as [Term, Term, ...Term[]];
    const later = rest.map((t) => t.labels).join('') + output;
    terms = [contract(sumOut(a, b.labels + later), sumOut(b, a.labels + later), later), ...rest];
  }
  const last = sumOut(terms[0]!, output);
  return last.tensor.transpose([...output].map((c) => last.labels.indexOf(c)));
}

function parse(spec: string, operands: readonly Tensor[]): { inputs: string[]; output: string } {
  const match = /^([a-zA-Z,]*)->([a-zA-Z]*)$/.exec(spec.replaceAll(' ', ''));
  const inputs = match?.[1]?.split(',') ?? [];
  const output = match?.[2] ?? '';
  const distinct = (labels: string): boolean => new Set(labels).size === labels.length;
  if (!match || operands.length === 0 || inputs.length !== operands.length || ![...inputs, output].every(distinct)) {
    throw new CairnError(
      'bad_einsum',
      `Expected "ab,bc->ac" with one group per operand, got "${spec}" for ${operands.length}.`,
      {
        hint: 'A letter may occur once per operand; name the output.',
      },
    );
  }
  const lengths = new Map<string, number>();
  operands.forEach((t, i) => {
    if (inputs[i]!.length !== t.rank) {
      throw new CairnError(
        'shape_mismatch',
        `Expected ${inputs[i]!.length} axes for "${inputs[i]}", got ${shapeText(t.shape)}.`,
      );
    }
    [...inputs[i]!].forEach((c, axis) => {
      const known = lengths.get(c) ?? t.shape[axis]!;
      if (known !== t.shape[axis]) {
        throw new CairnError('shape_mismatch', `Expected one length for "${c}", got ${known} and ${t.shape[axis]}.`);
      }
      lengths.set(c, known);
    });
  });
  const unknown = [...output].find((c) => !lengths.has(c));
  if (unknown) throw new CairnError('bad_einsum', `Expected output letters from the inputs, got "${unknown}".`);
  return { inputs, output };
}

/** Sums the axes that nobody else needs. */
function sumOut(t: Term, needed: string): Term {
  const axes = [...t.labels].flatMap((c, i) => (needed.includes(c) ? [] : [i]));
  if (axes.length === 0) return t;
  return { tensor: t.tensor.sum(axes), labels: [...t.labels].filter((c) => needed.includes(c)).join('') };
}

/** One batched matrix product: shared kept letters are the batch, shared dropped letters the inner dimension. */
function contract(a: Term, b: Term, needed: string): Term {
  const shared = [...a.labels].filter((c) => b.labels.includes(c));
  const batch = shared.filter((c) => needed.includes(c));
  const inner = shared.filter((c) => !needed.includes(c));
  const left = [...a.labels].filter((c) => !shared.includes(c));
  const right = [...b.labels].filter((c) => !shared.includes(c));
  const lengthOf = (t: Term, labels: readonly string[]): number[] =>
    labels.map((c) => t.tensor.shape[t.labels.indexOf(c)]!);
  const arrange = (t: Term, rows: readonly string[], columns: readonly string[]): Tensor =>
    t.tensor
      .transpose([...batch, ...rows, ...columns].map((c) => t.labels.indexOf(c)))
      .reshape([...lengthOf(t, batch), sizeOf(lengthOf(t, rows)), sizeOf(lengthOf(t, columns))]);
  const product = matmul(arrange(a, left, inner), arrange(b, inner, right));
  const labels = [...batch, ...left, ...right].join('');
  return { tensor: product.reshape([...lengthOf(a, batch), ...lengthOf(a, left), ...lengthOf(b, right)]), labels };
}
