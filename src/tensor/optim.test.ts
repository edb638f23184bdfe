import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Builder, defineProgram } from './builder.ts';
import { type Executor, ModelState, type Program } from './executor.ts';
import type { ProgramDef } from './graph.ts';
import { normal } from './init.ts';
import { accumulateGradients, adamW, type AdamWOptions, adamWRule, applyAccumulated, sgd } from './optim.ts';
import { createOrtExecutor } from './ort-node.ts';
import { createReferenceExecutor } from './reference.ts';
import { Rng } from './rng.ts';
import { adamFeeds, constantSchedule, cosineSchedule, linearSchedule } from './schedule.ts';
import type { Tensor } from './tensor.ts';

const [ROWS, IN, OUT] = [6, 4, 3];

/** Squared error of a linear map with a bias and a gain; the weight decays, the vectors do not. */
function regression(b: Builder, rows = ROWS): Tensor {
  const x = b.input('x', [rows, IN]);
  const y = b.input('y', [rows, OUT]);
  const w = b.param('w', [IN, OUT], normal(0.5));
  const bias = b.param('bias', [OUT], normal(0.5), { tags: ['slow'] });
  const error = x.matmul(w).add(bias).sub(y);
  const loss = error.mul(error).mean();
  b.output('loss', loss);
  return loss;
}

function batch(rows: number, seed: number): { x: Float64Array; y: Float64Array } {
  const rng = new Rng(seed);
  const [x, y] = [new Float64Array(rows * IN), new Float64Array(rows * OUT)];
  rng.fillNormal(x);
  rng.fillNormal(y);
  return { x, y };
}

const program64 = (build: (b: Builder) => void): ProgramDef => defineProgram(build, { dtype: 'f64' });

/** Gradients of `regression` by hand, then AdamW as the paper writes it. */
class Oracle {
  readonly w: Float64Array;
  readonly bias: Float64Array;
  readonly #m = [new Float64Array(IN * OUT), new Float64Array(OUT)];
  readonly #v = [new Float64Array(IN * OUT), new Float64Array(OUT)];
  #t = 0;

  constructor(state: ModelState) {
    this.w = Float64Array.from(state.get('w').data);
    this.bias = Float64Array.from(state.get('bias').data);
  }

  gradients(x: Float64Array, y: Float64Array): [Float64Array, Float64Array] {
    const rows = x.length / IN;
    const [dw, db] = [new Float64Array(IN * OUT), new Float64Array(OUT)];
    for (let r = 0; r < rows; r++) {
      for (let j = 0; j < OUT; j++) {
        let e = this.bias[j]! - y[r * OUT + j]!;
        for (let i = 0; i < IN; i++) e += x[r * IN + i]! * this.w[i * OUT + j]!;
        const g = (2 * e) / (rows * OUT);
        db[j]! += g;
        for (let i = 0; i < IN; i++) dw[i * OUT + j]! += g * x[r * IN + i]!;
      }
    }
    return [dw, db];
  }

  step(
    x: Float64Array,
    y: Float64Array,
    lr: number,
    o: Required<Pick<AdamWOptions, 'clipNorm' | 'weightDecay'>>,
  ): number {
    const { beta1, beta2, eps } = { beta1: 0.9, beta2: 0.95, eps: 1e-8 };
    const grads = this.gradients(x, y);
    const norm = Math.sqrt(grads.flatMap((g) => [...g]).reduce((s, g) => s + g * g, 0));
    const shrink = Math.min(1, o.clipNorm / (norm + 1e-6));
    this.#t++;
    [this.w, this.bias].forEach((p, k) => {
      const rate = k === 1 ? lr * 0.1 : lr;
      const decay = k === 0 ? o.weightDecay : 0;
      for (let i = 0; i < p.length; i++) {
        const g = grads[k]![i]! * shrink;
        const m = (this.#m[k]![i] = beta1 * this.#m[k]![i]! + (1 - beta1) * g);
        const v = (this.#v[k]![i] = beta2 * this.#v[k]![i]! + (1 - beta2) * g * g);
        const step = m / (1 - beta1 ** this.#t) / (Math.sqrt(v / (1 - beta2 ** this.#t)) + eps);
        p[i]! -= rate * (step + decay * p[i]!);
      }
    });
    return norm;
  }
}

const closeTo = (actual: ArrayLike<number>, wanted: ArrayLike<number>, digits: number): void => {
  expect(actual.length).toBe(wanted.length);
  for (let i = 0; i < wanted.length; i++) expect(actual[i]).toBeCloseTo(wanted[i]!, digits);
};

describe.each(['reference', 'ort'] as const)('optimisers on %s', (kind) => {
  let executor: Executor;
  beforeAll(async () => {
    executor = kind === 'ort' ? await createOrtExecutor({ threads: 1 }) : createReferenceExecutor();
  });
  afterAll(() => executor.dispose());

  const trainer = async (def: ProgramDef, seed = 1): Promise<{ state: ModelState; program: Program }> => {
    const state = ModelState.init(def, new Rng(seed));
    return { state, program: await executor.compile(def, { state }) };
  };

  it('adamW follows the paper, with decay, clipping and a slower group', async () => {
    const options = { weightDecay: 0.1, clipNorm: 0.5 };
    const def = program64((b) => adamW(b, regression(b), { ...options, lrScale: { slow: 0.1 } }));
    const { state, program } = await trainer(def);
    const oracle = new Oracle(state);
    for (let t = 1; t <= 20; t++) {
      const { x, y } = batch(ROWS, t);
      const out = await program.run({ x, y, ...adamFeeds(t, 0.05) });
      expect(out['gradNorm']!.data[0]).toBeCloseTo(oracle.step(x, y, 0.05, options), 12);
      expect(out['skipped']!.data[0]).toBe(0);
    }
    closeTo(state.get('w').data, oracle.w, 12);
    closeTo(state.get('bias').data, oracle.bias, 12);
  });

  it('with learning rate 0 the weights keep their bits', async () => {
    const def = defineProgram((b) => adamW(b, regression(b), { clipNorm: 1 }));
    const { state, program } = await trainer(def);
    const before = [state.get('w'), state.get('bias')].map((t) => t.data.slice());
    const { x, y } = batch(ROWS, 3);
    const feeds = { x: Float32Array.from(x), y: Float32Array.from(y) };
    for (let t = 1; t <= 3; t++) await program.run({ ...feeds, ...adamFeeds(t, 0) });
    expect([state.get('w').data, state.get('bias').data]).toEqual(before);
  });

  it('sgd with momentum follows its recurrence', async () => {
    const def = program64((b) => sgd(b, regression(b), { momentum: 0.9, weightDecay: 0.2 }));
    const { state, program } = await trainer(def);
    const oracle = new Oracle(state);
    const velocity = [new Float64Array(IN * OUT), new Float64Array(OUT)];
    for (let t = 1; t <= 10; t++) {
      const { x, y } = batch(ROWS, t);
      await program.run({ x, y, lr: 0.03 });
      const grads = oracle.gradients(x, y);
      [oracle.w, oracle.bias].forEach((p, k) => {
        for (let i = 0; i < p.length; i++) {
          velocity[k]![i] = 0.9 * velocity[k]![i]! + grads[k]![i]!;
          p[i] = p[i]! * (1 - 0.03 * (k === 0 ? 0.2 : 0)) - 0.03 * velocity[k]![i]!;
        }
      });
    }
    closeTo(state.get('w').data, oracle.w, 12);
    closeTo(state.get('bias').data, oracle.bias, 12);
  });

  it('skips a step with non-finite gradients and keeps everything', async () => {
    const def = defineProgram((b) => adamW(b, regression(b), { clipNorm: 1 }));
    const { state, program } = await trainer(def);
    const good = batch(ROWS, 3);
    const feeds = { x: Float32Array.from(good.x), y: Float32Array.from(good.y) };
    await program.run({ ...feeds, ...adamFeeds(1, 0.1) });
    const before = state.names().map((name) => state.get(name).data.slice());
    const bad = { ...feeds, y: feeds.y.map((v, i) => (i === 2 ? NaN : v)) };
    const out = await program.run({ ...bad, ...adamFeeds(2, 0.1) });
    expect(out['skipped']!.data[0]).toBe(1);
    expect(state.names().map((name) => state.get(name).data)).toEqual(before);
    const next = await program.run({ ...feeds, ...adamFeeds(2, 0.1) });
    expect(next['skipped']!.data[0]).toBe(0);
  });

  it('accumulating micro-batches equals one batch', async () => {
    const rule = adamWRule({ weightDecay: 0.1 });
    const whole = await trainer(program64((b) => adamW(b, regression(b, 12), { weightDecay: 0.1, clipNorm: 1 })));
    const accumulate = program64((b) => accumulateGradients(b, regression(b, 4)));
    const apply = applyAccumulated(accumulate, rule, { clipNorm: 1 });
    const parts = await trainer(accumulate);
    parts.state.ensure(apply, new Rng(1));
    const applier = await executor.compile(apply, { state: parts.state });
    for (let t = 1; t <= 5; t++) {
      const { x, y } = batch(12, t);
      await whole.program.run({ x, y, ...adamFeeds(t, 0.1) });
      for (let k = 0; k < 3; k++) {
        await parts.program.run({
          x: x.slice(k * 4 * IN, (k + 1) * 4 * IN),
          y: y.slice(k * 4 * OUT, (k + 1) * 4 * OUT),
        });
      }
      await applier.run({ count: 3, ...adamFeeds(t, 0.1) });
    }
    closeTo(parts.state.get('w').data, whole.state.get('w').data, 12);
    closeTo(parts.state.get('bias').data, whole.state.get('bias').data, 12);
    expect([...parts.state.get('g:w').data]).toEqual([...new Float64Array(IN * OUT)]);
  });

  it('resumes bit for bit, and the same seed gives the same run', async () => {
    const def = defineProgram((b) => adamW(b, regression(b), { clipNorm: 1 }));
    const run = async (state: ModelState, from: number, to: number): Promise<void> => {
      const program = await executor.compile(def, { state });
      for (let t = from; t <= to; t++) {
        const { x, y } = batch(ROWS, t);
        await program.run({ x: Float32Array.from(x), y: Float32Array.from(y), ...adamFeeds(t, 0.02) });
      }
      await program.dispose();
    };
    const start = (): ModelState => ModelState.init(def, new Rng(5));
    const [straight, again, first] = [start(), start(), start()];
    await run(straight, 1, 10);
    await run(again, 1, 10);
    await run(first, 1, 4);
    const resumed = first.clone();
    await run(resumed, 5, 10);
    for (const name of straight.names()) {
      expect(again.get(name).data).toEqual(straight.get(name).data);
      expect(resumed.get(name).data).toEqual(straight.get(name).data);
    }
  });
});

describe('schedules', () => {
  it('warm up, decay and stay at the floor', () => {
    const cosine = cosineSchedule({ peak: 1, warmup: 10, total: 110, floor: 0.1 });
    expect([1, 5, 10, 60, 110, 500].map(cosine)).toEqual([
      0.1,
      0.5,
      1,
      expect.closeTo(0.55, 12) as number,
      expect.closeTo(0.1, 12) as number,
      expect.closeTo(0.1, 12) as number,
    ]);
    const linear = linearSchedule({ peak: 2, total: 4 });
    expect([0, 1, 2, 3, 4, 5].map(linear)).toEqual([2, 1.5, 1, 0.5, 0, 0]);
    expect([1, 2, 4, 9].map(constantSchedule(3, 4))).toEqual([0.75, 1.5, 3, 3]);
    expect(() => linearSchedule({ peak: 1, warmup: 5, total: 5 })).toThrow(
      'Expected 0 <= warmup < total, got 5 and 5.',
    );
    expect(() => adamFeeds(0, 1)).toThrow('Expected a step counted from 1, got 0.');
  });
});
