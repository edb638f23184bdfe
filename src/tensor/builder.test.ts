import { describe, expect, it } from 'vitest';
import { distance, evaluate, randomTensor } from './_testing.ts';
import { CairnError } from '../errors.ts';
import { Builder, defineProgram } from './builder.ts';
import { ModelState } from './executor.ts';
import { grad } from './grad.ts';
import { normal, ones } from './init.ts';
import { createReferenceExecutor } from './reference.ts';
import { Rng } from './rng.ts';
import type { Tensor } from './tensor.ts';

describe('nodes', () => {
  it('are shared when op, inputs and attributes are equal', () => {
    const b = new Builder();
    const x = b.input('x', [2, 3]);
    expect(x.add(1).exp().port).toEqual(x.add(1).exp().port);
    expect(b.constant([1, 2]).port).toEqual(b.constant([1, 2]).port);
    expect(b.constant([0]).port).not.toEqual(b.constant([-0]).port);
    expect(x.sum(0).port).not.toEqual(x.sum(1).port);
  });

  it('stopGradient is not merged with its input', () => {
    const b = new Builder();
    const x = b.input('x', [2]);
    expect(x.stopGradient().port).not.toEqual(x.port);
  });

  it('disappear when nothing needs them; inputs and parameters stay', () => {
    const { graph } = defineProgram((b) => {
      const x = b.input('x', [2]);
      b.input('unused', [1]);
      b.param('w', [2], ones);
      x.exp().log();
      b.output('y', x.neg());
    });
    expect(graph.nodes.map((n) => n.op)).toEqual(['input', 'input', 'param', 'neg']);
    expect(graph.nodes.every((n, i) => n.id === i)).toBe(true);
    expect(graph.outputs[0]!.port).toEqual({ node: 3, port: 0 });
  });

  it('reshape and transpose chains collapse', () => {
    const b = new Builder();
    const x = b.input('x', [2, 3, 4]);
    expect(x.reshape([6, 4]).reshape([2, 3, 4]).port).toEqual(x.port);
    expect(x.transpose([1, 2, 0]).transpose([2, 0, 1]).port).toEqual(x.port);
  });
});

describe('misuse is reported while building', () => {
  const inScope = (f: (x: Tensor, b: Builder) => void): (() => void) => {
    const b = new Builder();
    return () => b.scope('blocks', () => b.scope('0', () => f(b.input('x', [4, 3]), b)));
  };

  it.each<[string, (x: Tensor, b: Builder) => void, string]>([
    [
      'broadcast',
      (x, b) => x.add(b.input('y', [2, 3])),
      'Expected shapes that broadcast, got [4,3] and [2,3] (axis 0: 4 vs 2). At add in `blocks.0`.',
    ],
    [
      'matmul',
      (x, b) => x.matmul(b.input('y', [4, 3])),
      'Expected inner dimensions that agree, got [4,3] and [4,3] (3 vs 4). At matmul in `blocks.0`.',
    ],
    [
      'dtype',
      (x, b) => x.add(b.input('i', [3], 'i32')),
      'Expected operands of one dtype, got f32 and i32. At add in `blocks.0`.',
    ],
    [
      'reshape',
      (x) => x.reshape([5]),
      'Expected a shape with 12 elements, got [5] for a tensor [4,3]. At reshape in `blocks.0`.',
    ],
    ['gather', (x, b) => x.gather(b.input('i', [2])), 'Expected i32 indices, got f32. At gather in `blocks.0`.'],
    [
      'constant index',
      (x, b) => x.gather(b.constant(Int32Array.of(0, 4))),
      'Expected an index from 0 to 3, got 4. At gather in `blocks.0`.',
    ],
    ['input name', (_x, b) => b.input('x', [1]), 'Expected a new input name, got `x`, which is taken.'],
    [
      'reserved',
      (_x, b) => b.input('%1', [1]),
      'Expected a input name that does not start with %, p: or n:, got `%1`.',
    ],
    [
      'param',
      (_x, b) => [b.param('w', [2], ones), b.param('w', [3], ones)],
      'Expected f32[2] for parameter `w`, got f32[3].',
    ],
    ['update', (x, b) => b.update('w', x), 'Expected a declared parameter, got `w`.'],
    [
      'foreign',
      (x) => x.add(new Builder().input('z', [3])),
      'Expected a tensor of this program for add, got a tensor of another program.',
    ],
    ['scalar', (x) => grad(x, [x]), 'Expected a float scalar to differentiate, got f32[4,3].'],
  ])('%s', (_name, f, message) => {
    expect(inScope(f)).toThrow(message);
    expect(inScope(f)).toThrow(CairnError);
  });

  it('a graph tensor has no numbers', () => {
    const x = new Builder().input('x', [2]);
    const message = 'Expected a fetched output, got a graph tensor. Name it in `outputs` and run the program.';
    expect(() => x.data).toThrow(message);
    expect(() => Number(x)).toThrow(message);
    expect(`${x}`).toBe('Tensor f32[2]');
  });
});

describe('hooks', () => {
  const feeds = { x: randomTensor(new Rng(1), [2, 3]) };
  const model = (b: Builder): { y: Tensor; dh: Tensor } => {
    const h = b.tap('mlp.hook_pre', b.input('x', [2, 3]).matmul(b.param('w', [3, 4], normal(1))));
    const y = h.tanh().sum();
    return { y, dh: grad(y, [h])[0]! };
  };

  it('a patch that returns its input changes nothing', () => {
    const plain = evaluate(model, feeds);
    expect(evaluate(model, feeds, { patch: { 'mlp.hook_pre': (x) => x } })).toEqual(plain);
    const scaled = evaluate(model, feeds, { patch: { 'mlp.hook_pre': (x) => x.mul(2) } });
    expect(distance(scaled['y']!, plain['y']!)).toBeGreaterThan(1e-3);
  });

  it('capture returns the tensor by name or pattern', () => {
    const byName = evaluate(model, feeds, { capture: 'mlp.hook_pre' });
    expect(byName['mlp.hook_pre']).toHaveLength(8);
    expect(evaluate(model, feeds, { capture: /hook_/g })).toEqual(byName);
  });

  it('a fed patch acts where its mask is 1 and is neutral where it is 0', () => {
    const options = { feedPatch: ['mlp.hook_pre'], capture: 'mlp.hook_pre' };
    const patch = { 'patch:mlp.hook_pre': randomTensor(new Rng(2), [2, 4]) };
    const off = evaluate(model, { ...feeds, ...patch, 'mask:mlp.hook_pre': 0 }, options);
    const on = evaluate(model, { ...feeds, ...patch, 'mask:mlp.hook_pre': 1 }, options);
    expect(off).toEqual(evaluate(model, feeds, { capture: 'mlp.hook_pre' }));
    expect(on['mlp.hook_pre']).toEqual(Array.from(patch['patch:mlp.hook_pre'].data));
  });

  it('unknown and repeated names are errors', () => {
    expect(() => evaluate(model, feeds, { capture: 'nope' })).toThrow(
      'Expected a hook point of this program, got `nope`. Known: mlp.hook_pre.',
    );
    const b = new Builder();
    const x = b.input('x', [1]);
    b.tap('h', x);
    expect(() => b.tap('h', x)).toThrow('Expected a new hook name, got `h` twice.');
  });
});

describe('programs', () => {
  it('update state after a run, unless the guard says no', async () => {
    const def = defineProgram((b) => {
      const w = b.param('w', [2], ones);
      const x = b.input('x', []);
      b.update('w', w.add(x));
      b.commitIf(x.lt(10));
      b.output('w2', w.mul(2));
    });
    const state = ModelState.init(def, new Rng(1));
    await using program = await createReferenceExecutor().compile(def, { state });
    expect(Array.from((await program.run({ x: 3 }))['w2']!.data)).toEqual([2, 2]);
    expect(Array.from(state.get('w').data)).toEqual([4, 4]);
    await program.run({ x: 10 });
    expect(Array.from(state.get('w').data)).toEqual([4, 4]);
  });

  it('check their feeds', async () => {
    const program = await createReferenceExecutor().compile(
      defineProgram((b) => b.output('y', b.input('x', [2]).neg())),
    );
    await expect(program.run({})).rejects.toThrow('Expected a value for input `x` f32[2], got none.');
    await expect(program.run({ x: Float64Array.of(1, 2) })).rejects.toThrow('Expected f32 for input `x`, got f64.');
    await expect(program.run({ x: Float32Array.of(1) })).rejects.toThrow(
      'Expected [2] for input `x`, got 1 values of shape [2].',
    );
    await expect(program.run({ x: Float32Array.of(1, 2), z: 1 })).rejects.toThrow('Expected one of x, got `z`.');
  });

  it('initialise each entry from its own stream', () => {
    const one = defineProgram((b) => b.output('y', b.param('b', [3], normal(1))));
    const two = defineProgram((b) =>
      b.output(
        'y',
        b
          .param('a', [5], normal(1))
          .sum()
          .add(b.param('b', [3], normal(1))),
      ),
    );
    const get = (def: typeof one): number[] => Array.from(ModelState.init(def, new Rng(9)).get('b').data);
    expect(get(one)).toEqual(get(two));
  });
});
