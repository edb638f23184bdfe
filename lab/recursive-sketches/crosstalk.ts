// Decoding one object at a time: what the other objects do to it, and how that falls with the size of the sketch.
import { decode, encode } from 'cairn/sketch';
import type { Part } from '../report.ts';
import type { Rng } from 'cairn/tensor';
import { largest, mean, objectsOf, scene, specOf, UNBALANCED } from './scenes.ts';

/** Plain and matched decoding at growing d: the error is cross-talk and falls as 1/√d. */
export function crosstalk(rng: Rng, seed: number, repeats: number): Part {
  const dims = [1024, 4096, 16384] as const;
  const matched: number[] = [];
  const rows = dims.map((dim, k) => {
    const scenes = repeats * [12, 6, 3][k]!;
    const errors = {
      plain1: [] as number[],
      matched1: [] as number[],
      plain2: [] as number[],
      matched2: [] as number[],
    };
    for (let s = 0; s < scenes; s++) {
      const objects = scene(rng.fork(dim).fork(s));
      // A new seed of the maps each time: most of the error is a fixed offset of the seed.
      const event = encode(objects, specOf(dim, `${seed}:${s}`), { ...UNBALANCED, how: 'recursion' });
      for (const { path, depth, object } of objectsOf(objects)) {
        if (path.endsWith('/1')) continue;
        for (const how of ['plain', 'matched'] as const) {
          const read = decode(event, event.structure, path, how);
          errors[`${how}${depth}`].push(largest(read.attributes, object.attributes));
        }
      }
    }
    matched.push(mean(errors.matched1));
    return [dim, scenes, ...Object.values(errors).map(mean)];
  });
  const slope = Math.log(matched[2]! / matched[0]!) / Math.log(dims[2] / dims[0]);
  return {
    claims: [
      {
        id: 'matched-error-falls',
        says: 'The largest error of matched decoding at depth 1 falls as one over the root of the sketch size.',
        kind: 'measured',
        value: slope,
        baseline: -0.5,
        target: 'exponent between -0.65 and -0.35 from d = 1,024 to 16,384',
        holds: slope > -0.65 && slope < -0.35,
      },
    ],
    tables: [
      {
        title: 'Largest error per object, mean over scenes (plain is the decoder of the paper, matched knows the path)',
        columns: ['d', 'scenes', 'plain, depth 1', 'matched, depth 1', 'plain, depth 2', 'matched, depth 2'],
        rows,
      },
    ],
  };
}
