// What must hold exactly: the plug-in rule is the best of all rules, the estimators contain each other and ZeroRouter, K-NN is a special
// case, and a model added later is what it would have been from the start.
import {
  columnMeans,
  estimatePsi,
  expected,
  fitRouter,
  generatePool,
  nearestNeighbours,
  nearestRows,
  oneHot,
  plugIn,
  selectModels,
  type EvaluationTable,
} from 'cairn/route';
import { Rng } from 'cairn/tensor';
import type { LabOptions, Part } from '../report.ts';

export function identities({ seed }: LabOptions): Part {
  const rng = new Rng(seed).fork('identities');
  const rule = bruteForce(rng.fork('rule'));
  const family = estimators(rng.fork('estimators'));
  const neighbours = nearest(rng.fork('neighbours'));
  const added = newModel(seed);
  return {
    claims: [
      {
        id: 'plug-in-is-optimal',
        says: 'With the true error probabilities, argmin of error + lambda cost is the best of all 81 rules on 4 prompts and 3 models.',
        kind: 'identity',
        value: rule,
        target: 'largest difference of score over 50 cases <= 1e-12',
        holds: rule <= 1e-12,
      },
      {
        id: 'estimators-contain-each-other',
        says: 'One kind gives the model means (ZeroRouter’s scores); soft with hard kinds is shrunk; shrunk without shrinkage is the paper’s; strong shrinkage gives the means.',
        kind: 'identity',
        value: family,
        target: 'largest difference <= 1e-9',
        holds: family <= 1e-9,
      },
      {
        id: 'k-nn-is-a-case',
        says: 'Kinds that are the labelled prompts themselves, each of the k nearest with share 1/k, give K nearest neighbours.',
        kind: 'identity',
        value: neighbours,
        target: 'no prediction differs in a bit',
        holds: neighbours === 0,
      },
      {
        id: 'new-model-no-retraining',
        says: 'A model added to a fitted router from its own errors has the same estimates and gets the same prompts, bit for bit, as had it been there at fitting.',
        kind: 'identity',
        value: added,
        target: 'no estimate and no decision differs',
        holds: added === 0,
      },
    ],
    tables: [],
  };
}

function bruteForce(rng: Rng): number {
  let worst = 0;
  for (let i = 0; i < 50; i++) {
    const gamma = Array.from({ length: 4 }, () => Array.from({ length: 3 }, () => rng.uniform()));
    const cost = Array.from({ length: 3 }, () => 0.1 + rng.uniform());
    const scale = Math.max(...cost);
    const lambda = rng.exponential();
    const score = (choice: readonly number[]): number =>
      choice.reduce((s, m, j) => s + gamma[j]![m]! + (lambda * cost[m]!) / scale, 0);
    let best = Infinity;
    for (let code = 0; code < 81; code++) {
      best = Math.min(best, score([0, 1, 2, 3].map((j) => Math.floor(code / 3 ** j) % 3)));
    }
    worst = Math.max(worst, Math.abs(score(gamma.map((g) => plugIn(g, cost, lambda, scale))) - best));
  }
  return worst;
}

function estimators(rng: Rng): number {
  let worst = 0;
  const differ = (a: Float64Array, b: (i: number) => number): void =>
    a.forEach((v, i) => (worst = Math.max(worst, Math.abs(v - b(i)))));
  for (let run = 0; run < 20; run++) {
    const [n, k, models] = [40, 5, 3];
    const error = Float64Array.from({ length: n * models }, () => rng.uniform());
    const phi = Float64Array.from(Array.from({ length: n }, () => rng.dirichlet([1, 1, 1, 1, 1])).flat());
    const means = columnMeans(error, models);
    for (const estimator of ['paper', 'shrunk', 'soft'] as const) {
      differ(estimatePsi(new Float64Array(n).fill(1), error, 1, { estimator }).value, (i) => means[i]!);
    }
    const hard = oneHot(phi, k);
    const shrunk = estimatePsi(phi, error, k, { estimator: 'shrunk', n0: 7 }).value;
    differ(estimatePsi(hard, error, k, { estimator: 'soft', n0: 7 }).value, (i) => shrunk[i]!);
    const paper = estimatePsi(phi, error, k, { estimator: 'paper' }).value;
    differ(estimatePsi(phi, error, k, { estimator: 'shrunk', n0: 0 }).value, (i) => paper[i]!);
    differ(estimatePsi(phi, error, k, { n0: 1e12 }).value, (i) => means[i % models]!);
  }
  return worst;
}

function nearest(rng: Rng): number {
  const [count, dim, models] = [60, 4, 3];
  const table: EvaluationTable = {
    models: ['a', 'b', 'c'],
    count,
    error: Float64Array.from({ length: count * models }, () => rng.uniform()),
    cost: new Float64Array(count * models).fill(1),
    features: Float32Array.from({ length: count * dim }, () => rng.normal()),
    dim,
  };
  let different = 0;
  for (let i = 0; i < 100; i++) {
    const z = Float32Array.from({ length: dim }, () => rng.normal());
    const k = 1 + rng.integer(20);
    const phi = new Float64Array(count);
    for (const j of nearestRows(table, z, k)) phi[j] = 1 / k;
    const gamma = expected(phi, { value: table.error, k: count, models });
    nearestNeighbours(table, z, k).forEach((v, m) => (different += Number(v !== gamma[m])));
  }
  return different;
}

function newModel(seed: number): number {
  const { table } = generatePool({ seed: `new-${seed}`, prompts: 400, models: 6 });
  const options = {
    seed,
    trainingModels: table.models.slice(0, 3).map((m) => m.id),
    k: 10,
    features: { bits: 12, dim: 24 },
  };
  const whole = fitRouter(table, options);
  const part = fitRouter(selectModels(table, [0, 1, 2, 3, 4]), options);
  const added = part.withArm(whole.arms[5]!);
  let different = 0;
  for (const [a, e] of whole.estimates.entries()) {
    e.psi.forEach((v, k) => (different += Number(v !== added.estimates[a]!.psi[k])));
  }
  for (const p of table.prompts) {
    const [x, y] = [whole.route(p.text), added.route(p.text)];
    different += Number(x.arm !== y.arm || x.expectedError !== y.expectedError || x.lambda !== y.lambda);
  }
  return different;
}
