import { describe, expect, it } from 'vitest';
import { Rng } from '../../tensor/index.ts';
import { localSignature } from './attention.ts';
import { ConceptBook } from './concept-book.ts';
import { discover } from './discover.ts';
import { familiesOf, liftPoint } from './families.ts';
import { FeatureMap } from './features.ts';
import { MomentSignature } from './moment-signature.ts';
import { Moments } from './moments.ts';
import { linearSource, mixture, randomRows, relatedSources } from './synthetic.ts';

/** Share of the grouped points whose group is mostly of their label, and share of all points that are in a group. */
function purityOf(
  groups: readonly (readonly number[])[],
  labels: readonly number[],
): { purity: number; cover: number } {
  let right = 0;
  let covered = 0;
  for (const members of groups) {
    const counts = new Map<number, number>();
    for (const i of members) counts.set(labels[i]!, (counts.get(labels[i]!) ?? 0) + 1);
    right += Math.max(...counts.values());
    covered += members.length;
  }
  return { purity: right / covered, cover: covered / labels.length };
}

function fiveConcepts(
  seed: number,
  noise: number,
  ranks = [3, 3, 3, 3, 3],
): { points: Float64Array[]; labels: number[] } {
  const rng = new Rng(seed).fork('mixture');
  return mixture(
    rng,
    ranks.map((rank, i) => linearSource(rng.fork(i), 12, rank)),
    80,
    noise,
  );
}

describe('discovery', () => {
  it('finds five concepts of unknown dimension in an unlabelled mixture, without and with noise', () => {
    for (const [seed, noise, ranks] of [
      [1, 0, [3, 3, 3, 3, 3]],
      [2, 0.05, [3, 3, 3, 3, 3]],
      [3, 0.05, [2, 3, 4, 3, 2]],
    ] as const) {
      const { points, labels } = fiveConcepts(seed, noise, [...ranks]);
      const found = discover(points);
      const { purity, cover } = purityOf(
        found.map((c) => c.members),
        labels,
      );
      expect(found).toHaveLength(5);
      expect(found.map((c) => c.rank).sort()).toEqual([...ranks].sort());
      expect(purity).toBeGreaterThanOrEqual(0.95);
      expect(cover).toBeGreaterThanOrEqual(0.95);
    }
  });

  it('finds nothing in points without a concept', () => {
    for (let seed = 0; seed < 3; seed++) {
      const rng = new Rng(seed);
      const points = Array.from({ length: 200 }, () => Float64Array.from({ length: 12 }, () => rng.normal()));
      expect(discover(points)).toEqual([]);
    }
  });

  it('takes a single concept for one, and a handful of stray points for none', () => {
    const rng = new Rng(21);
    const source = linearSource(rng, 12, 3);
    const one = discover(Array.from({ length: 60 }, () => source.draw(rng, 0.05)));
    expect(one.map((c) => [c.rank, c.members.length])).toEqual([[3, 60]]);
    let stray = 0;
    for (let seed = 0; seed < 200; seed++) {
      const from = new Rng(seed);
      stray += discover(Array.from({ length: 8 }, () => linearSource(from, 12, 1).draw(from, 0.1))).length;
    }
    expect(stray).toBe(0);
  });

  it('by attention sees mostly points of the own concept', () => {
    const { points, labels } = fiveConcepts(4, 0);
    const map = new FeatureMap({ dim: 12 });
    const own = Array.from({ length: 40 }, (_, i) => {
      const signature = localSignature(points, i, { neighbours: 6 }, 3);
      const nearest = points.map((p, j) => [signature.residual(map.apply(p)), j] as const).sort((a, b) => a[0] - b[0]);
      return nearest.slice(0, 20).filter(([, j]) => labels[j] === labels[i]).length / 20;
    });
    expect(own.reduce((s, v) => s + v, 0) / own.length).toBeGreaterThan(0.95);
    const soft = localSignature(points, 0, { beta: 40 }, 3);
    const same = points.filter((_, j) => labels[j] === labels[0]).map((p) => soft.residual(map.apply(p)));
    const other = points.filter((_, j) => labels[j] !== labels[0]).map((p) => soft.residual(map.apply(p)));
    const mean = (v: number[]): number => v.reduce((s, x) => s + x, 0) / v.length;
    expect(mean(same)).toBeLessThan(mean(other) / 2);
  });
});

describe('book', () => {
  it('discovers from a stream what it was mixed from, and recognises more of it', () => {
    const { points, labels } = fiveConcepts(5, 0.05);
    const book = new ConceptBook({ features: { dim: 12 } });
    const places = points.map((x, i) => book.observe(x, i));
    expect(places.slice(0, 255).every((p) => p.concept === undefined)).toBe(true);
    book.discover();
    expect(book.concepts()).toHaveLength(5);
    const groups = book.concepts().map((c) => labels.map((_, i) => i).filter((i) => book.conceptOf(i) === c.id));
    const { purity, cover } = purityOf(groups, labels);
    expect(purity).toBeGreaterThanOrEqual(0.95);
    expect(cover).toBeGreaterThanOrEqual(0.9);
    expect(groups.map((g) => g.length)).toEqual(book.concepts().map((c) => c.count));
    // Members are told apart afterwards too.
    const own = groups[0]!.slice(0, 30).filter((i) => book.member(points[i]!)[0]?.concept === book.concepts()[0]!.id);
    expect(own.length).toBeGreaterThanOrEqual(28);
  });

  it('counts a named point once, and forgets it without a trace', () => {
    const { points } = fiveConcepts(6, 0);
    const book = new ConceptBook({ features: { dim: 12 } });
    points.forEach((x, i) => book.observe(x, i));
    book.discover();
    expect(book.waiting).toBe(0);
    const before = book.concepts();
    const extra = points.slice(0, 50).map((x) => x.map((v) => v * 1.25));
    const placed = extra.map((x, i) => book.observe(x, `extra ${i}`).concept);
    expect(placed.every((c) => c !== undefined)).toBe(true);
    expect(book.observe(extra[0]!, 'extra 0').concept).toBe(placed[0]);
    expect(book.concepts().reduce((s, c) => s + c.count, 0)).toBe(450);
    extra.forEach((x, i) => expect(book.forget(x, `extra ${i}`)).toBe(placed[i]));
    expect(book.forget(extra[0]!, 'extra 0')).toBeUndefined();
    book.concepts().forEach((c, i) => {
      expect(c.count).toBe(before[i]!.count);
      expect(c.mean).toEqual(before[i]!.mean);
      expect(c.signature.projector.data).toEqual(before[i]!.signature.projector.data);
    });
  });

  it('loses a concept with its last point', () => {
    const { points } = fiveConcepts(7, 0);
    const book = new ConceptBook({ features: { dim: 12 } });
    const id = book.teach(points.slice(0, 3), ['a', 'b', 'c']);
    for (const [i, name] of ['a', 'b', 'c'].entries()) expect(book.forget(points[i]!, name)).toBe(id);
    expect(book.concepts()).toEqual([]);
    expect(() => book.concept(id)).toThrow(`Expected the id of a concept in this book, got ${id}.`);
  });

  it('merges with another book to what one book would know', () => {
    const rng = new Rng(8);
    const sources = [0, 1, 2, 3].map((i) => linearSource(rng.fork(i), 12, 3));
    const draw = (s: number): Float64Array[] => Array.from({ length: 40 }, () => sources[s]!.draw(rng));
    const [here, there] = [0, 1].map(() => new ConceptBook({ features: { dim: 12 } }));
    const [a, b, b2, c] = [draw(0), draw(1), draw(1), draw(2)];
    here!.teach(a);
    here!.teach(b);
    there!.teach(b2);
    there!.teach(
      c,
      c.map((_, i) => i),
    );
    here!.merge(there!);
    expect(here!.concepts().map((x) => x.count)).toEqual([40, 80, 40]);
    const whole = new Moments(12);
    for (const x of [...b, ...b2]) whole.add(here!.map.apply(x));
    expect(here!.concepts()[1]!.signature.projector.data).toEqual(MomentSignature.of(whole).projector.data);
    expect(here!.conceptOf(0)).toBe(2);
    expect(() => here!.merge(new ConceptBook({ features: { dim: 3 } }))).toThrow('Expected a book with equal features');
  });

  it('merges concepts that are one and splits one that is two', () => {
    const rng = new Rng(9);
    const sources = [0, 1, 2].map((i) => linearSource(rng.fork(i), 12, 3));
    const draw = (s: number): Float64Array[] => Array.from({ length: 40 }, () => sources[s]!.draw(rng, 0.02));
    const book = new ConceptBook({ features: { dim: 12 } });
    const first = book.teach(draw(0));
    const again = book.teach(
      draw(0),
      Array.from({ length: 40 }, (_, i) => i),
    );
    const mixed = rng.shuffle([...draw(1), ...draw(2)]);
    const both = book.teach(
      mixed,
      mixed.map((_, i) => `mixed ${i}`),
    );
    const done = book.consolidate();
    expect(done.merged).toEqual([{ into: first, from: again }]);
    expect(done.split).toHaveLength(1);
    expect(done.split[0]!.from).toBe(both);
    expect(book.concepts().map((c) => c.signature.rank)).toEqual([3, 3, 3]);
    expect(book.concept(first).count).toBe(80);
    expect(book.conceptOf(5)).toBe(first);
    expect(done.split[0]!.into).toContain(book.conceptOf('mixed 7'));
    expect(book.consolidate()).toEqual({ merged: [], split: [] });
  });

  it('comes back from bytes, and refuses damaged ones', () => {
    const { points } = fiveConcepts(10, 0.05);
    const book = new ConceptBook({ features: { dim: 12 }, seed: 'x' });
    points.forEach((x, i) => book.observe(x, i % 2 === 0 ? i : `name ${i}`));
    const bytes = book.toBytes();
    const again = ConceptBook.fromBytes(bytes);
    expect(again.toBytes()).toEqual(bytes);
    expect(again.concepts()).toEqual(book.concepts());
    expect(again.conceptOf(0)).toBe(book.conceptOf(0));
    expect(again.waiting).toBe(book.waiting);
    expect(() => ConceptBook.fromBytes(bytes.subarray(0, bytes.length - 9))).toThrow('more bytes');
    expect(() => ConceptBook.fromBytes(Uint8Array.of(1, 2, 3, 4))).toThrow('the mark of a concept book');
  });

  it('combines concepts', () => {
    const rng = new Rng(11);
    const book = new ConceptBook({ features: { dim: 8 } });
    const [a, b] = [4, 5].map((r) => {
      const source = linearSource(rng, 8, r);
      return book.teach(Array.from({ length: 30 }, () => source.draw(rng)));
    });
    expect(book.and(a!, b!).rank).toBe(1); // 4 + 5 - 8
    expect(book.or(a!, b!).rank).toBe(8);
    expect(book.orExact(a!, b!).signature.nullity).toBe(12); // 4 x 3 products
    expect(book.lift([a!]).nullity).toBe(4);
    expect(book.similar(book.concept(a!).signature, 1)[0]!.ref).toBe(a);
    expect(book.nearest(Float64Array.from({ length: 8 }, () => rng.normal()))!.residual).toBeGreaterThan(0.01);
  });
});

describe('concepts of concepts', () => {
  it('families are found by the equations they share', () => {
    const rng = new Rng(50);
    const map = new FeatureMap({ dim: 20 });
    const truth = [4, 5, 4].map((shared, f) => relatedSources(rng.fork(f), 20, 5, shared, 4));
    const order = rng.shuffle(truth.flatMap((sources, f) => sources.map((source) => ({ source, f }))));
    const signatures = order.map(({ source }) => {
      const moments = new Moments(20);
      for (let i = 0; i < 40; i++) moments.add(map.apply(source.draw(rng)));
      return MomentSignature.of(moments);
    });
    const families = familiesOf(signatures);
    expect(families).toHaveLength(3);
    for (const { members, common } of families) {
      const of = new Set(members.map((i) => order[i]!.f));
      expect(of.size).toBe(1);
      expect(members).toHaveLength(5);
      expect(common.nullity).toBe([4, 5, 4][[...of][0]!]);
    }
    // The common parts are signatures again.
    expect(familiesOf(families.map((f) => f.common))).toEqual([]);
  });

  it('the same dictionary finds kinds of concepts among lifted signatures', () => {
    const rng = new Rng(51);
    // Each kind turns one equation in a plane of its own: its signatures lie in three dimensions.
    const kinds = [0, 1, 2].map((f) => randomRows(rng.fork(f), 10, 4));
    const items = rng.shuffle(kinds.flatMap((rows, label) => Array.from({ length: 60 }, () => ({ rows, label }))));
    const points = items.map(({ rows }) => {
      const angle = Math.PI * rng.uniform();
      const turning = rows[2]!.map((v, i) => Math.cos(angle) * v + Math.sin(angle) * rows[3]![i]!);
      return liftPoint(MomentSignature.fromEquations([rows[0]!, rows[1]!, turning], 10), 'lift');
    });
    const book = new ConceptBook({ features: { dim: 32 }, buffer: 1000 });
    points.forEach((x, i) => book.observe(x, i));
    book.discover();
    expect(book.concepts().map((c) => c.signature.rank)).toEqual([3, 3, 3]);
    const groups = book.concepts().map((c) => points.map((_, i) => i).filter((i) => book.conceptOf(i) === c.id));
    expect(
      purityOf(
        groups,
        items.map((i) => i.label),
      ),
    ).toEqual({ purity: 1, cover: 1 });
  });
});
