import { describe, expect, it } from 'vitest';
import { defineProgram, grad, type HostTensor, interpret, ModelState, Rng, type Tensor } from '../../tensor/index.ts';
import { asrConfig } from './config.ts';
import { distributions } from './hat.ts';
import { createHostJoint } from './host-joint.ts';
import { asrLoss } from './train.ts';
import { pickEnds, runOut, transducerGraph } from './transducer-graph.ts';
import { transducerLoss } from './transducer-loss.ts';

/** -log of the sum over all alignments, by recursion over paths; exponential, so only for tiny lattices. */
function enumerate(lb: number[][], ly: number[][], T: number, U: number, labelFrames = 0): number {
  const paths: number[] = [];
  const walk = (t: number, u: number, score: number): void => {
    if (t >= T) {
      if (u === U) paths.push(score);
      return;
    }
    walk(t + 1, u, score + lb[t]![u]!);
    if (u < U) walk(t + labelFrames, u + 1, score + ly[t]![u]!);
  };
  walk(0, 0, 0);
  if (paths.length === 0) return Infinity;
  const top = Math.max(...paths);
  return -(top + Math.log(paths.reduce((s, p) => s + Math.exp(p - top), 0)));
}

const random = (rng: Rng, n: number): Float64Array => Float64Array.from({ length: n }, () => -3 * rng.uniform());

describe('transducerLoss', () => {
  it('equals the enumeration of all alignments, and its occupancies count blanks and labels', () => {
    for (let seed = 0; seed < 60; seed++) {
      const rng = new Rng(seed);
      const [T, U] = [1 + rng.integer(4), rng.integer(4)];
      const columns = U + 1 + rng.integer(2);
      const frames = T + rng.integer(3);
      const [blank, label] = [random(rng, frames * columns), random(rng, frames * columns)];
      const row = (x: Float64Array): number[][] =>
        Array.from({ length: T }, (_, t) => Array.from(x.subarray(t * columns, (t + 1) * columns)));
      const result = transducerLoss({ blank, label, batch: 1, frames, columns }, { frames: [T], labels: [U] });
      expect(Math.abs(result.losses[0]! - enumerate(row(blank), row(label), T, U))).toBeLessThan(1e-9);
      expect(result.blank.reduce((a, b) => a + b, 0)).toBeCloseTo(T, 9);
      expect(result.label.reduce((a, b) => a + b, 0)).toBeCloseTo(U, 9);
    }
  });

  it('labels may take frames: the sum over all such alignments, and probabilities of all lengths sum to 1', () => {
    for (let seed = 0; seed < 60; seed++) {
      const rng = new Rng(seed).fork('durations');
      const [T, labelFrames] = [1 + rng.integer(5), 1 + rng.integer(4)];
      const most = Math.ceil(T / labelFrames);
      const columns = most + 1;
      const blank = random(rng, T * columns);
      // One label: what is not blank is that label.
      const label = blank.map((l) => Math.log1p(-Math.exp(l)));
      const row = (x: Float64Array): number[][] =>
        Array.from({ length: T }, (_, t) => Array.from(x.subarray(t * columns, (t + 1) * columns)));
      let total = 0;
      for (let U = 0; U <= most; U++) {
        const lattice = { blank, label, batch: 1, frames: T, columns, labelFrames };
        const result = transducerLoss(lattice, { frames: [T], labels: [U] });
        expect(result.losses[0]!).toBeCloseTo(enumerate(row(blank), row(label), T, U, labelFrames), 9);
        expect(result.label.reduce((a, b) => a + b, 0)).toBeCloseTo(U, 9);
        total += Math.exp(-result.losses[0]!);
      }
      expect(total).toBeCloseTo(1, 9);
    }
  });

  it('gradients are minus the occupancies', () => {
    const rng = new Rng(5);
    const [T, U] = [4, 3];
    const columns = U + 1;
    const [blank, label] = [random(rng, T * columns), random(rng, T * columns)];
    const loss = (): number =>
      transducerLoss({ blank, label, batch: 1, frames: T, columns }, { frames: [T], labels: [U] }).losses[0]!;
    const exact = transducerLoss({ blank, label, batch: 1, frames: T, columns }, { frames: [T], labels: [U] });
    for (const [values, gamma] of [
      [blank, exact.blank],
      [label, exact.label],
    ] as const) {
      for (let i = 0; i < values.length; i++) {
        const x = values[i]!;
        values[i] = x + 1e-5;
        const up = loss();
        values[i] = x - 1e-5;
        const down = loss();
        values[i] = x;
        expect(Math.abs((up - down) / 2e-5 + gamma[i]!)).toBeLessThan(1e-6);
      }
    }
  });

  it('takes no labels, and says what is wrong with lengths', () => {
    const lattice = { blank: [-1, -2, -4], label: [0, 0, 0], batch: 1, frames: 3, columns: 1 };
    expect(transducerLoss(lattice, { frames: [3], labels: [0] }).losses[0]).toBe(7);
    expect(() => transducerLoss(lattice, { frames: [0], labels: [0] })).toThrow('Expected 1 to 3 frames');
    expect(() => transducerLoss(lattice, { frames: [3], labels: [1] })).toThrow('Expected 0 to 0 labels, got 1.');
    const nan = { ...lattice, blank: [Number.NaN, 0, 0] };
    expect(() => transducerLoss(nan, { frames: [3], labels: [0] })).toThrow('forward and backward');
  });
});

describe('transducerGraph', () => {
  const frames = 6;
  const columns = 4;
  const lengths = { frames: [6, 3, 1], labels: [3, 0, 2] };
  const pick = pickEnds(lengths.frames, lengths.labels, columns);

  function inGraph(blank: Float64Array, label: Float64Array, fastEmit = 0): Record<string, HostTensor> {
    const def = defineProgram(
      (b) => {
        const lb = b.input('blank', [3, frames, columns]);
        const ly = b.input('label', [3, frames, columns]);
        const losses = transducerGraph(b, { blank: lb, label: ly }, b.constant(pick, [3, 1], 'i32'), { fastEmit });
        b.output('losses', losses);
        const [gb, gy] = grad(losses.sum(), [lb, ly]) as [Tensor, Tensor];
        b.output('gb', gb);
        b.output('gy', gy);
      },
      { dtype: 'f64' },
    );
    return interpret(def, { blank, label }, new ModelState()).outputs;
  }

  it('equals the host kernel in value and gradient, whatever the lengths in the batch', () => {
    for (let seed = 0; seed < 10; seed++) {
      const rng = new Rng(seed);
      const [blank, label] = [random(rng, 3 * frames * columns), random(rng, 3 * frames * columns)];
      const host = transducerLoss({ blank, label, batch: 3, frames, columns }, lengths);
      const graph = inGraph(blank, label);
      host.losses.forEach((l, i) => expect(graph['losses']!.data[i]).toBeCloseTo(l, 9));
      host.blank.forEach((g, i) => expect(graph['gb']!.data[i]).toBeCloseTo(-g, 9));
      host.label.forEach((g, i) => expect(graph['gy']!.data[i]).toBeCloseTo(-g, 9));
    }
  });

  it('labels that take frames: the lattice that runs out equals the host kernel', () => {
    const labelFrames = 2;
    const lasting = { frames: [6, 3, 1], labels: [3, 0, 1] };
    const valid = lasting.frames.flatMap((n) => Array.from({ length: frames }, (_, t) => Number(t < n)));
    const end = pickEnds([8, 8, 8], lasting.labels, columns);
    const def = defineProgram(
      (b) => {
        const lb = b.input('blank', [3, frames, columns]);
        const ly = b.input('label', [3, frames, columns]);
        const long = runOut(
          { blank: lb, label: ly },
          b.constant(Float64Array.from(valid), [3, frames, 1], b.dtype),
          labelFrames,
        );
        const losses = transducerGraph(b, long, b.constant(end, [3, 1], 'i32'), { labelFrames });
        b.output('losses', losses);
        const [gb, gy] = grad(losses.sum(), [lb, ly]) as [Tensor, Tensor];
        b.output('gb', gb);
        b.output('gy', gy);
      },
      { dtype: 'f64' },
    );
    for (let seed = 0; seed < 10; seed++) {
      const rng = new Rng(seed);
      const [blank, label] = [random(rng, 3 * frames * columns), random(rng, 3 * frames * columns)];
      const host = transducerLoss({ blank, label, batch: 3, frames, columns, labelFrames }, lasting);
      const graph = interpret(def, { blank, label }, new ModelState()).outputs;
      host.losses.forEach((l, i) => expect(graph['losses']!.data[i]).toBeCloseTo(l, 8));
      host.blank.forEach((g, i) => expect(graph['gb']!.data[i]).toBeCloseTo(-g, 8));
      host.label.forEach((g, i) => expect(graph['gy']!.data[i]).toBeCloseTo(-g, 8));
    }
  });

  it('early emission scales the gradient of labels and no value', () => {
    const rng = new Rng(3);
    const [blank, label] = [random(rng, 3 * frames * columns), random(rng, 3 * frames * columns)];
    const [plain, early] = [inGraph(blank, label), inGraph(blank, label, 0.5)];
    expect(early['losses']!.data).toEqual(plain['losses']!.data);
    plain['gb']!.data.forEach((g, i) => expect(early['gb']!.data[i]).toBeCloseTo(g, 12));
    plain['gy']!.data.forEach((g, i) => expect(early['gy']!.data[i]).toBeCloseTo(1.5 * g, 12));
  });
});

describe('output distributions', () => {
  for (const transducer of ['hat', 'rnnt'] as const) {
    it(`${transducer}: blank and labels sum to 1, and the host agrees with the graph`, () => {
      const config = asrConfig({ vocabulary: ['a', 'b', 'c'], transducer, joint_size: 8, embedding_size: 4 });
      const def = defineProgram((b) => b.output('loss', asrLoss(b, config, { batch: 1, rows: 2, labels: 1 })), {
        dtype: 'f64',
      });
      const state = ModelState.init(def, new Rng(1));
      for (const [, t] of state.entries()) new Rng(t.data.length).fillNormal(t.data as Float64Array, 0.5);
      const host = createHostJoint(config, 'large', state);
      const rng = new Rng(2);
      for (let i = 0; i < 20; i++) {
        const frame = new Float32Array(8);
        rng.fillNormal(frame);
        const [last, before] = [rng.integer(4), rng.integer(4)];
        const p = host.step(frame, last, before);
        expect(Math.exp(p.blank) + p.labels.reduce((s, l) => s + Math.exp(l), 0)).toBeCloseTo(1, 9);
        expect(host.internal(last, before).reduce((s, l) => s + Math.exp(l), 0)).toBeCloseTo(1, 9);
        const program = defineProgram(
          (b) => {
            const table = b.param('decoder.large.embed', [4, 4], () => new Float64Array(16));
            const proj = b.param('decoder.large.proj', [8, 8], () => new Float64Array(64));
            const e = table.gather(b.constant(Int32Array.of(last, before), [2], 'i32')).reshape([1, 8]);
            const z = b.input('frame', [1, 8]).add(e.matmul(proj)).tanh();
            const out = distributions(b, config, 'large', z);
            b.output('blank', out.blank);
            b.output('labels', out.labels);
          },
          { dtype: 'f64' },
        );
        const { outputs } = interpret(program, { frame: Float64Array.from(frame) }, state);
        expect(outputs['blank']!.data[0]).toBeCloseTo(p.blank, 9);
        p.labels.forEach((l, k) => expect(outputs['labels']!.data[k]).toBeCloseTo(l, 9));
      }
    });
  }

  it('the loss of a whole model has the gradient of its differences', () => {
    const config = asrConfig({
      vocabulary: ['a', 'b'],
      hidden_size: 8,
      num_attention_heads: 2,
      intermediate_size: 8,
      conv_kernel: 3,
      joint_size: 4,
      embedding_size: 2,
      audio: { mels: 3, stack: 2 },
      asr_sizes: {
        small: { causal_layers: 2, noncausal_layers: 0 },
        large: { causal_layers: 2, noncausal_layers: 1 },
      },
    });
    const shape = { batch: 2, rows: 6, labels: 2 };
    const build = (b: Tensor['builder']): Tensor => asrLoss(b, config, shape);
    const def = defineProgram((b) => b.output('loss', build(b)), { dtype: 'f64' });
    const state = ModelState.init(def, new Rng(4));
    const rng = new Rng(9);
    const feeds = {
      features: Float64Array.from({ length: 72 }, () => rng.normal()),
      valid: Float64Array.of(1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0),
      context: Int32Array.of(0, 0, 1, 0, 2, 1, 0, 0, 2, 0, 0, 0),
      next: Int32Array.of(1, 2, 0, 2, 0, 0),
      pick: pickEnds([3, 3], [2, 1], 3),
    };
    const withGradients = defineProgram(
      (b) => {
        const loss = build(b);
        const trained = b.trainable();
        grad(
          loss,
          trained.map((t) => t.tensor),
        ).forEach((g, i) => b.output(`g:${trained[i]!.spec.name}`.slice(2) + '!', g));
      },
      { dtype: 'f64' },
    );
    const gradients = interpret(withGradients, feeds, state).outputs;
    const loss = (): number => interpret(def, feeds, state).outputs['loss']!.data[0]!;
    for (const { name } of def.graph.params.filter((_, i) => i % 3 === 1)) {
      const values = state.get(name).data as Float64Array;
      const i = rng.integer(values.length);
      const x = values[i]!;
      values[i] = x + 1e-5;
      const up = loss();
      values[i] = x - 1e-5;
      const down = loss();
      values[i] = x;
      const numeric = (up - down) / 2e-5;
      const exact = gradients[`${name}!`]!.data[i]!;
      expect(Math.abs(numeric - exact), name).toBeLessThan(1e-6 * Math.max(1, Math.abs(numeric)));
    }
  });
});
