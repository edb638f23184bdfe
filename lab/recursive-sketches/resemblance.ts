// What inner products tell: unrelated events, events that share an object, and counts of one module.
import { encode, type Obj, plainStats, similarity } from 'cairn/sketch';
import type { Rng } from 'cairn/tensor';
import { mean, type Part, scene, specOf, unitAttributes, UNBALANCED } from './scenes.ts';

/** Unrelated sketches, sketches that share an object, and counts from the transparent part. */
export function resemblance(rng: Rng, seed: number, pairs: number): Part {
  const unrelated: number[] = [];
  const shared: number[] = [];
  const part = { part: 'full' } as const;
  const options = { ...UNBALANCED, how: 'recursion' } as const;
  for (let k = 0; k < pairs; k++) {
    const spec = specOf(1024, `${seed}:${k}`);
    const own = scene(rng.fork(k));
    const foreign = scene(rng.fork(k).fork('other')).map((o) => renamed(o));
    const overlap = foreign.map((o, i) => (i === 2 ? own[2]! : o));
    const event = encode(own, spec, options);
    unrelated.push(similarity(event, encode(foreign, spec, options), part));
    shared.push(similarity(event, encode(overlap, spec, options), part));
  }
  const covered = countsCovered(rng.fork('counts'), seed, 4 * pairs);
  const far = Math.sqrt(mean(unrelated.map((c) => c * c)));
  const near = mean(shared);
  return {
    claims: [
      {
        id: 'unrelated-are-far',
        says: 'Sketches without a common module are nearly orthogonal.',
        kind: 'measured',
        value: far,
        baseline: 1 / Math.sqrt(1024),
        target: 'rms cosine <= 0.08 at d = 1,024',
        holds: far <= 0.08,
      },
      {
        id: 'shared-object-shows',
        says: 'Sketches that share one of four objects have a large cosine.',
        kind: 'measured',
        value: near,
        baseline: far,
        target: 'mean cosine between 0.2 and 0.3: a quarter of the energy is common',
        holds: near > 0.2 && near < 0.3,
      },
      {
        id: 'counts-are-covered',
        says: 'Counts of one module, read without the structure, lie within two returned standard deviations.',
        kind: 'measured',
        value: covered,
        target: '>= 0.9 of the counts',
        holds: covered >= 0.9,
      },
    ],
    tables: [
      {
        title: `Similarity over ${pairs} pairs of scenes with a new seed each`,
        columns: ['pair', 'mean cosine', 'least', 'largest'],
        rows: [
          ['unrelated', mean(unrelated), Math.min(...unrelated), Math.max(...unrelated)],
          ['one of four objects shared', near, Math.min(...shared), Math.max(...shared)],
        ],
      },
    ],
  };
}

function renamed(o: Obj): Obj {
  const inputs = o.inputs?.map(({ object, weight }) => ({ object: renamed(object), weight }));
  return { ...o, module: `foreign-${o.module}`, inputs };
}

/** Share of the counts 1, 3 and 6 of three modules that lie within two returned standard deviations. */
function countsCovered(rng: Rng, seed: number, crowds: number): number {
  const counts = [1, 3, 6];
  let covered = 0;
  for (let k = 0; k < crowds; k++) {
    const flat = counts.flatMap((count, i) =>
      Array.from({ length: count }, (_, j) => ({
        module: `kind-${i}`,
        attributes: unitAttributes(rng.fork(k).fork(`${i}:${j}`), 8),
      })),
    );
    // A new seed of the maps each time: averaging events of one seed would not average the error.
    const crowd = encode(flat, specOf(1024, `${seed}:count:${k}`), { ...UNBALANCED, how: 'recursion' });
    counts.forEach((count, i) => {
      const read = plainStats(crowd, `kind-${i}`, { size: 8, weight: 1 / flat.length, depth: 1 });
      if (Math.abs(read.count - count) <= 2 * read.err) covered++;
    });
  }
  return covered / (crowds * counts.length);
}
