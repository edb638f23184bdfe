import { describe, expect, it } from 'vitest';
import { distance, evaluate, randomTensor } from '../_testing.ts';
import { Builder, defineProgram } from '../builder.ts';
import { checkGradients } from '../check.ts';
import type { HostTensor } from '../executor.ts';
import { grad } from '../grad.ts';
import { Rng } from '../rng.ts';
import type { Tensor } from '../tensor.ts';
import {
  alibi,
  argmax,
  attention,
  avgPool,
  binaryCrossEntropy,
  crossEntropy,
  einsum,
  erf,
  geluExact,
  globalAvgPool,
  iota,
  linear,
  log1mExp,
  logCumSumExp,
  logSigmoid,
  logSoftmax,
  logSumExp,
  maskAfter,
  maxPool,
  oneHot,
  relu,
  rope,
  silu,
  softmax,
  softplus,
  sort,
  split,
  stack,
  tril,
} from './index.ts';

const rng = new Rng(8);
const labels: HostTensor = { data: Int32Array.of(2, 0, 3), shape: [3], dtype: 'i32' };
const logits = randomTensor(rng.fork('logits'), [3, 4]);

/** Checks first and second derivatives of a function of random tensors. */
function checkBoth(f: (...xs: [Tensor, ...Tensor[]]) => Tensor, ...inputs: HostTensor[]): void {
  for (const order of [1, 2] as const) {
    const loose = order === 2 ? { relative: 1e-5, absolute: 1e-6 } : {};
    const report = checkGradients(f, inputs, { rng: rng.fork(order), order, directions: 3, coordinates: 3, ...loose });
    expect(report.failures).toEqual([]);
    expect(report.checked).toBeGreaterThan(0);
  }
}

describe('activations', () => {
  it.each<[string, (x: Tensor) => Tensor]>([
    ['relu', relu],
    ['silu', silu],
    ['softplus', softplus],
    ['logSigmoid', logSigmoid],
    ['geluExact', geluExact],
  ])('%s has the right gradients', (_name, f) => {
    checkBoth((x) => f(x).mul(f(x)), randomTensor(rng.fork('act'), [3, 4]));
  });

  it('are safe far out', () => {
    const x = { data: Float64Array.of(-1000, 0, 1000), shape: [3], dtype: 'f64' as const };
    const r = evaluate(
      (b) => {
        const t = b.input('x', [3]);
        return { plus: softplus(t), log: logSigmoid(t), erf: erf(t), slope: grad(softplus(t).sum(), [t])[0]! };
      },
      { x },
    );
    expect(r['plus']).toEqual([0, Math.log(2), 1000]);
    expect(r['log']).toEqual([-1000, -Math.log(2), -0]);
    expect(distance(r['erf']!, [-1, 0, 1])).toBeLessThan(1e-15);
    expect(r['slope']).toEqual([0, 0.5, 1]);
  });

  it('erf matches tabulated values', () => {
    const { y } = evaluate((b) => ({ y: erf(b.constant([0.5, 1, 2, 3.5])) }));
    const expected = [0.5204998778130465, 0.8427007929497149, 0.9953222650189527, 0.9999992569016276];
    expect(distance(y!, expected)).toBeLessThan(1e-15);
  });
});

describe('losses', () => {
  it('crossEntropy equals -log softmax at the label', () => {
    const { loss, each, plain, smooth, mean } = evaluate(
      (b) => {
        const [x, y] = [b.input('x', [3, 4]), b.input('y', [3], 'i32')];
        const p = logSoftmax(x);
        const weights = b.constant([1, 0, 2]);
        return {
          loss: crossEntropy(x, y),
          each: crossEntropy(x, y, { reduction: 'none' }),
          plain: p.mul(oneHot(y, 4)).sum(-1).neg(),
          smooth: crossEntropy(x, y, { smoothing: 0.1, weights }).sub(
            p.mul(oneHot(y, 4).mul(0.9).add(0.025)).sum(-1).neg().mul(weights).sum().div(3),
          ),
          mean: p
            .mul(oneHot(y, 4))
            .sum()
            .mul(-1 / 3),
        };
      },
      { x: logits, y: labels },
    );
    expect(distance(each!, plain!)).toBeLessThan(1e-14);
    expect(distance(loss!, mean!)).toBeLessThan(1e-14);
    expect(Math.abs(smooth![0]!)).toBeLessThan(1e-14);
  });

  it('have the right gradients', () => {
    checkBoth((x, y) => crossEntropy(x, y!), logits, labels);
    checkBoth((x, y) => crossEntropy(x, y!, { smoothing: 0.2, reduction: 'none' }).pow(2), logits, labels);
    checkBoth((x) => logSumExp(x, 0), logits);
    checkBoth((x) => logSoftmax(x, 0).mul(logSoftmax(x, 1)), logits);
    checkBoth((x) => logCumSumExp(x), logits);
    checkBoth((x) => log1mExp(x.mul(x).add(0.05).neg()), logits);
    checkBoth((x) => binaryCrossEntropy(x, x.builder.constant([0, 1, 0, 1])), logits);
  });

  it('crossEntropy writes no one-hot: one scatter and one exp', () => {
    const { graph } = defineProgram((b) => {
      const x = b.input('x', [8, 10]);
      b.output('d', grad(crossEntropy(x, b.input('y', [8], 'i32')), [x])[0]!);
    });
    const ops = graph.nodes.map((n) => n.op);
    expect(ops.filter((op) => op === 'exp' || op === 'scatterElementsAdd')).toEqual(['exp', 'scatterElementsAdd']);
    expect(ops).not.toContain('eq');
  });
});

describe('attention', () => {
  const shape = [2, 2, 3, 4];
  const qkv = ['q', 'k', 'v'].map((name) => randomTensor(rng.fork(name), shape)) as [
    HostTensor,
    HostTensor,
    HostTensor,
  ];

  it('equals softmax of scaled scores times values', () => {
    const { z, plain, first } = evaluate(
      (b) => {
        const [q, k, v] = ['q', 'k', 'v'].map((n) => b.input(n, shape)) as [Tensor, Tensor, Tensor];
        const scores = q.mul(0.5).matmul(k.swapAxes()).add(tril(b, 3).sub(1).mul(1e9));
        const z = attention(q, k, v, { causal: true });
        return { z, plain: softmax(scores).matmul(v), first: z.sliceAxis(2, 0, 1).sub(v.sliceAxis(2, 0, 1)) };
      },
      { q: qkv[0], k: qkv[1], v: qkv[2] },
    );
    expect(distance(z!, plain!)).toBeLessThan(1e-14);
    expect(Math.max(...first!.map(Math.abs))).toBeLessThan(1e-14);
  });

  it('has the right gradients, and sums dO * O instead of rows of scores', () => {
    checkBoth((q, k, v) => attention(q, k!, v!, { causal: true }).pow(2), ...qkv);
    checkBoth((q, k, v) => attention(q, k!, v!, { mask: alibi(q.builder, 2, 3) }), ...qkv);
    const { graph } = defineProgram((b) => {
      const [q, k, v] = ['q', 'k', 'v'].map((n) => b.input(n, [2, 64, 8])) as [Tensor, Tensor, Tensor];
      grad(attention(q, k, v).sum(), [q, k, v]).forEach((g, i) => b.output(`d${i}`, g));
    });
    const rows = graph.nodes
      .filter((n) => n.op === 'sum')
      .map((n) => graph.nodes[n.inputs[0]!.node]!.outputs[0]!.shape);
    expect(rows).toEqual([[2, 64, 8]]);
  });

  it('a window of 1 returns the own value', () => {
    const { d } = evaluate(
      (b) => {
        const [q, k, v] = ['q', 'k', 'v'].map((n) => b.input(n, shape)) as [Tensor, Tensor, Tensor];
        return { d: attention(q, k, v, { causal: true, window: 1 }).sub(v) };
      },
      { q: qkv[0], k: qkv[1], v: qkv[2] },
    );
    expect(Math.max(...d!.map(Math.abs))).toBeLessThan(1e-14);
  });

  it('rope depends on distances only, and keeps norms', () => {
    const { a, b, norm } = evaluate(
      (b) => {
        const [q, k] = [b.input('q', [1, 4]), b.input('k', [1, 4])];
        const at = (x: Tensor, p: number): Tensor => rope(x, { positions: b.constant(Int32Array.of(p)) });
        const dot = (p: number, r: number): Tensor => at(q, p).mul(at(k, r)).sum();
        return { a: dot(3, 1), b: dot(12, 10), norm: at(q, 7).pow(2).sum().sub(q.pow(2).sum()) };
      },
      { q: randomTensor(rng, [1, 4]), k: randomTensor(rng, [1, 4]) },
    );
    expect(distance(a!, b!)).toBeLessThan(1e-14);
    expect(Math.abs(norm![0]!)).toBeLessThan(1e-14);
  });

  it('rope with fed positions equals rope with the default ones', () => {
    const { d } = evaluate(
      (b) => {
        const x = b.input('x', [2, 5, 6]);
        return { d: rope(x).sub(rope(x, { positions: iota(b, 5) })) };
      },
      { x: randomTensor(rng, [2, 5, 6]) },
    );
    expect(Math.max(...d!.map(Math.abs))).toBeLessThan(1e-15);
  });
});

describe('einsum', () => {
  it.each([
    ['ij,jk->ik', [2, 3], [3, 4]],
    ['bhqd,bhkd->bhqk', [2, 2, 3, 4], [2, 2, 5, 4]],
    ['bij,bjk->ki', [2, 3, 4], [2, 4, 5]],
    ['i,j->ji', [3], [4]],
    ['ijk,j->ik', [2, 3, 4], [3]],
    ['abc,cb->', [2, 3, 4], [4, 3]],
  ] as const)('%s equals the sum written out', (spec, sa, sb) => {
    const [a, b] = [randomTensor(rng.fork('a'), sa), randomTensor(rng.fork('b'), sb)];
    const { y } = evaluate((g) => ({ y: einsum(spec, g.input('a', sa), g.input('b', sb)) }), { a, b });
    expect(distance(y!, bySummation(spec, a, b))).toBeLessThan(1e-13);
  });

  it('sums, transposes and takes three operands', () => {
    const { t, s, three, plain } = evaluate(
      (b) => {
        const x = b.input('x', [2, 3]);
        return {
          t: einsum('ij->ji', x).sub(x.transpose()),
          s: einsum('ij->j', x).sub(x.sum(0)),
          three: einsum('ij,kj,kl->il', x, x, x),
          plain: x.matmul(x.transpose()).matmul(x),
        };
      },
      { x: randomTensor(rng, [2, 3]) },
    );
    expect(t!.every((v) => v === 0) && s!.every((v) => v === 0)).toBe(true);
    expect(distance(three!, plain!)).toBeLessThan(1e-13);
  });

  it('names what is wrong', () => {
    const x = new Builder().input('x', [2, 3]);
    expect(() => einsum('ij,jk->ik', x)).toThrow(
      'Expected "ab,bc->ac" with one group per operand, got "ij,jk->ik" for 1.',
    );
    expect(() => einsum('ij,ik->jk', x, x.transpose())).toThrow('Expected one length for "i", got 2 and 3.');
  });
});

/** The definition: loops over all letters. */
function bySummation(spec: string, a: HostTensor, b: HostTensor): number[] {
  const [ins, out] = spec.split('->') as [string, string];
  const [la, lb] = ins.split(',') as [string, string];
  const length = new Map<string, number>();
  [...la].forEach((c, i) => length.set(c, a.shape[i]!));
  [...lb].forEach((c, i) => length.set(c, b.shape[i]!));
  const letters = [...length.keys()];
  const y = new Array<number>([...out].reduce((n, c) => n * length.get(c)!, 1)).fill(0);
  const at = (labels: string, index: Map<string, number>): number =>
    [...labels].reduce((o, c) => o * length.get(c)! + index.get(c)!, 0);
  const loop = (k: number, index: Map<string, number>): void => {
    if (k === letters.length) {
      y[at(out, index)]! += a.data[at(la, index)]! * b.data[at(lb, index)]!;
      return;
    }
    for (let i = 0; i < length.get(letters[k]!)!; i++) loop(k + 1, index.set(letters[k]!, i));
  };
  loop(0, new Map());
  return y;
}

describe('pooling', () => {
  it('maxPool equals the largest of the reshaped tiles, avgPool their mean', () => {
    const x = randomTensor(rng, [2, 3, 4, 6]);
    const { max, mean, all, overlap } = evaluate(
      (b) => {
        const t = b.input('x', [2, 3, 4, 6]);
        const tiles = t.reshape([2, 3, 2, 2, 3, 2]);
        return {
          max: maxPool(t, { window: 2 }).sub(tiles.amax([3, 5])),
          mean: avgPool(t, { window: 2 }).sub(tiles.mean([3, 5])),
          all: globalAvgPool(t).sub(t.mean([2, 3])),
          overlap: avgPool(t, { window: 3, stride: 1 })
            .sliceAxis(2, 1, 2)
            .sliceAxis(3, 1, 2)
            .sub(t.slice([0, 0, 1, 1], [2, 3, 4, 4]).mean([2, 3], true)),
        };
      },
      { x },
    );
    for (const r of [max, mean, all, overlap]) expect(Math.max(...r!.map(Math.abs))).toBeLessThan(1e-15);
    checkBoth((t) => avgPool(t, { window: [2, 3], stride: 1 }).pow(2), x);
    checkBoth((t) => maxPool(t, { window: 3, stride: 1 }).pow(2), x);
  });
});

describe('shapes and indices', () => {
  it('linear equals matmul plus bias for every rank', () => {
    const w = randomTensor(rng, [3, 4]);
    const { d2, d3, d1 } = evaluate(
      (b) => {
        const [x, m, c] = [b.input('x', [2, 5, 3]), b.input('w', [3, 4]), b.constant([1, 2, 3, 4])];
        const row = x.reshape([10, 3]);
        const one = x.slice([0, 0], [1, 1]).reshape([3]);
        return {
          d3: linear(x, m, c).sub(x.matmul(m).add(c)),
          d2: linear(row, m, c).sub(row.matmul(m).add(c)),
          d1: linear(one, m, c).sub(one.reshape([1, 3]).matmul(m).reshape([4]).add(c)),
        };
      },
      { x: randomTensor(rng, [2, 5, 3]), w },
    );
    for (const d of [d1, d2, d3]) expect(Math.max(...d!.map(Math.abs))).toBe(0);
  });

  it('sort, argmax, split, stack, one-hot and masks', () => {
    const r = evaluate((b) => {
      const x = b.constant([3, 1, 2, 5, 9, 7], [2, 3]);
      const parts = split(x, [1, 2], 1);
      return {
        sorted: sort(x).values,
        order: sort(x).indices,
        best: argmax(x),
        stacked: stack(split(x, 2, 0), 1).sub(x.unsqueeze(0)),
        second: parts[1]!,
        hot: oneHot(b.constant(Int32Array.of(1, 0)), 3),
        masked: maskAfter(x, b.constant(Int32Array.of(2), []), 1, -1),
      };
    });
    expect(r).toEqual({
      sorted: [3, 2, 1, 9, 7, 5],
      order: [0, 2, 1, 1, 2, 0],
      best: [0, 1],
      stacked: [0, 0, 0, 0, 0, 0],
      second: [1, 2, 9, 7],
      hot: [0, 1, 0, 1, 0, 0],
      masked: [3, 1, -1, 5, 9, -1],
    });
  });
});
