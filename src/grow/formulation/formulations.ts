// Two formulations that compete: one network that reads the code beside the input, and one linear module per cluster of
// codes. The third, a tree over the attributes of the code, is in code-tree.ts.
import { activation, forward, linear, sequential, train } from '../../nn/index.ts';
import { adamW, defineProgram, type Executor, ModelState, type Program } from '../../tensor/index.ts';
import { LinearSums, linearAnswer } from './ridge.ts';
import { clusterCodes } from './task-codes.ts';
import { type Formulation, pickRows, rowsOf, type TaskData } from './task-data.ts';

export interface SharedNetworkOptions {
  readonly executor: Executor;
  /** Hidden units. Default 512. */
  readonly hidden?: number;
  /** Passes over the data. Default 12. */
  readonly epochs?: number;
  readonly batchSize?: number;
  /** Largest learning rate. Default 2e-3. */
  readonly rate?: number;
  readonly signal?: AbortSignal;
}

/** One two-layer network for all tasks, reading input and code. */
export function sharedNetwork(options: SharedNetworkOptions): Formulation {
  const { executor, hidden = 512, epochs = 12, rate = 2e-3, signal } = options;
  return {
    name: `network of ${hidden}`,
    async fit(data, rng) {
      const n = rowsOf(data);
      const width = data.width + data.codeWidth;
      const batch = Math.min(options.batchSize ?? 100, n);
      const scale = standardise(data);
      const net = sequential({ hidden: linear(width, hidden), act: activation('relu'), out: linear(hidden, 1) });
      const step = defineProgram((b) => {
        const y = forward(b, net, b.input('x', [batch, width])).reshape([batch]);
        const miss = y.sub(b.input('y', [batch]));
        const loss = miss.mul(miss).mean();
        b.output('loss', loss);
        adamW(b, loss, { beta1: 0.9, beta2: 0.999, weightDecay: 0, clipNorm: 10 });
      });
      const state = ModelState.init(step, rng.fork('weights'));
      const perEpoch = Math.floor(n / batch);
      await using program = await executor.compile(step, { state });
      let order: Uint32Array = new Uint32Array(0);
      await train({
        program,
        state,
        feeds: (at) => {
          if (at % perEpoch === 0)
            order = rng
              .fork('epoch')
              .fork(at / perEpoch)
              .permutation(n);
          const from = (at % perEpoch) * batch;
          const rows = pickRows(data, order.subarray(from, from + batch));
          return { x: scale.inputs(rows), y: rows.ys.map((y) => (y - scale.mean) / scale.sd) };
        },
        schedule: { kind: 'cosine', peak: rate, warmup: 0.05, final: 0.02 },
        beta1: 0.9,
        beta2: 0.999,
        length: { steps: epochs * perEpoch },
        clock: () => 0,
        ...(signal === undefined ? {} : { signal }),
      });
      const answer = defineProgram((b) => b.output('y', forward(b, net, b.input('x', [b.symbol('batch'), width]))));
      let compiled: Promise<Program> | undefined;
      return {
        parameters: width * hidden + 2 * hidden + 1,
        sizes: [n],
        predict: async (asked) => {
          compiled ??= executor.compile(answer, { state });
          const rows = rowsOf(asked);
          const out = await (
            await compiled
          ).run({ x: { data: scale.inputs(asked), shape: [rows, width], dtype: 'f32' } });
          return Float32Array.from(out['y']!.data as Float32Array, (y) => y * scale.sd + scale.mean);
        },
      };
    },
  };
}

/** Inputs and codes on a common scale, targets with mean 0 and variance 1. */
function standardise(data: TaskData): { mean: number; sd: number; inputs: (rows: TaskData) => Float32Array } {
  const spread = (values: Float32Array): { mean: number; sd: number } => {
    const mean = values.reduce((s, v) => s + v, 0) / values.length;
    const variance = values.reduce((s, v) => s + (v - mean) ** 2, 0) / values.length;
    return { mean, sd: Math.sqrt(variance) || 1 };
  };
  const [x, code, y] = [spread(data.xs), spread(data.codes), spread(data.ys)];
  return {
    ...y,
    inputs: (rows) => {
      const n = rowsOf(rows);
      const width = rows.width + rows.codeWidth;
      const out = new Float32Array(n * width);
      for (let i = 0; i < n; i++) {
        for (let k = 0; k < rows.width; k++) out[i * width + k] = (rows.xs[i * rows.width + k]! - x.mean) / x.sd;
        for (let k = 0; k < rows.codeWidth; k++) {
          out[i * width + rows.width + k] = (rows.codes[i * rows.codeWidth + k]! - code.mean) / code.sd;
        }
      }
      return out;
    },
  };
}

export interface PerCodeOptions {
  readonly ridge?: number;
  /** Task of a code, where it is known; without it codes are clustered. */
  readonly oracle?: (code: ArrayLike<number>) => number;
  readonly seed?: number;
}

/** One linear module per cluster of codes. A code that belongs to no cluster gets the mean answer. */
export function modulePerCode(options: PerCodeOptions = {}): Formulation {
  const { ridge = 1e-6, oracle, seed = 0 } = options;
  return {
    name: oracle === undefined ? 'module per cluster' : 'module per code, codes known',
    async fit(data) {
      const n = rowsOf(data);
      const codeOf = (rows: TaskData, i: number): Float32Array =>
        rows.codes.subarray(i * rows.codeWidth, (i + 1) * rows.codeWidth);
      const clusters = oracle === undefined ? clusterCodes(data.codes, data.codeWidth, { seed }) : undefined;
      const assign = oracle ?? ((code: ArrayLike<number>): number => clusters!.assign(code));
      const sums = new Map<number, LinearSums>();
      for (let i = 0; i < n; i++) {
        const task = clusters === undefined ? assign(codeOf(data, i)) : clusters.labels[i]!;
        let own = sums.get(task);
        if (own === undefined) sums.set(task, (own = new LinearSums(data.width)));
        own.add(data, i);
      }
      const modules = new Map([...sums].map(([task, own]) => [task, own.solve(ridge).weights] as const));
      const mean = data.ys.reduce((s, y) => s + y, 0) / n;
      return {
        parameters: data.width + 1,
        sizes: [...sums.values()].map((s) => s.count),
        predict: async (asked) =>
          Float32Array.from({ length: rowsOf(asked) }, (_, i) => {
            const weights = modules.get(assign(codeOf(asked, i)));
            return weights === undefined ? mean : linearAnswer(weights, asked, i);
          }),
      };
    },
  };
}
