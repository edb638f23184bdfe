// Manifolds nobody has seen: what the learned representation keeps of the class and forgets of the pose, what labels that
// mean nothing do to it, and what the weight penalty is for.
import { ManifoldHash } from 'cairn/nn';
import type { Executor, Rng } from 'cairn/tensor';
import type { LabOptions, Part } from '../report.ts';
import { easyFamily, type Family, foldedFamily, measure, type Measured } from './manifolds.ts';

const MANIFOLDS = 100;
const EACH = 40;
const PENALTY = 1e-3;

interface Setting {
  readonly penalty: number;
  readonly steps: number;
  readonly shuffled?: boolean;
  readonly manifolds?: number;
  readonly fixed?: boolean;
}

export async function synthetic(rng: Rng, executor: Executor, options: LabOptions): Promise<Part> {
  const { seed, scale, log, plot, signal } = options;
  const full = scale === 'full';
  const steps = full ? 2500 : 1500;
  const learn = async (family: Family, from: Rng, setting: Setting): Promise<Measured & { hamming: number }> => {
    signal.throwIfAborted();
    const { xs, ids } = family.draw(from.fork('train'), setting.manifolds ?? MANIFOLDS, EACH);
    const fresh = family.draw(from.fork('fresh'), 200, 10);
    await using hash = new ManifoldHash({
      inputSize: family.size,
      executor,
      seed,
      penalty: setting.penalty,
      fixed: setting.fixed === true ? ['encoder.features'] : [],
    });
    const labels = setting.shuffled === true ? from.fork('labels').shuffle([...ids]) : ids;
    await hash.fit(xs, labels, { steps: setting.steps, signal });
    const measured = measure(from.fork('episodes'), await hash.embed(fresh.xs), hash.network.width, fresh.each);
    return { ...measured, hamming: hammingRatio(await hash.hash(fresh.xs), hash.network.width / 32, fresh.each) };
  };
  const raw = (family: Family, from: Rng): Measured => {
    const fresh = family.draw(from.fork('fresh'), 200, 10);
    return measure(from.fork('episodes'), fresh.xs, family.size, fresh.each);
  };

  const easy = easyFamily(rng.fork('easy'));
  log('100 manifolds in R^64');
  const before = raw(easy, rng);
  const learned = await learn(easy, rng, { penalty: PENALTY, steps });
  log('the same with labels that mean nothing');
  const shuffled = await learn(easy, rng, { penalty: PENALTY, steps: steps / 3, shuffled: true });
  log('with and without weight penalty, paired');
  const pairs: [number, number][] = [];
  for (let k = 0; k < (full ? 6 : 2); k++) {
    const from = rng.fork('pairs').fork(k);
    const setting = { steps: 800, manifolds: 40 };
    pairs.push([
      (await learn(easy, from, { ...setting, penalty: PENALTY })).ratio,
      (await learn(easy, from, { ...setting, penalty: 0 })).ratio,
    ]);
  }
  log('folded manifolds in R^12');
  const folded = foldedFamily(rng.fork('folded'));
  const foldedBefore = raw(folded, rng);
  const foldedLearned = await learn(folded, rng, { penalty: PENALTY, steps: full ? 4000 : 1500, manifolds: 200 });
  const sizes = full ? [10, 20, 50, 100, 200] : [];
  const curve: [number, Measured][] = [];
  for (const manifolds of sizes) {
    log(`${manifolds} manifolds to learn from`);
    curve.push([manifolds, await learn(easy, rng, { penalty: PENALTY, steps, manifolds })]);
  }
  const frozenFirst = full ? await learn(easy, rng, { penalty: PENALTY, steps, fixed: true }) : undefined;

  plot('one-shot', {
    title: 'Manifolds never seen: 20-way one-shot, raw and learned',
    y: { label: 'share right' },
    columns: {
      labels: ['R^64, nearly invertible', 'R^12, folded'],
      series: [
        { name: 'raw cosine', values: [before.oneShot, foldedBefore.oneShot] },
        { name: 'learned', values: [learned.oneShot, foldedLearned.oneShot] },
        { name: 'learned from permuted labels', values: [shuffled.oneShot] },
      ],
    },
    note: 'The first is easy on purpose: 64 numbers made from 16 can nearly be inverted.',
  });
  if (curve.length > 0) {
    plot('manifolds', {
      title: 'How many manifolds it takes to learn what a pose is',
      x: { label: 'manifolds seen, 40 points each', scale: 'log' },
      y: { label: 'variance within / between, on unseen manifolds', scale: 'log' },
      curves: [{ name: 'learned', points: curve.map(([n, m]) => [n, m.ratio] as const) }],
    });
  }
  const worse = pairs.filter(([withIt, without]) => without > withIt).length;
  const meanRatio = (k: 0 | 1): number => pairs.reduce((s, p) => s + p[k], 0) / pairs.length;
  const row = (name: string, m: Measured): (string | number)[] => [name, m.oneShot, m.ratio];
  return {
    claims: [
      {
        id: 'unseen-one-shot',
        says: 'Manifolds that were never seen are told apart from one example each.',
        kind: 'measured',
        value: learned.oneShot,
        baseline: before.oneShot,
        target: '20-way one-shot >= 0.99 (baseline: cosine of the raw numbers)',
        holds: learned.oneShot >= 0.99 && before.oneShot < 0.7,
      },
      {
        id: 'pose-vanishes',
        says: 'What is left of the pose is a small part of what tells manifolds apart.',
        kind: 'measured',
        value: learned.ratio,
        baseline: before.ratio,
        target: 'variance within / between on unseen manifolds <= 0.05',
        holds: learned.ratio <= 0.05,
      },
      {
        id: 'labels-matter',
        says: 'Permuted labels destroy it.',
        kind: 'measured',
        value: shuffled.oneShot,
        baseline: learned.oneShot,
        target: 'one-shot <= 0.7 when labels are permuted',
        holds: shuffled.oneShot <= 0.7,
      },
      {
        id: 'penalty-matters',
        says: 'Without the weight penalty more of the pose is left, seed by seed.',
        kind: 'measured',
        value: meanRatio(1) / meanRatio(0),
        baseline: 1,
        target: `ratio worse in ${pairs.length} of ${pairs.length} pairs, by a factor >= 1.3 on average`,
        holds: worse === pairs.length && meanRatio(1) >= 1.3 * meanRatio(0),
      },
      {
        id: 'bits-keep-it',
        says: 'The same holds for the hash: signs of a rotated embedding differ less within a manifold than between.',
        kind: 'measured',
        value: learned.hamming,
        baseline: 1,
        target: 'Hamming distance within / between <= 0.3',
        holds: learned.hamming <= 0.3,
      },
      {
        id: 'folds-are-harder',
        says: 'Through folds and into fewer numbers than went in, much of the class is lost; what is learned still beats raw.',
        kind: 'measured',
        value: foldedLearned.oneShot,
        baseline: foldedBefore.oneShot,
        target: 'one-shot at least 0.05 above raw, below the easy case',
        holds: foldedLearned.oneShot >= foldedBefore.oneShot + 0.05 && foldedLearned.oneShot < learned.oneShot,
      },
    ],
    tables: [
      {
        title: '200 unseen manifolds, 10 points each (ratio: variance within / between)',
        columns: ['representation', '20-way one-shot', 'ratio'],
        rows: [
          row('R^64 raw', before),
          row(`R^64 learned from ${MANIFOLDS}`, learned),
          row('R^64 learned, labels permuted', shuffled),
          ...(frozenFirst === undefined ? [] : [row('R^64 learned, first layer as drawn', frozenFirst)]),
          ...curve.map(([n, m]) => row(`R^64 learned from ${n}`, m)),
          row('R^12 folded, raw', foldedBefore),
          row('R^12 folded, learned from 200', foldedLearned),
        ],
      },
      {
        title: 'Ratio with and without weight penalty (40 manifolds)',
        columns: ['pair', 'with', 'without'],
        rows: pairs.map(([a, b], k) => [k + 1, a, b]),
      },
    ],
  };
}

/** Mean Hamming distance within a manifold over that between neighbours. */
function hammingRatio(bits: Uint32Array, words: number, each: number): number {
  const rows = bits.length / words;
  const differ = (a: number, b: number): number => {
    let count = 0;
    for (let w = 0; w < words; w++) {
      for (let v = bits[a * words + w]! ^ bits[b * words + w]!; v !== 0; v &= v - 1) count++;
    }
    return count;
  };
  let [within, between] = [0, 0];
  for (let i = 0; i < rows; i += each) {
    for (let k = 1; k < each; k++) {
      within += differ(i, i + k);
      between += differ(i, (i + each + k) % rows);
    }
  }
  return within / between;
}
