// One constant a bucket on manifolds of dimension 1, 2 and 3 in 64 dimensions: how the error falls with the number of buckets
// that are in use, and the bound by Lipschitz constant and diameter.
import { bucketsOf, fitBucketConstant, fitPlanes, lshHash, predictBucketConstant } from 'cairn/nn';
import { Rng } from 'cairn/tensor';
import type { LabOptions, Part } from '../report.ts';
import { distance, manifold } from './targets.ts';

const AMBIENT = 64;
/** Cells a projection is cut into, per dimension of the manifold; 2k + 1 projections tell its points apart. */
const CELLS: Readonly<Record<number, readonly number[]>> = {
  1: [4, 8, 16, 32, 64],
  2: [2, 3, 4, 6, 9],
  3: [2, 3, 4, 5],
};

interface Fit {
  readonly occupied: number;
  readonly rmse: number;
  /** Largest error over its bound, and how many test points have a bound. */
  readonly overBound: number;
  readonly bounded: number;
}

function measure(k: number, cells: number, rows: number, rng: Rng, withBound: boolean): Fit {
  const draw = manifold(k, AMBIENT, rng.fork('shape'));
  const centres = draw(6, rng.fork('centres'));
  const train = draw(rows, rng.fork('train'));
  const test = draw(2000, rng.fork('test'));
  const targetOf = (x: Float64Array): Float64Array =>
    Float64Array.from({ length: x.length / AMBIENT }, (_, i) => distance(centres, AMBIENT, x, i * AMBIENT));
  const hashes = 2 * k + 1;
  const hash = lshHash({ inDim: AMBIENT, buckets: cells ** hashes, metric: 'euclidean', hashes });
  const planes = fitPlanes(hash, train, rng.fork('planes'));
  const route = bucketsOf(hash, planes, train);
  const model = fitBucketConstant({ buckets: hash.buckets, tables: 1, outDim: 1 }, route, targetOf(train));
  const where = bucketsOf(hash, planes, test);
  const predicted = predictBucketConstant(model, where);
  const truth = targetOf(test);
  const rmse = Math.sqrt(predicted.reduce((s, v, i) => s + (v - truth[i]!) ** 2, 0) / truth.length);
  const occupied = model.loads.reduce((n, v) => n + (v > 0 ? 1 : 0), 0);
  let [overBound, bounded] = [0, 0];
  if (withBound) {
    const members = new Map<number, number[]>();
    for (const [i, bucket] of route.entries()) {
      const inside = members.get(bucket);
      if (inside) inside.push(i);
      else members.set(bucket, [i]);
    }
    for (let i = 0; i < 300; i++) {
      const inside = members.get(where[i]!);
      if (!inside) continue;
      // The target has Lipschitz constant 1: no farther from the mean than the farthest member of the bucket.
      let farthest = 0;
      for (const j of inside) {
        let sum = 0;
        for (let d = 0; d < AMBIENT; d++) sum += (test[i * AMBIENT + d]! - train[j * AMBIENT + d]!) ** 2;
        farthest = Math.max(farthest, sum);
      }
      overBound = Math.max(overBound, Math.abs(predicted[i]! - truth[i]!) / Math.sqrt(farthest));
      bounded++;
    }
  }
  return { occupied, rmse, overBound, bounded };
}

function slopeOf(points: readonly (readonly [number, number])[]): number {
  const logs = points.map(([x, y]) => [Math.log(x), Math.log(y)] as const);
  const [mx, my] = [0, 1].map((i) => logs.reduce((s, p) => s + p[i as 0 | 1], 0) / logs.length) as [number, number];
  const over = logs.reduce((s, [x, y]) => s + (x - mx) * (y - my), 0);
  return over / logs.reduce((s, [x]) => s + (x - mx) ** 2, 0);
}

export function scaling({ seed, scale, plot }: LabOptions): Part {
  const rng = new Rng(seed).fork('scaling');
  const draws = scale === 'full' ? 12 : 5;
  const rows = scale === 'full' ? 100_000 : 24_000;
  const slopes: { k: number; slope: number }[] = [];
  const table: (string | number)[][] = [];
  const curves: { name: string; points: [number, number][] }[] = [];
  let [worst, bounded] = [0, 0];
  for (const k of [1, 2, 3]) {
    const points = CELLS[k]!.map((cells): [number, number] => {
      const fits = Array.from({ length: draws }, (_, i) =>
        measure(k, cells, rows, rng.fork(`${k}-${i}`), i === 0 && cells > 3),
      );
      worst = fits.reduce((m, f) => Math.max(m, f.overBound), worst);
      bounded += fits.reduce((n, f) => n + f.bounded, 0);
      const geometric = (of: (f: Fit) => number): number =>
        Math.exp(fits.reduce((s, f) => s + Math.log(of(f)), 0) / fits.length);
      const point: [number, number] = [geometric((f) => f.occupied), geometric((f) => f.rmse)];
      table.push([k, cells, Math.round(point[0]), point[1]]);
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
        title: `One constant a bucket, ${rows} rows, geometric mean of ${draws} draws`,
        columns: ['dimension', 'cells a projection', 'buckets in use', 'error'],
        rows: table,
      },
    ],
  };
}
