import * as fc from 'fast-check';
import { beforeAll, expect, test } from 'vitest';
import { createOrtExecutor, type Executor, Rng } from '../../tensor/index.ts';
import {
  clusterCodes,
  codeTree,
  decideFormulation,
  expressions as e,
  FormulationMeter,
  type Formulation,
  modulePerCode,
  rSquared,
  samplesByBound,
  sharedNetwork,
  type TaskData,
  tilde,
} from './index.ts';

let executor: Executor;
beforeAll(async () => {
  executor = await createOrtExecutor({ threads: 1 });
});

/** Linear tasks in 4 dimensions; `taskOf` turns a drawn code into its task. */
function data(
  seed: number,
  n: number,
  tasks: number,
  codeOf: (rng: Rng, task: number) => number[],
  maps = new Rng(99),
): TaskData {
  const rng = new Rng(seed);
  const weights = Array.from({ length: tasks }, (_, t) =>
    Array.from({ length: 4 }, (_, k) => maps.fork(t).fork(k).normal()),
  );
  const xs = new Float32Array(n * 4);
  rng.fillNormal(xs);
  const ys = new Float32Array(n);
  const codes: number[] = [];
  for (let i = 0; i < n; i++) {
    const t = rng.integer(tasks);
    codes.push(...codeOf(rng, t));
    ys[i] = weights[t]!.reduce((s, w, k) => s + w * xs[4 * i + k]!, 0);
  }
  return { xs, ys, codes: Float32Array.from(codes), width: 4, codeWidth: codes.length / n };
}

const centre = (task: number, k: number): number => new Rng(5).fork(task).fork(k).normal();
const gaussian = (rng: Rng, task: number): number[] =>
  Array.from({ length: 8 }, (_, k) => centre(task, k) + 0.05 * rng.normal());

test('the calculator agrees with series that are known', () => {
  expect(tilde(e.apply('sin', e.input))).toBeCloseTo(Math.sinh(1), 12);
  expect(tilde(e.apply('exp', e.constant(-2)))).toBeCloseTo(Math.exp(2), 12);
  expect(tilde(e.apply('inverse', e.product(e.constant(-0.5), e.input)))).toBeCloseTo(2, 12);
  expect(tilde(e.apply('inverse', e.input))).toBe(Infinity);
  expect(tilde(e.product(e.input, e.sum(e.input, e.constant(-2))))).toBe(3);
  expect(samplesByBound(e.product(e.constant(3), e.input), 0.1)).toBeCloseTo(900, 9);
});

test('for polynomials it is the sum of the absolute coefficients, or above where terms cancel', () => {
  const polynomial = fc.array(fc.integer({ min: -5, max: 5 }), { minLength: 1, maxLength: 6 });
  fc.assert(
    fc.property(polynomial, fc.double({ min: 0, max: 2, noNaN: true }), (coefficients, r) => {
      // Horner's scheme as an expression: a0 + x (a1 + x (a2 + …)).
      const horner = coefficients.reduceRight<e.Expression>(
        (inner, a) => e.sum(e.constant(a), e.product(e.input, inner)),
        e.constant(0),
      );
      const expected = coefficients.reduce((s, a, k) => s + Math.abs(a) * r ** k, 0);
      expect(tilde(horner, r)).toBeCloseTo(expected, 6);
    }),
  );
  fc.assert(
    fc.property(polynomial, polynomial, (a, b) => {
      const toExpression = (list: number[]): e.Expression =>
        e.sum(...list.map((c, k) => e.product(e.constant(c), ...Array.from({ length: k }, () => e.input))));
      const product = new Array<number>(a.length + b.length - 1).fill(0);
      a.forEach((x, i) => b.forEach((y, j) => (product[i + j]! += x * y)));
      const exact = product.reduce((s, c) => s + Math.abs(c), 0);
      expect(tilde(e.product(toExpression(a), toExpression(b)))).toBeGreaterThanOrEqual(exact - 1e-9);
    }),
  );
});

test('sharper steps and deeper trees cost more, steps exponentially in their sharpness', () => {
  const step = (s: number): number => Math.log(tilde(e.threshold(s, e.input)));
  const slopes = [(step(8) - step(4)) / 4, (step(16) - step(8)) / 8, (step(32) - step(16)) / 16];
  for (const slope of slopes) expect(slope).toBeGreaterThan(2);
  expect(Math.max(...slopes) / Math.min(...slopes)).toBeLessThan(1.5);
  expect(tilde(e.threshold(2, e.input), 0)).toBeCloseTo(0.5, 3);
  const trees = [0, 1, 2, 3].map((depth) => tilde(e.choiceTree(depth, e.input, 2)));
  expect(trees[0]).toBe(1);
  for (let d = 1; d < trees.length; d++) expect(trees[d]).toBeGreaterThan(5 * trees[d - 1]!);
  expect(() => tilde(e.threshold(-1, e.input))).toThrow(/sharpness from 0 to 32, got -1/);
  expect(() => tilde(e.input, -1)).toThrow(/finite norm of at least 0, got -1/);
});

test('clusters of codes are found, however many there are, and new codes are assigned', () => {
  for (const [tasks, seed] of [
    [1, 1],
    [3, 2],
    [40, 3],
  ] as const) {
    const rng = new Rng(seed);
    const truth = Array.from({ length: 1200 }, () => rng.integer(tasks));
    const codes = Float32Array.from(truth.flatMap((t) => gaussian(rng, t)));
    const found = clusterCodes(codes, 8, { seed });
    expect(found.count).toBe(tasks);
    const pairs = new Set(truth.map((t, i) => `${t} ${found.labels[i]}`));
    expect(pairs.size).toBe(tasks);
    for (let k = 0; k < 50; k++) {
      const t = rng.integer(tasks);
      expect(found.assign(gaussian(rng, t))).toBe(found.labels[truth.indexOf(t)]);
    }
    if (tasks > 1) expect(found.assign(new Array<number>(8).fill(50))).toBe(-1);
  }
  expect(clusterCodes(new Float32Array(40).fill(1), 8, { seed: 1 }).count).toBe(1);
  expect(() => clusterCodes(new Float32Array(7), 8, { seed: 1 })).toThrow(/rows of 8 numbers, got 7/);
  expect(() => clusterCodes(Float32Array.of(1, Number.NaN), 2, { seed: 1 })).toThrow(/got NaN in row 0/);
});

test('modules per cluster learn linear tasks exactly; a code of no cluster gets the mean', async () => {
  const train = data(1, 1500, 20, gaussian);
  const fresh = data(2, 300, 20, gaussian);
  const fitted = await modulePerCode({ seed: 3 }).fit(train, new Rng(1));
  expect(fitted.sizes).toHaveLength(20);
  expect(rSquared(await fitted.predict(fresh), fresh.ys)).toBeGreaterThan(0.9999);
  const foreign = { ...fresh, codes: new Float32Array(fresh.codes.length).fill(40) };
  const mean = train.ys.reduce((s, y) => s + y, 0) / 1500;
  expect((await fitted.predict(foreign))[7]).toBeCloseTo(mean, 5);
});

test('a tree finds the decisions that choose the task, and no others', async () => {
  // Bit 5 chooses, then bit 1 or bit 7.
  const code = (rng: Rng, task: number): number[] => {
    const bits = Array.from({ length: 9 }, () => rng.integer(2));
    bits[5] = task >> 1;
    bits[task >> 1 === 0 ? 1 : 7] = task & 1;
    return bits;
  };
  const fitted = await codeTree().fit(data(3, 2000, 4, code), new Rng(1));
  const fresh = data(4, 300, 4, code);
  expect(fitted.sizes.length).toBeGreaterThanOrEqual(4);
  expect(rSquared(await fitted.predict(fresh), fresh.ys)).toBeGreaterThan(0.9999);
  const blind = await codeTree({ maxDepth: 0 }).fit(data(3, 500, 4, code), new Rng(1));
  expect(blind.sizes).toEqual([500]);
  const noise = await codeTree().fit(
    data(5, 600, 1, (rng) => [rng.normal(), rng.normal()]),
    new Rng(1),
  );
  expect(noise.sizes).toHaveLength(1);
  expect(() => codeTree({ maxDepth: -1 })).toThrow(/whole depth of at least 0, got -1/);
});

test('the decision follows the data: modules where sharing costs, one model where modules know nothing more', async () => {
  const shared = sharedNetwork({ executor, hidden: 64, epochs: 4 });
  const many = await decideFormulation(data(6, 3000, 60, gaussian), { shared, modular: modulePerCode(), seed: 1 });
  expect(many.choice).toBe('modular');
  expect(many.interval[0]).toBeGreaterThan(1);
  expect(many.interval[0]).toBeLessThanOrEqual(many.penalty);
  expect(many.interval[1]).toBeGreaterThanOrEqual(many.penalty);
  expect(many.modules).toBe(60);
  // Four numbers per code: too few for a module each, whatever the penalty.
  const scarce = await decideFormulation(data(7, 120, 30, gaussian), { shared, modular: modulePerCode(), seed: 1 });
  expect([scarce.choice, scarce.ready]).toEqual(['shared', 0]);
  const constantly = (value: number): Formulation => ({
    name: 'constant',
    fit: async () => ({ parameters: 1, sizes: [10], predict: async (d) => new Float32Array(d.ys.length).fill(value) }),
  });
  const equal = await decideFormulation(data(8, 200, 2, gaussian), {
    shared: constantly(0),
    modular: constantly(0),
    seed: 1,
  });
  expect(equal.choice).toBe('shared');
  expect(equal.penalty).toBe(1);
  expect(equal.interval).toEqual([1, 1]);
});

test('the meter asks for a decision at every doubling', async () => {
  const meter = new FormulationMeter(4, 8);
  const { xs, codes, ys } = data(9, 140, 2, gaussian);
  const due: number[] = [];
  for (let i = 0; i < 140; i++) {
    if (!meter.add(xs.subarray(4 * i, 4 * i + 4), codes.subarray(8 * i, 8 * i + 8), ys[i]!)) continue;
    due.push(i + 1);
    await meter.decide({ shared: codeTree({ maxDepth: 0 }), modular: modulePerCode(), seed: 1 });
  }
  expect(due).toEqual([64, 128]);
  expect(meter.decision?.choice).toBe('modular');
  expect(() => meter.add([1], [1], 1)).toThrow(/Expected 4 inputs and a code of 8, got 1 and 1/);
  await expect(
    decideFormulation(data(1, 10, 1, gaussian), { shared: codeTree(), modular: codeTree(), seed: 1 }),
  ).rejects.toThrow(/at least 20 examples, got 10/);
});
