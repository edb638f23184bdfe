// What inner products tell: unrelated events, events that share an object, and counts of one module.
import { encode, identify, type Obj, plainStats, quantise, similarity } from 'cairn/sketch';
import type { Part } from '../report.ts';
import type { Rng } from 'cairn/tensor';
import { mean, OBJECTS, scene, specOf, unitAttributes, UNBALANCED } from './scenes.ts';

/** Unrelated sketches, sketches that share an object, which modules were at work, and counts of one module. */
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
  const covered = countsCovered(rng.fork('counts'), seed, Math.max(80, pairs));
  const large = Array.from({ length: Math.ceil(pairs / 10) }, (_, k) => {
    const spec = specOf(16384, `${seed}:${k}`);
    const foreign = scene(rng.fork(k).fork('other')).map((o) => renamed(o));
    return similarity(encode(scene(rng.fork(k)), spec, options), encode(foreign, spec, options), part);
  });
  const largeFar = Math.sqrt(mean(large.map((c) => c * c)));
  const found = [1024, 4096].map((dim) => identified(rng.fork('identify'), seed, dim as 1024 | 4096, large.length));
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
        target: 'rms cosine <= 0.06 at d = 1,024',
        holds: far <= 0.06,
      },
      {
        id: 'unrelated-without-bias',
        says: 'On average the cosine of unrelated sketches is zero, and with a larger sketch each one is.',
        kind: 'measured',
        value: Math.max(Math.abs(mean(unrelated)), largeFar),
        baseline: far,
        target: `mean over ${pairs} pairs at d = 1,024 within 0.02 of zero, and rms <= 0.02 at d = 16,384`,
        holds: Math.abs(mean(unrelated)) <= 0.02 && largeFar <= 0.02,
      },
      {
        id: 'modules-identified',
        says: 'The four modules at work are the four most evident of 204 candidates, from the sketch alone.',
        kind: 'measured',
        value: found[1]!,
        baseline: found[0]!,
        target: 'precision at 4 of 1.0 in every scene at d = 4,096 (baseline: d = 1,024)',
        holds: found[1] === 1,
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
          ['unrelated, d = 16,384', mean(large), Math.min(...large), Math.max(...large)],
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

/** Share of the four most evident modules that are those of the scene, among 200 others, from 8 bits. */
function identified(rng: Rng, seed: number, dim: 1024 | 4096, scenes: number): number {
  const names = Array.from({ length: OBJECTS }, (_, i) => `object-${i}`);
  const candidates = [...names, ...Array.from({ length: 200 }, (_, k) => `other-${k}`)];
  let right = 0;
  for (let k = 0; k < scenes; k++) {
    const event = encode(scene(rng.fork(k)), specOf(dim, `${seed}:${k}`), { ...UNBALANCED, how: 'recursion' });
    const found = identify(quantise(event, { part: 'full' }), candidates, OBJECTS).slice(0, OBJECTS);
    right += found.filter((f) => names[f.position] === f.module).length;
  }
  return right / (scenes * OBJECTS);
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
