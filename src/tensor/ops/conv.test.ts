import { afterAll, describe, expect, it } from 'vitest';
import { defineProgram } from '../builder.ts';
import type { Executor } from '../executor.ts';
import { grad } from '../grad.ts';
import { createOrtExecutor } from '../ort-node.ts';
import { createReferenceExecutor } from '../reference.ts';
import { Rng } from '../rng.ts';
import { sizeOf } from '../shape.ts';
import { type ConvTransposeOptions, conv, convTranspose } from './conv.ts';
import { mul } from './elementwise.ts';
import { sum } from './reduce.ts';

const executors: Executor[] = [];
afterAll(async () => {
  for (const executor of executors) await executor.dispose();
});

function random(seed: string, shape: readonly number[]): Float64Array {
  const out = new Float64Array(sizeOf(shape));
  new Rng(seed).fillNormal(out);
  return out;
}

const cases: readonly [string, readonly number[], readonly number[], ConvTransposeOptions][] = [
  ['3x3 same', [2, 3, 6, 5], [4, 3, 3, 3], { pad: 'same' }],
  ['5x5 stride 2', [1, 2, 9, 8], [3, 2, 5, 5], { pad: 2, stride: 2 }],
  [
    'grouped, dilated',
    [2, 4, 7, 9],
    [6, 2, 3, 2],
    {
      groups: 2,
      dilation: [2, 3],
      pad: [
        [1, 0],
        [2, 1],
      ],
    },
  ],
  ['depthwise 1-d', [3, 5, 11], [5, 1, 4], { groups: 5, pad: [[3, 0]] }],
  ['1-d stride 3 with a remainder', [1, 2, 12], [3, 2, 4], { stride: 3 }],
];

describe.each(cases)('conv %s', (_name, xs, ws, options) => {
  const program = defineProgram(
    (b) => {
      const [x, w] = [b.input('x', xs), b.input('w', ws)];
      const y = conv(x, w, options);
      const loss = sum(mul(mul(y, y), y));
      const [dx, dw] = grad(loss, [x, w]) as [typeof x, typeof w];
      b.output('y', y);
      b.output('loss', loss);
      b.output('dx', dx);
      b.output('dw', dw);
      const [ddw] = grad(sum(mul(dx, dx)), [w]) as [typeof w];
      b.output('ddw', ddw);
    },
    { dtype: 'f64' },
  );
  const feeds = { x: random('x', xs), w: random('w', ws) };

  it('has the gradients that finite differences give', async () => {
    await using run = await createReferenceExecutor().compile(program);
    const { dx, dw } = await run.run(feeds);
    const h = 1e-5;
    for (const [name, gradient] of [
      ['x', dx!],
      ['w', dw!],
    ] as const) {
      const direction = random(`d${name}`, name === 'x' ? xs : ws);
      const at = async (s: number): Promise<number> => {
        const moved = Float64Array.from(feeds[name], (v, i) => v + s * direction[i]!);
        return (await run.run({ ...feeds, [name]: moved }))['loss']!.data[0]!;
      };
      const numeric = ((await at(h)) - (await at(-h))) / (2 * h);
      const exact = direction.reduce((t, d, i) => t + d * gradient.data[i]!, 0);
      expect(Math.abs(numeric - exact)).toBeLessThan(1e-6 * Math.max(1, Math.abs(exact)));
    }
  });

  it('is the same on ONNX Runtime in f64, second derivatives too', async () => {
    const ort = await createOrtExecutor({ threads: 1 });
    executors.push(ort);
    await using exact = await createReferenceExecutor().compile(program);
    await using fast = await ort.compile(program);
    const [a, b] = [await exact.run(feeds), await fast.run(feeds)];
    for (const name of Object.keys(a)) {
      const scale = Math.max(1, ...Array.from(a[name]!.data, Math.abs));
      expect(b[name]!.shape).toEqual(a[name]!.shape);
      a[name]!.data.forEach((v, i) => expect(Math.abs(b[name]!.data[i]! - v) / scale).toBeLessThan(1e-12));
    }
  });
});

it('convTranspose is the adjoint of conv: <conv(x), y> = <x, convTranspose(y)>', async () => {
  const [xs, ws] = [
    [2, 2, 7, 6],
    [4, 2, 3, 3],
  ];
  const options = { stride: 2, pad: 1 };
  const program = defineProgram(
    (b) => {
      const [x, w] = [b.input('x', xs), b.input('w', ws)];
      const y = conv(x, w, options);
      const z = b.input('z', y.shape);
      b.output('left', sum(mul(y, z)));
      b.output('right', sum(mul(x, convTranspose(z, w, { ...options, outPad: [0, 1] }))));
    },
    { dtype: 'f64' },
  );
  await using run = await createReferenceExecutor().compile(program);
  const { left, right } = await run.run({ x: random('x', xs), w: random('w', ws), z: random('z', [2, 4, 4, 3]) });
  expect(left!.data[0]).toBeCloseTo(right!.data[0]!, 10);
});

it('names what does not fit', () => {
  const build =
    (xs: number[], ws: number[], options = {}) =>
    () =>
      defineProgram((b) => b.output('y', conv(b.input('x', xs), b.input('w', ws), options)));
  expect(build([1, 3, 4, 4], [2, 2, 3, 3])).toThrow(
    'Expected 2 input channels for weights [2,2,3,3] in 1 group(s), got [1,3,4,4] and [2,2,3,3].',
  );
  expect(build([1, 2, 2, 2], [2, 2, 3, 3])).toThrow('Expected a kernel no longer than the padded input, got 3 over 2.');
  expect(build([1, 2], [2, 2])).toThrow('Expected input and weights of rank 3 or 4, got [1,2] and [2,2].');
});
