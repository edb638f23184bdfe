import { describe, expect, it } from 'vitest';
import { Rng } from '../../tensor/index.ts';
import { andOf, commonOf, conceptSimilarity, orExact, orHull } from './algebra.ts';
import { chooseCut } from './cut.ts';
import { FeatureMap } from './features.ts';
import { MomentSignature } from './moment-signature.ts';
import { Moments } from './moments.ts';
import { SignatureIndex } from './signature-index.ts';
import {
  ellipsoidSource,
  linearSource,
  type PointSource,
  randomRows,
  relatedSources,
  spanSource,
} from './synthetic.ts';
import { memberThreshold } from './threshold.ts';

function learn(source: PointSource, map: FeatureMap, rng: Rng, count: number, noise = 0): Moments {
  const moments = new Moments(map.size);
  for (let i = 0; i < count; i++) moments.add(map.apply(source.draw(rng, noise)));
  return moments;
}

const signatureOf = (moments: Moments, map: FeatureMap): MomentSignature =>
  MomentSignature.of(moments, { degrees: map.degrees });

describe('cut', () => {
  it('does not take few samples for a precise concept', () => {
    const map = new FeatureMap({ dim: 20 });
    const source = linearSource(new Rng(1), 20, 6);
    const rng = new Rng(2);
    for (const count of [3, 6, 8])
      expect(signatureOf(learn(source, map, rng, count), map).state).toBe('underdetermined');
    const enough = signatureOf(learn(source, map, rng, 12), map);
    expect([enough.state, enough.nullity]).toEqual(['determined', 14]);
  });

  it('finds no equation where none holds', () => {
    const map = new FeatureMap({ dim: 8 });
    for (let seed = 0; seed < 20; seed++) {
      const signature = signatureOf(learn(linearSource(new Rng(seed), 8, 8), map, new Rng(seed), 60), map);
      expect([signature.state, signature.nullity]).toEqual(['unconstrained', 0]);
    }
  });

  it('sees the gap through noise, and with noise that is known', () => {
    expect(chooseCut([0.002, 0.004, 0.5, 1.5, 2], 40)).toMatchObject({ state: 'determined', nullity: 2 });
    expect(chooseCut([1e-7, 0.004, 0.5, 1.5, 2], 40, { floor: 0.005 })).toMatchObject({ nullity: 2 });
    expect(chooseCut([0.8, 0.9, 1, 1.1, 1.2], 40)).toMatchObject({ state: 'unconstrained', nullity: 0 });
  });
});

describe('membership', () => {
  it('of 30 linear concepts is right for all from 12 samples', () => {
    for (let seed = 0; seed < 3; seed++) {
      const rng = new Rng(seed);
      const map = new FeatureMap({ dim: 20 });
      checkMembership(
        Array.from({ length: 30 }, (_, i) => linearSource(rng.fork(i), 20, 6)),
        map,
        rng,
        12,
      );
    }
  });

  it('of 20 ellipsoids on hyperplanes is right for all from 10 samples', () => {
    for (let seed = 0; seed < 3; seed++) {
      const rng = new Rng(seed);
      const map = new FeatureMap({ dim: 4, degree: 2 });
      expect(map.size).toBe(15);
      checkMembership(
        Array.from({ length: 20 }, (_, i) => ellipsoidSource(rng.fork(i), 4)),
        map,
        rng,
        10,
      );
    }
  });

  function checkMembership(sources: PointSource[], map: FeatureMap, rng: Rng, samples: number): void {
    const moments = sources.map((s, i) => learn(s, map, rng.fork(`train ${i}`), samples));
    const signatures = moments.map((m) => signatureOf(m, map));
    sources.forEach((s, i) => {
      expect(signatures[i]!.rank).toBe(s.rank);
      const threshold = memberThreshold(moments[i]!, signatures[i]!);
      for (let t = 0; t < 10; t++) {
        const residuals = signatures.map((g) => g.residual(map.apply(s.draw(rng))));
        expect(residuals.indexOf(Math.min(...residuals))).toBe(i);
        expect(residuals[i]!).toBeLessThanOrEqual(threshold);
      }
    });
  }

  it('threshold admits noisy members and no strangers', () => {
    const rng = new Rng(8);
    const map = new FeatureMap({ dim: 20 });
    const source = linearSource(rng, 20, 6);
    const moments = learn(source, map, rng, 60, 0.05);
    const signature = signatureOf(moments, map);
    const threshold = memberThreshold(moments, signature);
    const within = (s: PointSource): number =>
      Array.from({ length: 500 }, () => signature.residual(map.apply(s.draw(rng, 0.05)))).filter((r) => r <= threshold)
        .length;
    expect(within(source)).toBeGreaterThan(475);
    expect(within(linearSource(rng, 20, 6))).toBeLessThan(5);
  });
});

describe('similarity', () => {
  it('is symmetric, 1 with itself, and about 0 by chance only when centred', () => {
    const map = new FeatureMap({ dim: 20 });
    const rng = new Rng(4);
    const all = Array.from({ length: 30 }, (_, i) =>
      signatureOf(learn(linearSource(rng.fork(i), 20, 6), map, rng, 16), map),
    );
    let centred = 0;
    let plain = 0;
    for (let i = 0; i < all.length; i++) {
      expect(conceptSimilarity(all[i]!, all[i]!)).toBeCloseTo(1, 9);
      for (let j = 0; j < i; j++) {
        expect(conceptSimilarity(all[i]!, all[j]!)).toBeCloseTo(conceptSimilarity(all[j]!, all[i]!), 12);
        centred += conceptSimilarity(all[i]!, all[j]!) / 435;
        plain += conceptSimilarity(all[i]!, all[j]!, 'plain') / 435;
      }
    }
    expect(Math.abs(centred)).toBeLessThan(0.02);
    expect(plain).toBeGreaterThan(0.68);
    expect(plain).toBeLessThan(0.72);
  });

  it('is the cosine of the signature vectors', () => {
    const map = new FeatureMap({ dim: 6 });
    const rng = new Rng(6);
    const [a, b] = [2, 3].map((r) => signatureOf(learn(linearSource(rng, 6, r), map, rng, 12), map));
    const [x, y] = [a!.toVector(), b!.toVector()];
    const dot = (p: Float64Array, q: Float64Array): number => p.reduce((s, v, i) => s + v * q[i]!, 0);
    expect(dot(x, y) / Math.sqrt(dot(x, x) * dot(y, y))).toBeCloseTo(conceptSimilarity(a!, b!), 9);
  });
});

describe('rotation', () => {
  it('turns the signature along: same rank, same spectrum between concepts, same residuals', () => {
    const rng = new Rng(12);
    const map = new FeatureMap({ dim: 4, degree: 2 });
    const u = randomRows(rng, 4, 4);
    const turn = (x: Float64Array): Float64Array =>
      Float64Array.from(u, (row) => row.reduce((s, v, i) => s + v * x[i]!, 0));
    const [a, b] = [ellipsoidSource(rng, 4), ellipsoidSource(rng, 4)];
    const points = [a, b].map((s) => Array.from({ length: 40 }, () => s.draw(rng)));
    const fit = (xs: Float64Array[]): MomentSignature => {
      const moments = new Moments(map.size);
      for (const x of xs) moments.add(map.apply(x));
      return signatureOf(moments, map);
    };
    const [straight, turned] = [points, points.map((xs) => xs.map(turn))].map((p) => p.map(fit));
    expect(turned!.map((s) => s.nullity)).toEqual(straight!.map((s) => s.nullity));
    expect(conceptSimilarity(turned![0]!, turned![1]!)).toBeCloseTo(conceptSimilarity(straight![0]!, straight![1]!), 4);
    for (let i = 0; i < 20; i++) {
      const x = Float64Array.from({ length: 4 }, () => rng.normal());
      expect(turned![0]!.residual(map.apply(turn(x)))).toBeCloseTo(straight![0]!.residual(map.apply(x)), 4);
    }
  });
});

describe('combinations', () => {
  const map = new FeatureMap({ dim: 14 });

  it('have the dimensions they were built with', () => {
    const rng = new Rng(20);
    const axes = randomRows(rng, 14, 14);
    const a = signatureOf(learn(spanSource(axes.slice(0, 6), 14), map, rng, 30), map);
    const b = signatureOf(learn(spanSource(axes.slice(3, 10), 14), map, rng, 30), map);
    const both = andOf(a, b);
    expect([both.rank, both.nullity]).toEqual([3, 11]);
    expect(orHull(a, b).rank).toBe(10);
    const inBoth = spanSource(axes.slice(3, 6), 14);
    for (let i = 0; i < 20; i++) {
      const x = map.apply(inBoth.draw(rng));
      for (const s of [a, b, both, orHull(a, b)]) expect(s.residual(x)).toBeLessThan(1e-8);
      const onlyA = map.apply(spanSource(axes.slice(0, 6), 14).draw(rng));
      expect(orHull(a, b).residual(onlyA)).toBeLessThan(1e-8); // A lies in the hull
      expect(both.residual(onlyA)).toBeGreaterThanOrEqual(b.residual(onlyA) - 1e-9); // AND asks for no less
    }
    expect(commonOf([a, b]).nullity).toBe(orHull(a, b).nullity);
  });

  it('exact OR is the signature of the points of both, one degree up, and leaves the hull out', () => {
    const rng = new Rng(21);
    const flat = new FeatureMap({ dim: 6 });
    const axes = randomRows(rng, 6, 6);
    const [left, right] = [spanSource(axes.slice(0, 2), 6), spanSource(axes.slice(2, 4), 6)];
    const [a, b] = [left, right].map((s) => signatureOf(learn(s, flat, rng, 20), flat));
    const { map: lifted, signature } = orExact(a!, b!, flat);
    const union = learn(left, lifted, rng, 80);
    union.merge(learn(right, lifted, rng, 80));
    const learnt = signatureOf(union, lifted);
    expect(signature.nullity).toBe(learnt.nullity);
    expect(conceptSimilarity(signature, learnt)).toBeGreaterThan(0.9999);
    for (let i = 0; i < 20; i++) {
      const [p, q] = [left.draw(rng), right.draw(rng)];
      expect(signature.residual(lifted.apply(p))).toBeLessThan(1e-8);
      expect(signature.residual(lifted.apply(q))).toBeLessThan(1e-8);
      const between = p.map((v, j) => v + q[j]!);
      expect(orHull(a!, b!).residual(flat.apply(between))).toBeLessThan(1e-8);
      expect(signature.residual(lifted.apply(between))).toBeGreaterThan(1e-6);
    }
  });

  it('refuse signatures over other features', () => {
    const rng = new Rng(22);
    const [a, b] = [5, 6].map((dim) => {
      const m = new FeatureMap({ dim });
      return signatureOf(learn(linearSource(rng, dim, 2), m, rng, 12), m);
    });
    expect(() => conceptSimilarity(a!, b!)).toThrow('Expected signatures over equal features, got 5 and 6.');
  });
});

describe('index over signatures', () => {
  it('finds similar concepts among 10,000, by scan and through the tables', () => {
    const rng = new Rng(30);
    const scan = new SignatureIndex(12, 'index');
    const tables = new SignatureIndex(12, 'index', { scanBelow: 0 });
    const bases = Array.from({ length: 10_000 }, (_, i) => {
      const rows = randomRows(rng.fork(i), 12, 4);
      const signature = MomentSignature.fromEquations(rows, 12);
      scan.set(i, signature);
      tables.set(i, signature);
      return rows;
    });
    let asked = 0;
    const found = { scan: 0, tables: 0 };
    for (let i = 0; i < 10_000 && asked < 200; i += 7) {
      const turned = bases[i]!.map((row) => row.map((v) => v + (0.2 / Math.sqrt(12)) * rng.normal()));
      const query = MomentSignature.fromEquations(turned, 12);
      const similarity = conceptSimilarity(query, MomentSignature.fromEquations(bases[i]!, 12));
      if (similarity < 0.9) continue;
      asked++;
      if (scan.nearest(query, 1)[0]?.ref === i) found.scan++;
      if (tables.nearest(query, 1)[0]?.ref === i) found.tables++;
    }
    expect(asked).toBe(200);
    expect(found.scan / asked).toBeGreaterThanOrEqual(0.99);
    expect(found.tables / asked).toBeGreaterThanOrEqual(0.99);
  });
});

describe('what concepts have in common', () => {
  it('is the equations that all of them were given', () => {
    const map = new FeatureMap({ dim: 14 });
    const rng = new Rng(40);
    const signatures = relatedSources(rng, 14, 6, 4, 3).map((s) => signatureOf(learn(s, map, rng, 30), map));
    expect(signatures.every((s) => s.nullity === 7)).toBe(true);
    expect(commonOf(signatures).nullity).toBe(4);
    expect(() => commonOf([])).toThrow('Expected at least one signature, got none.');
  });
});
