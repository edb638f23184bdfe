import { describe, expect, it } from 'vitest';
import { distance, evaluate, randomTensor } from './_testing.ts';
import { checkGradients } from './check.ts';
import { checkpoint } from './checkpoint.ts';
import { type Builder, defineProgram } from './builder.ts';
import { grad, hessianVectorProduct, jvp, vjp } from './grad.ts';
import { normal } from './init.ts';
import { customGradient, gelu, layerNorm, softmax, split, straightThrough, topk } from './ops/index.ts';
import { Rng } from './rng.ts';
import type { Tensor } from './tensor.ts';

const rng = new Rng(5);
const x23 = { x: randomTensor(rng.fork('x'), [2, 3]) };

describe('exact identities', () => {
  it('the gradient of a linear function is its matrix', () => {
    const w = randomTensor(rng, [3, 4]);
    const { dx, dw } = evaluate(
      (b) => {
        const [x, m] = [b.input('x', [1, 3]), b.input('w', [3, 4])];
        const y = x.matmul(m);
        const unit = b.constant(Float64Array.of(0, 0, 1, 0), [1, 4]);
        const [dx] = vjp([y], [unit], [x]);
        const [dw] = grad(y.sum(), [m]);
        return { dx: dx!, dw: dw! };
      },
      { x: { data: Float64Array.of(1, 2, 3), shape: [1, 3], dtype: 'f64' }, w },
    );
    expect(dx).toEqual([2, 6, 10].map((i) => w.data[i]));
    expect(dw).toEqual([1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3]);
  });

  it('customGradient(f, vjp of f) = f', () => {
    const f = (x: Tensor): Tensor => gelu(x.mul(x).add(1)).sum();
    const both = (g: (x: Tensor) => Tensor): Record<string, number[]> =>
      evaluate((b) => {
        const x = b.input('x', [2, 3]);
        const y = g(x);
        const [d] = grad(y, [x]);
        const [second] = grad(d!.mul(d!).sum(), [x]);
        return { y, d: d!, second: second! };
      }, x23);
    const custom = both((x) => customGradient([x], f, (_y, g, x) => vjp([f(x)], [g], [x])));
    expect(custom).toEqual(both(f));
  });

  it('stopGradient has gradient zero, straightThrough that of its soft side', () => {
    const { stopped, hard } = evaluate((b) => {
      const x = b.input('x', [2, 3]);
      const stopped = grad(x.mul(x.stopGradient()).sum(), [x])[0]!.sub(x);
      const hard = grad(straightThrough(x.floor(), x.mul(3)).sum(), [x])[0]!;
      return { stopped, hard };
    }, x23);
    expect(stopped).toEqual([0, 0, 0, 0, 0, 0]);
    expect(hard).toEqual([3, 3, 3, 3, 3, 3]);
  });

  it('the gradient of a split is one concat, in any order of use', () => {
    const { graph } = defineProgram((b) => {
      const x = b.input('x', [2, 6]);
      const [q, k, v] = split(x, 3, 1) as [Tensor, Tensor, Tensor];
      b.output('d', grad(v.exp().mul(q.sin()).add(k.cos()).sum(), [x])[0]!);
    });
    const ops = graph.nodes.map((n) => n.op);
    expect(ops.filter((op) => op === 'concat')).toHaveLength(1);
    expect(ops).not.toContain('pad');
    const tiles = checkGradients(
      (x) => {
        const part = (r: number, c: number): Tensor => x.slice([r, c * 2], [r + 1, c * 2 + 2]);
        return part(0, 0).exp().mul(part(1, 1)).add(part(0, 1).sin()).mul(part(1, 2)).add(part(0, 2)).sum();
      },
      [randomTensor(rng, [2, 6])],
      { rng },
    );
    expect(tiles.failures).toEqual([]);
  });

  it('cotangents of all ports are joined before the rule of a node with several outputs', () => {
    const report = checkGradients(
      (x) => {
        const { values, indices } = topk(x, 2, 1);
        const again = x.gatherElements(indices, 1);
        return values.mul(again).sum();
      },
      [x23.x],
      { rng },
    );
    expect(report.failures).toEqual([]);
  });

  it('the gradient of an unused tensor is zero, an error with strict, and reported', () => {
    const seen: string[] = [];
    const { d } = evaluate(
      (b) => {
        const [x, z] = [b.input('x', [2, 3]), b.input('z', [2])];
        const y = x.sum();
        expect(() => grad(y, [z], { strict: true })).toThrow('Expected the outputs to depend on `z`, got no path.');
        return { d: grad(y, [z], { onUnreached: (t) => seen.push(String(t)) })[0]! };
      },
      { ...x23, z: Float64Array.of(1, 2) },
    );
    expect(d).toEqual([0, 0]);
    expect(seen).toEqual(['Tensor f64[2]']);
  });
});

describe('jvp and Hessian products', () => {
  const f = (x: Tensor): Tensor => layerNorm(x.tanh(), x.builder.constant([1, 2, 3]), x.builder.constant([0, 0, 0]));

  it('jvp is the adjoint of vjp', () => {
    const { left, right } = evaluate(
      (b) => {
        const [x, t, c] = [b.input('x', [2, 3]), b.input('t', [2, 3]), b.input('c', [2, 3])];
        const y = f(x);
        const [dy] = jvp([y], [x], [t]);
        const [dx] = vjp([y], [c], [x]);
        return { left: dy!.mul(c).sum(), right: dx!.mul(t).sum() };
      },
      { ...x23, t: randomTensor(rng.fork('t'), [2, 3]), c: randomTensor(rng.fork('c'), [2, 3]) },
    );
    expect(distance(left!, right!)).toBeLessThan(1e-12);
  });

  it('the Hessian of x^T A x / 2 is the symmetric part of A', () => {
    const a = randomTensor(rng.fork('a'), [3, 3]);
    const { hv } = evaluate(
      (b) => {
        const [x, m] = [b.input('x', [1, 3]), b.input('a', [3, 3])];
        const loss = x.matmul(m).mul(x).sum().mul(0.5);
        const v = b.constant(Float64Array.of(1, 0, 0), [1, 3]);
        return { hv: hessianVectorProduct(loss, [x], [v])[0]! };
      },
      { x: randomTensor(rng, [1, 3]), a },
    );
    const expected = [0, 1, 2].map((i) => (a.data[i * 3]! + a.data[i]!) / 2);
    expect(distance(hv!, expected)).toBeLessThan(1e-14);
  });
});

describe('checkpoint', () => {
  it('changes no value and no gradient, also of parameters read inside', () => {
    const build = (wrap: boolean) => (b: Builder) => {
      const x = b.input('x', [2, 3]);
      const w = b.param('w', [3, 3], normal(1));
      const scale = x.sum().tanh();
      const block = (h: Tensor): Tensor => softmax(h.matmul(w).gelu()).mul(scale);
      const y = (wrap ? checkpoint(block) : block)(x).pow(2).sum();
      const [dx, dw] = grad(y, [x, w]);
      return { y, dx: dx!, dw: dw! };
    };
    const [plain, wrapped] = [evaluate(build(false), x23), evaluate(build(true), x23)];
    for (const name of ['y', 'dx', 'dw']) expect(distance(plain[name]!, wrapped[name]!)).toBeLessThan(1e-13);
  });

  it('computes the block a second time', () => {
    const count = (wrap: boolean): number =>
      defineProgram((b) => {
        const x = b.input('x', [2, 3]);
        const block = (h: Tensor): Tensor => h.exp().sin();
        const y = (wrap ? checkpoint(block) : block)(x).sum();
        b.output('y', y);
        b.output('d', grad(y, [x])[0]!);
      }).graph.nodes.filter((n) => n.op === 'exp').length;
    expect([count(false), count(true)]).toEqual([1, 2]);
  });
});
