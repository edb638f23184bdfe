import { expect, test } from 'vitest';
import { Rng } from '../../tensor/index.ts';
import { Lifelong } from './lifelong.ts';

const names = (n: number): string[] => Array.from({ length: n }, (_, i) => `b${i}`);
const parity = (x: readonly number[], from: number, to: number): number => x.slice(from, to).reduce((s, v) => s ^ v, 0);

function drawer(width: number, seed: number): () => number[] {
  const rng = new Rng(seed);
  return () => Array.from({ length: width }, () => (rng.bernoulli() ? 1 : 0));
}

/** The tasks of a binary tree over `bits`, children first: parities of neighbouring stretches. */
function hierarchy(bits: number): [string, number, number][] {
  const tasks: [string, number, number][] = [];
  for (let w = 2; w <= bits; w *= 2) for (let a = 0; a < bits; a += w) tasks.push([`parity ${a} ${a + w}`, a, a + w]);
  return tasks;
}

function learner(width: number, seed: number, epsilon = 0.25): Lifelong {
  return new Lifelong({ features: names(width), seed, epsilon, delta: 0.01 });
}

test('a parity of 16 bits is learned from 1,000 samples given its parts, whatever the seed', () => {
  for (const seed of [1, 2, 3, 4, 5]) {
    const learned = learner(24, seed);
    const draw = drawer(24, seed);
    let used = 0;
    for (const [name, from, to] of hierarchy(16)) {
      for (let status = ''; status !== 'frozen' && used < 2000; used++) {
        const x = draw();
        status = learned.step(name, x, parity(x, from, to)).status;
      }
    }
    expect(used).toBeLessThanOrEqual(1000);
    for (let k = 0; k < 200; k++) {
      const x = draw();
      expect(learned.call('parity 0 16', x)).toBe(parity(x, 0, 16));
    }
    learned.verify();
    const root = learned.frozen().at(-1)!;
    expect(root.depth).toBe(4);
    expect(learned.step('parity 0 16', draw()).trace).toHaveLength(15);
  }
});

test('later tasks change no earlier answer, not in a bit', () => {
  const learned = learner(12, 3);
  const draw = drawer(12, 3);
  const probes = Array.from({ length: 100 }, draw);
  const before: (number | undefined)[][] = [];
  const hashes: string[] = [];
  for (const [name, from, to] of hierarchy(8)) {
    for (let k = 0; k < 70; k++) {
      const x = draw();
      learned.step(name, x, parity(x, from, to));
    }
    before.push(probes.map((x) => learned.call(name, x)));
    hashes.push(learned.frozen().at(-1)!.hash);
  }
  hierarchy(8).forEach(([name], t) => {
    expect(probes.map((x) => learned.call(name, x))).toEqual(before[t]);
    expect(learned.frozen()[t]!.hash).toBe(hashes[t]);
  });
  learned.verify();
  const model = learned.frozen()[0]!.model;
  expect(() => {
    if (model.kind === 'table') (model as { table: number }).table = 9;
  }).toThrow(TypeError);
});

test('a hard task that comes first is parked and solved when its parts are there, from the samples it had', () => {
  const learned = learner(10, 5);
  const draw = drawer(10, 5);
  for (let k = 0; k < 160; k++) {
    const x = draw();
    learned.step('all', x, parity(x, 0, 8));
  }
  expect(learned.tasks()[0]).toMatchObject({ name: 'all', status: 'parked' });
  const published: string[] = [];
  for (const [name, from, to] of hierarchy(8).slice(0, -1)) {
    for (let k = 0; k < 70; k++) {
      const x = draw();
      published.push(...learned.step(name, x, parity(x, from, to)).published.map((m) => m.name));
    }
  }
  expect(published.at(-1)).toBe('all');
  expect(learned.tasks()[0]!.status).toBe('frozen');
  for (let k = 0; k < 100; k++) {
    const x = draw();
    expect(learned.call('all', x)).toBe(parity(x, 0, 8));
  }
});

test('the same task under another name answers by the same module', () => {
  const learned = learner(8, 6);
  const draw = drawer(8, 6);
  for (const name of ['one', 'two']) {
    for (let k = 0; k < 80; k++) {
      const x = draw();
      learned.step(name, x, x[1]! & x[6]!);
    }
  }
  expect(learned.frozen()).toHaveLength(1);
  expect(learned.tasks().map((t) => [t.status, t.module])).toEqual([
    ['frozen', 'one'],
    ['merged', 'one'],
  ]);
});

test('label noise of a twentieth freezes nothing wrong', () => {
  let frozen = 0;
  for (let seed = 0; seed < 30; seed++) {
    const rng = new Rng(seed).fork('noise');
    const learned = learner(12, seed);
    const draw = drawer(12, seed + 100);
    for (let k = 0; k < 260; k++) {
      const x = draw();
      const y = x[2]! ^ x[9]!;
      learned.step('t', x, rng.bernoulli(0.05) ? 1 - y : y);
    }
    for (const { model } of learned.frozen()) {
      frozen++;
      expect(model).toEqual({ kind: 'table', inputs: [2, 9], table: 6 });
    }
  }
  expect(frozen).toBeGreaterThan(25);
});

test('codes with noise are contexts; two tasks under one code are split by what the code says', () => {
  const rng = new Rng(8);
  const learned = learner(8, 8);
  const draw = drawer(8, 8);
  const code = (which: number): number[] => [
    ...Array.from({ length: 15 }, (_, i) => Math.sin(i + 1) + 0.02 * rng.normal()),
    which === 0 ? 0.3 : -0.3,
  ];
  for (let k = 0; k < 500; k++) {
    const x = draw();
    const which = rng.integer(2);
    learned.step(code(which), x, which === 0 ? x[0]! ^ x[1]! : x[2]! & x[3]!);
  }
  expect(learned.tasks().map((t) => t.status)).toEqual(['split', 'frozen', 'frozen']);
  for (let k = 0; k < 60; k++) {
    const x = draw();
    expect(learned.call(code(0), x)).toBe(x[0]! ^ x[1]!);
    expect(learned.call(code(1), x)).toBe(x[2]! & x[3]!);
  }
});

test('objects as in a trace are contexts too', () => {
  const learned = learner(4, 9);
  const draw = drawer(4, 9);
  const part = { module: 'edge', attributes: Float32Array.of(0.6, 0.2) };
  const context = (module: string) => ({
    module,
    attributes: new Float32Array(0),
    inputs: [{ object: part, weight: 1 }],
  });
  for (let k = 0; k < 60; k++) {
    const x = draw();
    learned.step(context('left'), x, x[0]! ^ x[1]!);
    learned.step(context('right'), x, x[2]!);
  }
  expect(learned.tasks().map((t) => t.status)).toEqual(['frozen', 'frozen']);
  expect(learned.call(context('right'), [0, 0, 1, 0])).toBe(1);
});

test('without names, tasks are found, told apart and assigned', () => {
  const learned = learner(10, 12);
  const draw = drawer(10, 12);
  const rng = new Rng(12).fork('order');
  const tasks = hierarchy(4);
  const truth: number[] = [];
  for (let pass = 0; pass < 3; pass++) {
    for (const t of rng.shuffle([...tasks.keys()])) {
      const length = 130 + rng.integer(40);
      for (let i = 0; i < length; i++) {
        const x = draw();
        learned.step(undefined, x, parity(x, tasks[t]![1], tasks[t]![2]));
        truth.push(t);
      }
    }
  }
  const modules = learned.frozen();
  expect(modules).toHaveLength(3);
  const taskOf = new Map(
    modules.map((m) => {
      const probes = Array.from({ length: 60 }, draw);
      return [m.name, tasks.findIndex(([, a, b]) => probes.every((x) => learned.call(m.name, x) === parity(x, a, b)))];
    }),
  );
  expect([...taskOf.values()].sort()).toEqual([0, 1, 2]);
  const assigned = learned.assignments();
  const right = assigned.filter((name, i) => name !== undefined && taskOf.get(name) === truth[i]).length;
  expect(right / truth.length).toBeGreaterThan(0.95);
});

test('modules that nobody reads are no longer candidates, but still answer', () => {
  const learned = new Lifelong({ features: names(6), seed: 1, epsilon: 0.25, retireAfter: 500 });
  const draw = drawer(6, 1);
  for (let k = 0; k < 70; k++) {
    const x = draw();
    learned.step('old', x, x[0]! ^ x[1]!);
  }
  for (let k = 0; k < 2500; k++) {
    const x = draw();
    learned.step('new', x, x[2]! & x[3]!);
  }
  expect(learned.frozen().map((m) => m.retired)).toEqual([true, false]);
  expect(learned.call('old', [1, 0, 0, 0, 0, 0])).toBe(1);
});

test('functions from outside are read like modules, and numbers may be targets', () => {
  const learned = new Lifelong({ features: names(4), seed: 2, epsilon: 0.1, tolerance: 1e-6 });
  const rng = new Rng(2);
  learned.adopt('product', 'number', (x) => x[0]! * x[1]!, 'product-1');
  for (let k = 0; k < 700; k++) {
    const x = [rng.normal(), rng.normal(), rng.normal(), rng.normal()];
    learned.step('mix', x, 3 * x[0]! * x[1]! - x[3]! + 2);
  }
  const mix = learned.frozen().at(-1)!;
  expect([mix.name, mix.model.kind, mix.depth]).toEqual(['mix', 'sparse', 2]);
  expect(learned.call('mix', [2, 3, 9, 1])).toBeCloseTo(19, 5);
});

test('with more candidates than can be paired, a parity of recent modules is still found', () => {
  const learned = new Lifelong({ features: names(80), seed: 4, epsilon: 0.25, pruneAbove: 70, keep: 12 });
  const draw = drawer(80, 4);
  const tasks: [string, (x: number[]) => number][] = [
    ['left', (x) => x[70]! & x[71]!],
    ['right', (x) => x[72]! & x[73]!],
    ['differ', (x) => (x[70]! & x[71]!) ^ (x[72]! & x[73]!)],
  ];
  for (const [name, of] of tasks) {
    for (let k = 0; k < 150; k++) {
      const x = draw();
      learned.step(name, x, of(x));
    }
  }
  const last = learned.frozen().at(-1)!;
  expect([last.name, last.model]).toEqual(['differ', { kind: 'table', inputs: [80, 81], table: 6 }]);
});

test('errors say what is wrong', () => {
  const learned = learner(2, 1);
  expect(() => learned.step('t', [1], 0)).toThrow(/Expected 2 features, got 1 numbers/);
  expect(() => learned.step('t', [1, Number.NaN], 0)).toThrow(/finite number for "b1", got NaN/);
  expect(() => learned.step('t', [1, 0], Infinity)).toThrow(/finite target, got Infinity/);
  expect(() => learned.step([1, Number.NaN], [1, 0], 1)).toThrow(/finite numbers in a context, got NaN at 1/);
  expect(() => learned.call('absent', [1, 0])).toThrow(/Expected a task that was met/);
  expect(() => new Lifelong({ features: [], seed: 1 })).toThrow(/at least one feature/);
  expect(() => new Lifelong({ features: ['a'], seed: 1, epsilon: 2 })).toThrow(
    /Expected epsilon between 0 and 1, got 2/,
  );
});
