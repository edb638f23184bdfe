// Concepts of concepts: families by shared equations, kinds of concepts by the same dictionary one level up, and the index
// that finds a concept again among ten thousand.
import {
  ConceptBook,
  conceptSimilarity,
  familiesOf,
  FeatureMap,
  liftPoint,
  MomentSignature,
  randomRows,
  relatedSources,
  SignatureIndex,
} from 'cairn/memory';
import type { Part } from '../report.ts';
import type { Rng } from 'cairn/tensor';
import { learn, purityOf } from './part.ts';

export function higher(rng: Rng, rounds: number, concepts: number): Part {
  let families = 0;
  let kinds = Infinity;
  for (let round = 0; round < rounds; round++) {
    if (familiesRight(rng.fork(`families ${round}`))) families++;
    kinds = Math.min(kinds, kindsPurity(rng.fork(`kinds ${round}`)));
  }
  const recall = indexRecall(rng.fork('index'), concepts);
  return {
    claims: [
      {
        id: 'families',
        says: 'Fifteen concepts of three families are grouped by the equations they share, and the common part of each has the size it was given.',
        kind: 'measured',
        value: families,
        target: `${rounds} of ${rounds} rounds`,
        holds: families === rounds,
      },
      {
        id: 'lifted',
        says: 'Signatures taken as points: the same dictionary finds three kinds of concepts among 180.',
        kind: 'measured',
        value: kinds,
        target: 'purity x cover >= 0.95 in every round',
        holds: kinds >= 0.95,
      },
      {
        id: 'index-recall',
        says: `A concept is found among ${concepts.toLocaleString('en-US')} by a signature with centred similarity of 0.9 or more, through hash tables.`,
        kind: 'measured',
        value: recall,
        target: '>= 0.99 of 200',
        holds: recall >= 0.99,
      },
    ],
    tables: [],
  };
}

function familiesRight(rng: Rng): boolean {
  const map = new FeatureMap({ dim: 20 });
  const shared = [4, 5, 6];
  const order = rng.shuffle(
    shared.flatMap((n, family) => relatedSources(rng.fork(family), 20, 5, n, 4).map((source) => ({ source, family }))),
  );
  const found = familiesOf(order.map(({ source }) => learn(source, map, rng, 40).signature));
  return (
    found.length === 3 &&
    found.every(({ members, common }) => {
      const of = new Set(members.map((i) => order[i]!.family));
      return of.size === 1 && members.length === 5 && common.nullity === shared[[...of][0]!];
    })
  );
}

/** Kinds that each turn one equation in a plane of their own: their signatures lie in three dimensions. */
function kindsPurity(rng: Rng): number {
  const kinds = [0, 1, 2].map((k) => randomRows(rng.fork(k), 10, 4));
  const items = rng.shuffle(kinds.flatMap((rows, label) => Array.from({ length: 60 }, () => ({ rows, label }))));
  const book = new ConceptBook({ features: { dim: 32 }, buffer: 1000 });
  items.forEach(({ rows }, i) => {
    const angle = Math.PI * rng.uniform();
    const turning = rows[2]!.map((v, j) => Math.cos(angle) * v + Math.sin(angle) * rows[3]![j]!);
    book.observe(liftPoint(MomentSignature.fromEquations([rows[0]!, rows[1]!, turning], 10), 'lift'), i);
  });
  book.discover();
  const groups = book.concepts().map((c) => items.map((_, i) => i).filter((i) => book.conceptOf(i) === c.id));
  const { purity, cover } = purityOf(
    groups,
    items.map((i) => i.label),
  );
  return purity * cover;
}

function indexRecall(rng: Rng, concepts: number): number {
  const index = new SignatureIndex(12, 'lab', { scanBelow: 0 });
  const bases = Array.from({ length: concepts }, (_, i) => {
    const rows = randomRows(rng.fork(i), 12, 4);
    index.set(i, MomentSignature.fromEquations(rows, 12));
    return rows;
  });
  let asked = 0;
  let found = 0;
  while (asked < 200) {
    const i = rng.integer(concepts);
    const query = MomentSignature.fromEquations(
      bases[i]!.map((row) => row.map((v) => v + (0.2 / Math.sqrt(12)) * rng.normal())),
      12,
    );
    if (conceptSimilarity(query, MomentSignature.fromEquations(bases[i]!, 12)) < 0.9) continue;
    asked++;
    if (index.nearest(query, 1)[0]?.ref === i) found++;
  }
  return found / asked;
}
