// Networks of one hidden layer at equal active units: dense, routed by nearness, routed by a hash that ignores nearness, routed
// by a trained softmax; and a dense one with all the units of the sparse ones at once.
import {
  bucketLoads,
  bucketsOf,
  defineTrainStep,
  expertFlops,
  fitPlanes,
  forwardExperts,
  type LshExperts,
  lshExperts,
  randomBuckets,
} from 'cairn/nn';
import { createOrtExecutor, defineProgram, type Executor, ModelState, type Program, Rng } from 'cairn/tensor';
import type { LabOptions, Part } from '../report.ts';
import { trainToEnd } from '../train-to-end.ts';
import { hypercube, nearest, polynomial, sampler, type Target } from './targets.ts';

const UNITS = 16;
const BATCH = 256;
const RECIPE = { beta1: 0.9, beta2: 0.999, eps: 1e-8, weightDecay: 0, clipNorm: 10 };

interface Arm {
  readonly name: string;
  readonly layer: (dim: number) => LshExperts;
  /** Steps of training are skipped at scale ci. */
  readonly onlyFull?: boolean;
}

const of = (buckets: number, extra: Partial<Parameters<typeof lshExperts>[0]> = {}): Arm['layer'] => {
  return (inDim) => lshExperts({ inDim, outDim: 1, buckets, units: UNITS, metric: 'halfspace', ...extra });
};
const ARMS = [
  { name: 'dense', layer: of(1) },
  { name: 'nearness, 16 buckets', layer: of(16) },
  { name: 'random hash, 16 buckets', layer: of(16, { router: 'random' }) },
  { name: 'nearness, 4 buckets', layer: of(4), onlyFull: true },
  { name: 'nearness, 16 buckets, 4 tables of 4 units', layer: of(16, { tables: 4, units: 4 }), onlyFull: true },
  { name: 'trained softmax, 16 networks', layer: of(16, { router: 'learned' }), onlyFull: true },
  { name: 'dense, 256 units', layer: of(1, { units: 256 }), onlyFull: true },
] as const satisfies readonly Arm[];

interface Data {
  readonly train: { readonly x: Float32Array; readonly y: Float32Array };
  readonly test: { readonly x: Float32Array; readonly y: Float32Array };
}

/** Buckets of every row, for the routers that work on the host. */
function routesOf(layer: LshExperts, data: Data, rng: Rng): { train: Int32Array; test: Int32Array } | undefined {
  if (layer.router === 'learned') return undefined;
  if (layer.router === 'random') {
    return { train: randomBuckets(layer, data.train.x), test: randomBuckets(layer, data.test.x) };
  }
  const planes = fitPlanes(layer.hash, data.train.x, rng);
  return { train: bucketsOf(layer.hash, planes, data.train.x), test: bucketsOf(layer.hash, planes, data.test.x) };
}

interface Trained {
  readonly mse: number;
  readonly smallest: number;
  readonly largest: number;
}

async function fit(
  layer: LshExperts,
  data: Data,
  options: { steps: number; rng: Rng; executor: Executor; signal: AbortSignal },
): Promise<Trained> {
  const { steps, rng, executor, signal } = options;
  const { inDim: dim, tables } = layer;
  const routes = routesOf(layer, data, rng.fork('planes'));
  const step = defineTrainStep((b) => {
    const x = b.input('x', [BATCH, dim]);
    const route = routes && { route: b.input('route', [BATCH, tables], 'i32') };
    const error = forwardExperts(b, layer, x, route).sub(b.input('y', [BATCH, 1]));
    return error.mul(error).mean();
  }, RECIPE);
  const state = ModelState.init(step, rng.fork('weights'));
  const rows = data.train.y.length;
  await trainToEnd({
    step,
    executor,
    state,
    feeds: (at) => {
      const draw = rng.fork('batch').fork(at);
      const x = new Float32Array(BATCH * dim);
      const y = new Float32Array(BATCH);
      const route = new Int32Array(BATCH * tables);
      for (let i = 0; i < BATCH; i++) {
        const row = draw.integer(rows);
        x.set(data.train.x.subarray(row * dim, (row + 1) * dim), i * dim);
        y[i] = data.train.y[row]!;
        if (routes) route.set(routes.train.subarray(row * tables, (row + 1) * tables), i * tables);
      }
      return { x, y, ...(routes ? { route } : {}) };
    },
    settings: RECIPE,
    steps,
    peak: 5e-3,
    warmup: 0,
    final: 0.02,
    signal,
  });
  const loads = bucketLoads(routes?.train ?? new Int32Array(0), layer.buckets);
  const share = (n: number): number => (n * layer.buckets) / (rows * tables);
  return {
    mse: await testError(layer, data, routes?.test, state, executor),
    smallest: share(Math.min(...loads)),
    largest: share(Math.max(...loads)),
  };
}

async function testError(
  layer: LshExperts,
  data: Data,
  route: Int32Array | undefined,
  state: ModelState,
  executor: Executor,
): Promise<number> {
  const { x, y } = data.test;
  const def = defineProgram((b) => {
    const fed = route && { route: b.input('route', [y.length, layer.tables], 'i32') };
    b.output('y', forwardExperts(b, layer, b.input('x', [y.length, layer.inDim]), fed));
  });
  await using program: Program = await executor.compile(def, { state });
  const out = (await program.run({ x, ...(route ? { route } : {}) }))['y']!.data;
  return y.reduce((s, v, i) => s + (v - Number(out[i])) ** 2, 0) / y.length;
}

const TARGETS: readonly ((rng: Rng) => Target)[] = [
  (rng) => polynomial(6, rng),
  (rng) => hypercube(6, rng),
  (rng) => hypercube(8, rng),
  (rng) => nearest(4, 12, rng),
];

export async function training({ seed, scale, log, signal, plot }: LabOptions): Promise<Part> {
  const seeds = scale === 'full' ? 3 : 2;
  const steps = scale === 'full' ? 1200 : 600;
  const rows = 20_000;
  const rng = new Rng(seed).fork('training');
  const arms: readonly Arm[] = ARMS.filter((arm) => scale === 'full' || !('onlyFull' in arm));
  await using executor = await createOrtExecutor({ threads: 1 });
  const table: (string | number | null)[][] = [];
  const ratios: { near: number; random: number; name: string }[] = [];
  const series = arms.map((arm) => ({ name: arm.name, values: [] as number[] }));
  for (const [t, make] of TARGETS.entries()) {
    const results = arms.map(() => [] as Trained[]);
    let name = '';
    let dim = 0;
    for (let s = 0; s < seeds; s++) {
      const fork = rng.fork(`target-${t}-${s}`);
      const target = make(fork.fork('target'));
      ({ name, dim } = target);
      const draw = sampler(target, fork.fork('rows'));
      const data = { train: draw(rows, 'train'), test: draw(5000, 'test') };
      for (const [a, arm] of arms.entries()) {
        results[a]!.push(await fit(arm.layer(dim), data, { steps, rng: fork.fork('fit'), executor, signal }));
      }
    }
    const mean = (values: readonly number[]): number => values.reduce((a, v) => a + v, 0) / values.length;
    const mse = results.map((r) => mean(r.map((x) => x.mse)));
    for (const [a, arm] of arms.entries()) {
      const layer = arm.layer(dim);
      const routed = layer.router === 'learned' || layer.buckets === 1;
      const smallest = routed ? null : Math.min(...results[a]!.map((x) => x.smallest));
      const largest = routed ? null : Math.max(...results[a]!.map((x) => x.largest));
      table.push([name, arm.name, mse[a]!, mse[a]! / mse[0]!, expertFlops(layer), smallest, largest]);
      series[a]!.values.push(mse[a]!);
    }
    ratios.push({ near: mse[1]! / mse[0]!, random: mse[2]! / mse[0]!, name });
    log(
      `${name}: nearness ${ratios.at(-1)!.near.toFixed(2)} of dense, random hash ${ratios.at(-1)!.random.toFixed(2)}`,
    );
  }
  plot('experts', {
    title: `Test error at ${UNITS} active units`,
    note: `Mean of ${seeds} seeds, targets with variance 1.`,
    y: { label: 'mean squared error' },
    columns: { labels: ratios.map((r) => r.name), series },
  });
  const third = [...ratios].sort((a, b) => a.near - b.near)[2]!;
  const worst = ratios.reduce((a, b) => (b.random < a.random ? b : a));
  return {
    claims: [
      {
        id: 'nearness-beats-dense',
        says: `At ${UNITS} active units, networks picked by nearness err less than one dense network on at least three Lipschitz targets.`,
        kind: 'measured',
        value: third.near,
        baseline: 1,
        target: `error <= 0.85 of dense on at least 3 of ${ratios.length} targets, mean of ${seeds} seeds`,
        holds: third.near <= 0.85,
      },
      {
        id: 'nearness-is-what-helps',
        says: 'Picked by a hash that ignores nearness, the same networks err more than the dense one.',
        kind: 'measured',
        value: worst.random,
        baseline: 1,
        target: `error >= 1.2 of dense on every target, mean of ${seeds} seeds`,
        holds: worst.random >= 1.2,
      },
    ],
    tables: [
      {
        title: `${steps} steps of ${BATCH}, mean of ${seeds} seeds; loads relative to an even spread`,
        columns: ['target', 'network', 'error', 'of dense', 'flop a row', 'smallest load', 'largest load'],
        rows: table,
      },
    ],
  };
}
