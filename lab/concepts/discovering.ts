// Concepts out of an unlabelled mixture: dimension, number and noise unknown. Attention finds the surroundings of a point, the
// dictionary keeps what they agree on.
import { ConceptBook, discoverConcepts, FeatureMap, linearSource, localSignature, mixture } from 'cairn/memory';
import type { Rng } from 'cairn/tensor';
import type { Cell, LabOptions, Part } from '../report.ts';
import { mean, purityOf } from './part.ts';

const EQUAL = [3, 3, 3, 3, 3];
const UNEQUAL = [2, 3, 4, 3, 2];

export function discovering(rng: Rng, rounds: number, plot: LabOptions['plot']): Part {
  const cases = [0, 0.02, 0.05, 0.1, 0.15].flatMap((noise) => [EQUAL, UNEQUAL].map((ranks) => ({ noise, ranks })));
  const results = cases.map(({ noise, ranks }) => {
    const runs = Array.from({ length: rounds }, (_, i) =>
      once(rng.fork(`${noise}:${ranks.join()}`).fork(i), ranks, noise),
    );
    return { noise, ranks, runs };
  });
  const at = (noise: number, ranks: number[]): Run[] =>
    results.find((r) => r.noise === noise && r.ranks === ranks)!.runs;
  const noisy = [...at(0.05, EQUAL), ...at(0.05, UNEQUAL)];
  const clean = [...at(0, EQUAL), ...at(0, UNEQUAL)];
  const streamed = stream(rng.fork('stream'));
  const local = attention(rng.fork('attention'), rounds);
  plot('purity', {
    title: 'Concepts found in an unlabelled mixture of five',
    x: { label: 'noise on every number (points have about 1 along each axis)' },
    y: { label: 'share' },
    note: '400 points of R^12, dimensions 2 to 4 unknown to the method. Purity: members of the commonest concept of their group.',
    curves: (['purity', 'cover'] as const).map((what) => ({
      name: what,
      points: [0, 0.02, 0.05, 0.1, 0.15].map(
        (noise) =>
          [
            noise,
            mean(results.filter((r) => r.noise === noise).flatMap((r) => r.runs.map((run) => run[what]))),
          ] as const,
      ),
    })),
  });
  const spurious = nothing(rng.fork('nothing'), rounds);
  const worst = Math.min(...noisy.map((r) => r.purity));
  return {
    claims: [
      {
        id: 'mixture-clean',
        says: 'Without noise all five concepts of a mixture are found, with all points and no strangers.',
        kind: 'measured',
        value: Math.min(...clean.map((r) => Math.min(r.purity, r.cover))),
        target: 'purity and cover >= 0.99 and 5 concepts in every run',
        holds: clean.every((r) => r.purity >= 0.99 && r.cover >= 0.99 && r.found === 5),
      },
      {
        id: 'mixture-noisy',
        says: 'With noise 0.05 and unknown dimensions five concepts are found whose points belong together.',
        kind: 'measured',
        value: worst,
        baseline: 0.2,
        target: 'purity >= 0.95 and cover >= 0.95 in every run, 5 concepts',
        holds: noisy.every((r) => r.purity >= 0.95 && r.cover >= 0.95 && r.found === 5),
      },
      {
        id: 'nothing-in-noise',
        says: 'Points without any concept are left alone.',
        kind: 'measured',
        value: spurious,
        target: '0 concepts',
        holds: spurious === 0,
      },
      {
        id: 'stream',
        says: 'The online dictionary, fed point by point, ends with the five concepts and places new points.',
        kind: 'measured',
        value: streamed.purity,
        target: '5 concepts, purity >= 0.95, of 500 new points >= 0.9 placed right',
        holds: streamed.concepts === 5 && streamed.purity >= 0.95 && streamed.placed >= 0.9,
      },
      {
        id: 'attention-is-local',
        says: 'The points nearest to the local concept of a point are of its own concept, by neighbours and by softmax weights.',
        kind: 'measured',
        value: Math.min(...local.map((l) => l.purity)),
        baseline: 0.2,
        target: 'local purity >= 0.95 for 4, 6 and 8 neighbours and for softmax',
        holds: local.every((l) => l.purity >= 0.95),
      },
    ],
    tables: [
      {
        title: `Unlabelled mixtures of 5 x 80 points in R^12, ${rounds} runs each`,
        columns: ['dimensions', 'noise', 'purity', 'least', 'cover', 'found (least to most)', 'dimensions right'],
        rows: results.map(({ noise, ranks, runs }): Cell[] => [
          ranks.join(' '),
          noise,
          mean(runs.map((r) => r.purity)),
          Math.min(...runs.map((r) => r.purity)),
          mean(runs.map((r) => r.cover)),
          `${Math.min(...runs.map((r) => r.found))} to ${Math.max(...runs.map((r) => r.found))}`,
          mean(runs.map((r) => (r.ranksRight ? 1 : 0))),
        ]),
      },
      {
        title: 'Attention: share of the own concept among the 20 points nearest to the local one',
        columns: ['attention', 'purity'],
        rows: local.map((l): Cell[] => [l.name, l.purity]),
      },
    ],
  };
}

interface Run {
  readonly purity: number;
  readonly cover: number;
  readonly found: number;
  readonly ranksRight: boolean;
}

function once(rng: Rng, ranks: readonly number[], noise: number): Run {
  const sources = ranks.map((rank, i) => linearSource(rng.fork(i), 12, rank));
  const { points, labels } = mixture(rng, sources, 80, noise);
  const found = discoverConcepts(points);
  const sorted = (values: readonly number[]): string => values.toSorted((a, b) => a - b).join();
  return {
    ...purityOf(
      found.map((c) => c.members),
      labels,
    ),
    found: found.length,
    ranksRight: sorted(found.map((c) => c.rank)) === sorted(ranks),
  };
}

function nothing(rng: Rng, rounds: number): number {
  let found = 0;
  for (let round = 0; round < Math.min(4, rounds); round++) {
    const from = rng.fork(round);
    const points = Array.from({ length: 200 }, () => Float64Array.from({ length: 12 }, () => from.normal()));
    found += discoverConcepts(points).length;
  }
  return found;
}

function stream(rng: Rng): { concepts: number; purity: number; placed: number } {
  const sources = EQUAL.map((rank, i) => linearSource(rng.fork(i), 12, rank));
  const { points, labels } = mixture(rng, sources, 160, 0.05);
  const book = new ConceptBook({ features: { dim: 12 } });
  points.forEach((x, i) => book.observe(x, i));
  book.discover();
  const ids = book.concepts().map((c) => c.id);
  const groups = ids.map((id) => labels.map((_, i) => i).filter((i) => book.conceptOf(i) === id));
  const labelOf = groups.map((members) => {
    const counts = EQUAL.map((_, label) => members.filter((i) => labels[i] === label).length);
    return counts.indexOf(Math.max(...counts));
  });
  let placed = 0;
  for (let i = 0; i < 500; i++) {
    const label = i % EQUAL.length;
    const best = book.nearest(sources[label]!.draw(rng, 0.05));
    if (best !== undefined && labelOf[ids.indexOf(best.concept)] === label) placed++;
  }
  return { concepts: ids.length, purity: purityOf(groups, labels).purity, placed: placed / 500 };
}

function attention(rng: Rng, rounds: number): { name: string; purity: number }[] {
  const map = new FeatureMap({ dim: 12 });
  const kinds = [
    ...[4, 6, 8].map((neighbours) => ({ name: `${neighbours} neighbours`, how: { neighbours } })),
    { name: 'softmax, beta 40', how: { beta: 40 } },
  ];
  const sums = kinds.map(() => 0);
  for (let round = 0; round < rounds; round++) {
    const from = rng.fork(round);
    const sources = EQUAL.map((rank, i) => linearSource(from.fork(i), 12, rank));
    const { points, labels } = mixture(from, sources, 80);
    const features = points.map((x) => map.apply(x));
    kinds.forEach(({ how }, k) => {
      for (let i = 0; i < 40; i++) {
        const signature = localSignature(features, i, how, 3);
        const near = features.map((phi, j) => [signature.residual(phi), j] as const).sort((a, b) => a[0] - b[0]);
        const own = near.slice(0, 20).filter(([, j]) => labels[j] === labels[i]).length;
        sums[k] = sums[k]! + own / (20 * 40 * rounds);
      }
    });
  }
  return kinds.map(({ name }, k) => ({ name, purity: sums[k]! }));
}
