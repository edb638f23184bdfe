// Who belongs: from how few samples a concept is known, under how much noise, and what two concepts share by chance.
import {
  conceptSimilarity,
  ellipsoidSource,
  FeatureMap,
  linearSource,
  memberThreshold,
  type PointSource,
} from 'cairn/memory';
import type { Rng } from 'cairn/tensor';
import type { Cell, LabOptions, Part } from '../report.ts';
import { learn, mean } from './part.ts';

interface Setting {
  readonly kind: 'linear' | 'ellipsoid';
  readonly samples: number;
  readonly noise: number;
}

/** Linear concepts of dimension 6 in R^20 and ellipsoids on hyperplanes of R^4. */
export function membership(rng: Rng, rounds: number, plot: LabOptions['plot']): Part {
  const settings: Setting[] = [
    ...[6, 7, 8, 10, 12].map((samples) => ({ kind: 'linear', samples, noise: 0 }) as const),
    ...[0.05, 0.1, 0.2].map((noise) => ({ kind: 'linear', samples: 12, noise }) as const),
    { kind: 'linear', samples: 48, noise: 0.1 },
    ...[9, 10, 14].map((samples) => ({ kind: 'ellipsoid', samples, noise: 0 }) as const),
  ];
  const results = settings.map((s) => ({ ...s, ...measure(rng.fork(`${s.kind}:${s.samples}:${s.noise}`), s, rounds) }));
  const find = (kind: string, samples: number, noise: number): number =>
    results.find((r) => r.kind === kind && r.samples === samples && r.noise === noise)!.right;
  plot('membership', {
    title: 'How few samples make a concept',
    x: { label: 'samples of each concept' },
    y: { label: 'new points given to the right concept' },
    note: '30 linear concepts of dimension 6 in 20 numbers; 20 ellipsoids on hyperplanes of 4 numbers, 15 features.',
    curves: (['linear', 'ellipsoid'] as const).map((kind) => ({
      name: kind,
      points: results.filter((r) => r.kind === kind && r.noise === 0).map((r) => [r.samples, r.right] as const),
    })),
  });
  const chance = chanceSimilarity(rng.fork('chance'), rounds);
  return {
    claims: [
      {
        id: 'linear-from-12',
        says: 'Every new point of 30 linear concepts (dimension 6 in R^20) is given to its own, from 12 samples of each.',
        kind: 'measured',
        value: find('linear', 12, 0),
        baseline: 1 / 30,
        target: '= 1',
        holds: find('linear', 12, 0) === 1,
      },
      {
        id: 'ellipsoid-from-10',
        says: 'Every new point of 20 ellipsoids on hyperplanes of R^4 is given to its own, from 10 samples of each.',
        kind: 'measured',
        value: find('ellipsoid', 10, 0),
        baseline: 1 / 20,
        target: '= 1',
        holds: find('ellipsoid', 10, 0) === 1,
      },
      {
        id: 'noise-is-borne',
        says: 'With noise of 0.05 on every number the same 12 samples still place new points.',
        kind: 'measured',
        value: find('linear', 12, 0.05),
        target: '>= 0.98',
        holds: find('linear', 12, 0.05) >= 0.98,
      },
      {
        id: 'chance-is-centred-away',
        says: 'Unrelated concepts look 70 % alike by plain overlap (nullity / k) and not at all when it is centred.',
        kind: 'measured',
        value: chance.centred,
        baseline: chance.plain,
        target: '|mean centred| <= 0.02, mean plain within 0.02 of 0.70, same concept again >= 0.999',
        holds: Math.abs(chance.centred) <= 0.02 && Math.abs(chance.plain - 0.7) <= 0.02 && chance.same >= 0.999,
      },
    ],
    tables: [
      {
        title: `Membership over ${rounds} rounds`,
        columns: [
          'concepts',
          'samples',
          'noise',
          'right concept',
          'within the threshold',
          'strangers within',
          'rank known',
        ],
        rows: results.map((r): Cell[] => [r.kind, r.samples, r.noise, r.right, r.within, r.strangers, r.known]),
      },
      {
        title: 'Similarity of signatures, linear concepts of dimension 6 in R^20',
        columns: ['pair', 'plain', 'centred'],
        rows: [
          ['unrelated, mean', chance.plain, chance.centred],
          ['unrelated, largest', chance.mostPlain, chance.mostCentred],
          ['same concept, other samples, least', null, chance.same],
        ],
      },
    ],
  };
}

function measure(
  rng: Rng,
  { kind, samples, noise }: Setting,
  rounds: number,
): { right: number; within: number; strangers: number; known: number } {
  const map = kind === 'linear' ? new FeatureMap({ dim: 20 }) : new FeatureMap({ dim: 4, degree: 2 });
  const [count, asked] = [kind === 'linear' ? 30 : 20, 10];
  const sums = { right: 0, within: 0, strangers: 0, known: 0 };
  for (let round = 0; round < rounds; round++) {
    const from = rng.fork(round);
    const sources = Array.from({ length: count }, (_, i): PointSource =>
      kind === 'linear' ? linearSource(from.fork(i), 20, 6) : ellipsoidSource(from.fork(i), 4),
    );
    const learnt = sources.map((s, i) => learn(s, map, from.fork(`samples ${i}`), samples, noise));
    const thresholds = learnt.map((c) => memberThreshold(c.moments, c.signature));
    sources.forEach((source, i) => {
      if (learnt[i]!.signature.rank === source.rank) sums.known += 1 / count;
      for (let k = 0; k < asked; k++) {
        const phi = map.apply(source.draw(from, noise));
        const margins = learnt.map((c, j) => c.signature.residual(phi) / thresholds[j]!);
        const share = 1 / (count * asked);
        if (margins.indexOf(Math.min(...margins)) === i) sums.right += share;
        margins.forEach((m, j) => {
          if (m > 1) return;
          if (j === i) sums.within += share;
          else sums.strangers += share / (count - 1);
        });
      }
    });
  }
  const tidy = (sum: number): number => Math.round((sum / rounds) * 1e9) / 1e9;
  return {
    right: tidy(sums.right),
    within: tidy(sums.within),
    strangers: tidy(sums.strangers),
    known: tidy(sums.known),
  };
}

function chanceSimilarity(
  rng: Rng,
  rounds: number,
): { plain: number; centred: number; mostPlain: number; mostCentred: number; same: number } {
  const map = new FeatureMap({ dim: 20 });
  const plain: number[] = [];
  const centred: number[] = [];
  const same: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const from = rng.fork(round);
    const sources = Array.from({ length: 20 }, (_, i) => linearSource(from.fork(i), 20, 6));
    const [first, again] = [0, 1].map((take) =>
      sources.map((s, i) => learn(s, map, from.fork(`${take}:${i}`), 16).signature),
    );
    first!.forEach((a, i) =>
      again!.forEach((b, j) => {
        if (i === j) same.push(conceptSimilarity(a, b));
        if (j >= i) return;
        plain.push(conceptSimilarity(a, b, 'plain'));
        centred.push(conceptSimilarity(a, b));
      }),
    );
  }
  return {
    plain: mean(plain),
    centred: mean(centred),
    mostPlain: Math.max(...plain),
    mostCentred: Math.max(...centred),
    same: Math.min(...same),
  };
}
