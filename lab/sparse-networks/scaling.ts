// One constant a bucket on manifolds of dimension 1, 2 and 3 in 64 dimensions: how the error falls with the number of buckets
// that are in use, and the bound by Lipschitz constant and diameter.
import { bucketsOf, fitBucketConstant, fitPlanes, lshHash, predictBucketConstant } from 'cairn/nn';
import { Rng } from 'cairn/tensor';
import type { LabOptions, Part } from '../report.ts';
import { distance, manifold } from './targets.ts';

const AMBIENT = 64;
/** Cells a projection is cut into, per dimension of the manifold; 2k + 1 projections tell its points apart. */
const CELLS = new Map([
  [1, [8, 16, 32, 64]],
  [2, [3, 4, 6, 9, 13]],
  [3, [4, 5, 6, 8]],
]);

interface Fit {
  /** Buckets in use, each weighed by its load: the exponential of the entropy of the loads. */
  readonly buckets: number;
  /** Over test points whose bucket has a constant, root mean square. */
  readonly rmse: number;
  /** Share of test points in buckets that were empty. */
  readonly missed: number;
}

interface Draw {
  readonly fits: readonly Fit[];
  /** Largest error over its bound, and how many test points were compared. */
  readonly overBound: number;
  readonly bounded: number;
}

/** One manifold and one target, the distance to a random point of the manifold: Lipschitz constant 1. */
function measure(k: number, rows: number, rng: Rng): Draw {
  const draw = manifold(k, AMBIENT, rng.fork('shape'));
  const centre = draw(1, rng.fork('centre'));
  const train = draw(rows, rng.fork('train'));
  const test = draw(2000, rng.fork('test'));
  const targetOf = (x: Float64Array): Float64Array =>
    Float64Array.from({ length: x.length / AMBIENT }, (_, i) => distance(centre, AMBIENT, x, i * AMBIENT));
  const [targets, truth] = [targetOf(train), targetOf(test)];
  const hashes = 2 * k + 1;
  let [overBound, bounded] = [0, 0];
  const fits = CELLS.get(k)!.map((cells, c) => {
    const hash = lshHash({ inDim: AMBIENT, buckets: cells ** hashes, metric: 'euclidean', hashes });
    const planes = fitPlanes(hash, train, rng.fork('planes'));
    const route = bucketsOf(hash, planes, train);
    const model = fitBucketConstant({ buckets: hash.buckets, tables: 1, outDim: 1 }, route, targets);
    const where = bucketsOf(hash, planes, test);
    const predicted = predictBucketConstant(model, where);
    const known = Array.from(truth.keys()).filter((i) => model.loads[where[i]!]! > 0);
    const rmse = Math.sqrt(known.reduce((s, i) => s + (predicted[i]! - truth[i]!) ** 2, 0) / known.length);
    if (c === 1) {
      const members = byBucket(route);
      for (let i = 0; i < 100; i++) {
        const inside = members.get(where[i]!);
        if (!inside) continue;
        const farthest = inside.reduce((m, j) => Math.max(m, between(test, i, train, j)), 0);
        overBound = Math.max(overBound, Math.abs(predicted[i]! - truth[i]!) / farthest);
        bounded++;
      }
    }
    return { buckets: Math.exp(entropy(model.loads, rows)), rmse, missed: 1 - known.length / truth.length };
  });
  return { fits, overBound, bounded };
}

function entropy(loads: Int32Array, rows: number): number {
  return loads.reduce((s, n) => (n === 0 ? s : s - (n / rows) * Math.log(n / rows)), 0);
}

function byBucket(route: Int32Array): Map<number, number[]> {
  const members = new Map<number, number[]>();
  for (const [i, bucket] of route.entries()) {
    const inside = members.get(bucket);
    if (inside) inside.push(i);
    else members.set(bucket, [i]);
  }
  return members;
}

function between(a: Float64Array, i: number, b: Float64Array, j: number): number {
  let sum = 0;
  for (let d = 0; d < AMBIENT; d++) sum += (a[i * AMBIENT + d]! - b[j * AMBIENT + d]!) ** 2;
  return Math.sqrt(sum);
}

function slopeOf(points: readonly (readonly [number, number])[]): number {
  const logs = points.map(([x, y]) => [Math.log(x), Math.log(y)] as const);
  const [mx, my] = [0, 1].map((i) => logs.reduce((s, p) => s + p[i as 0 | 1], 0) / logs.length) as [number, number];
  const over = logs.reduce((s, [x, y]) => s + (x - mx) * (y - my), 0);
  return over / logs.reduce((s, [x]) => s + (x - mx) ** 2, 0);
}

export function scaling({ seed, scale, plot }: LabOptions): Part {
  const rng = new Rng(seed).fork('scaling');
  const draws = scale === 'full' ? 20 : 6;
  const slopes: { k: number; slope: number }[] = [];
  const table: (string | number)[][] = [];
  const curves: { name: string; points: [number, number][] }[] = [];
  let [worst, bounded] = [0, 0];
  for (const [k, cells] of CELLS) {
    const rows = (scale === 'full' ? 100_000 : 40_000) / (k < 3 ? 2 : 1);
    const drawn = Array.from({ length: draws }, (_, i) => measure(k, rows, rng.fork(`${k}-${i}`)));
    worst = drawn.reduce((m, d) => Math.max(m, d.overBound), worst);
    bounded += drawn.reduce((n, d) => n + d.bounded, 0);
    const points = cells.map((count, c): [number, number] => {
      const geometric = (of: (f: Fit) => number): number =>
        Math.exp(drawn.reduce((s, d) => s + Math.log(of(d.fits[c]!)), 0) / draws);
      const point: [number, number] = [geometric((f) => f.buckets), geometric((f) => f.rmse)];
      const missed = drawn.reduce((s, d) => s + d.fits[c]!.missed, 0) / draws;
      table.push([k, count, Math.round(point[0]), point[1], missed]);
      return point;
    });
    slopes.push({ k, slope: slopeOf(points) });
    curves.push({ name: `k = ${k}: slope ${slopeOf(points).toFixed(2)}`, points });
  }
  plot('scaling', {
    title: 'One constant a bucket: error against buckets in use',
    note: `Manifolds of dimension k in ${AMBIENT} dimensions, ${draws} draws each; theory: slope -1/k.`,
    x: { label: 'buckets in use', scale: 'log' },
    y: { label: 'error, root mean square', scale: 'log' },
    curves,
  });
  return {
    claims: [
      ...slopes.map(({ k, slope }) => ({
        id: `slope-k${k}`,
        says: `On a ${k}-dimensional manifold the error of one constant a bucket falls as buckets^(-1/${k}).`,
        kind: 'measured' as const,
        value: slope,
        baseline: -1 / k,
        target: `slope within 30 % of -1/${k}`,
        holds: Math.abs(slope * k + 1) <= 0.3,
      })),
      {
        id: 'lipschitz-bound',
        says: 'No test point errs by more than the Lipschitz constant times the distance to the farthest point of its bucket.',
        kind: 'bound',
        value: worst,
        target: `largest ratio <= 1 over ${bounded} test points`,
        holds: worst <= 1 + 1e-9 && bounded > 100,
      },
    ],
    tables: [
      {
        title: `One constant a bucket, geometric mean of ${draws} draws`,
        columns: ['dimension', 'cells a projection', 'buckets in use', 'error', 'test points without a bucket'],
        rows: table,
      },
    ],
  };
}
