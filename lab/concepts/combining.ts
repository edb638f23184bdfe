// AND, OR as the hull, OR exactly, rotation, and exact forgetting: the algebra of signatures, with dimensions known beforehand.
import {
  andOf,
  conceptSimilarity,
  FeatureMap,
  type Moments,
  MomentSignature,
  orExact,
  orHull,
  randomRows,
  spanSource,
} from 'cairn/memory';
import type { Part } from '../report.ts';
import type { Rng } from 'cairn/tensor';
import { learn } from './part.ts';

export function combining(rng: Rng, rounds: number): Part {
  const map = new FeatureMap({ dim: 14 });
  const small = new FeatureMap({ dim: 6 });
  let dimensions = 0;
  let exact = Infinity;
  let hullWider = 0;
  let restored = 0;
  for (let round = 0; round < rounds; round++) {
    const from = rng.fork(round);
    const axes = randomRows(from, 14, 14);
    const [a, b] = [axes.slice(0, 6), axes.slice(3, 10)].map(
      (rows) => learn(spanSource(rows, 14), map, from, 30).signature,
    );
    const [both, hull] = [andOf(a!, b!), orHull(a!, b!)];
    if (both.rank === 3 && both.nullity === 11 && hull.rank === 10) dimensions++;

    const flat = randomRows(from, 6, 6);
    const [left, right] = [spanSource(flat.slice(0, 2), 6), spanSource(flat.slice(2, 4), 6)];
    const [p, q] = [left, right].map((s) => learn(s, small, from, 20).signature);
    const { map: lifted, signature } = orExact(p!, q!, small);
    const union = learn(left, lifted, from, 80).moments;
    union.merge(learn(right, lifted, from, 80).moments);
    const learnt = learnAgain(union, lifted);
    exact = Math.min(exact, conceptSimilarity(signature, learnt));
    const other = right.draw(from);
    const between = left.draw(from).map((v, i) => v + other[i]!);
    if (orHull(p!, q!).residual(small.apply(between)) < 1e-6 && signature.residual(lifted.apply(between)) > 1e-6)
      hullWider++;

    const before = union.clone();
    const strangers = Array.from({ length: 50 }, () =>
      lifted.apply(Float64Array.from({ length: 6 }, () => from.normal())),
    );
    for (const phi of strangers) union.add(phi);
    for (const phi of strangers) union.remove(phi);
    if (union.equals(before)) restored++;
  }
  return {
    claims: [
      {
        id: 'and-or-dimensions',
        says: 'Two subspaces of R^14 of dimensions 6 and 7 that share 3: AND has dimension 3 (null dimension 11), the OR hull 10.',
        kind: 'identity',
        value: dimensions,
        target: `${rounds} of ${rounds} pairs`,
        holds: dimensions === rounds,
      },
      {
        id: 'exact-or',
        says: 'The products of the equations of A and B are the signature of the union of their points, one degree up.',
        kind: 'identity',
        value: exact,
        target:
          'centred similarity with the learnt union >= 0.9999 in every round, and points of the hull outside the union are refused',
        holds: exact >= 0.9999 && hullWider === rounds,
      },
      {
        id: 'forgetting-is-exact',
        says: 'Statistics after adding and removing 50 strangers are equal bit for bit.',
        kind: 'identity',
        value: restored,
        target: `${rounds} of ${rounds}`,
        holds: restored === rounds,
      },
    ],
    tables: [],
  };
}

function learnAgain(moments: Moments, map: FeatureMap): MomentSignature {
  return MomentSignature.of(moments, { degrees: map.degrees });
}
