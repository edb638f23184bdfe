import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Rng } from '../tensor/index.ts';
import { type CentredQuery, LshIndex } from './lsh.ts';
import { candidateRate, probeKeys } from './probes.ts';
import { cosineOfHamming, hamming, Signer } from './signature.ts';

/** A pair of vectors with exactly this cosine. */
function pairWith(cosine: number, dim: number, rng: Rng): [Float64Array, Float64Array] {
  const a = new Float64Array(dim);
  const b = new Float64Array(dim);
  rng.fillNormal(a);
  rng.fillNormal(b);
  let ab = 0;
  let aa = 0;
  for (let i = 0; i < dim; i++) {
    ab += a[i]! * b[i]!;
    aa += a[i]! * a[i]!;
  }
  let bb = 0;
  for (let i = 0; i < dim; i++) {
    b[i]! -= (ab / aa) * a[i]!;
    bb += b[i]! * b[i]!;
  }
  const sine = Math.sqrt(1 - cosine * cosine);
  for (let i = 0; i < dim; i++) b[i] = (cosine * a[i]!) / Math.sqrt(aa) + (sine * b[i]!) / Math.sqrt(bb);
  return [a, b];
}

describe('signatures', () => {
  it('differ in a share of bits that estimates the angle: mean within 3 sd of the mean', () => {
    const rng = new Rng(1);
    for (const cosine of [0.9, 0.5, 0, -0.5]) {
      const signer = new Signer(512, 'angle');
      const p = Math.acos(cosine) / Math.PI;
      const pairs = 150;
      let sum = 0;
      for (let i = 0; i < pairs; i++) {
        const [a, b] = pairWith(cosine, 512, rng);
        sum += hamming(signer.sign(a).bits, signer.sign(b).bits);
      }
      // Rows of the rotation are orthogonal, so bits vary a little less than independent ones.
      const sd = Math.sqrt((256 * p * (1 - p)) / pairs);
      expect(Math.abs(sum / pairs - 256 * p)).toBeLessThan(3 * sd);
      expect(cosineOfHamming(sum / pairs)).toBeCloseTo(cosine, 1);
    }
  });

  it('are a function of seed and values; shorter values count as zero-padded; the centre is taken away', () => {
    const rng = new Rng(2);
    const v = new Float32Array(1024);
    rng.fillNormal(v);
    const signer = new Signer(1024, 'x');
    expect(new Signer(1024, 'x').sign(v).bits).toEqual(signer.sign(v).bits);
    expect(new Signer(1024, 'y').sign(v).bits).not.toEqual(signer.sign(v).bits);
    const half = v.slice(0, 512);
    const padded = new Float32Array(1024);
    padded.set(half);
    expect(signer.sign(half).bits).toEqual(signer.sign(padded).bits);
    const centre = v.map((x) => x + 1);
    expect(signer.sign(v, centre).bits).toEqual(signer.sign(new Float32Array(1024).fill(-1)).bits);
    expect(() => signer.sign(new Float32Array(2048))).toThrow('Expected at most 1024 numbers, got 2048.');
  });
});

/** The transform one level at a time, in f32. */
function plainSign(values: Float32Array, seed: string): number[] {
  const work = Float32Array.from(values);
  const rng = new Rng(seed).fork('memory/signature');
  for (const round of [0, 1, 2]) {
    const stream = rng.fork(round);
    const signs = Uint32Array.from({ length: work.length >>> 5 }, () => stream.u32());
    for (let i = 0; i < work.length; i++) if ((signs[i >>> 5]! >>> (i & 31)) & 1) work[i] = -work[i]!;
    for (let h = 1; h < work.length; h *= 2) {
      for (let i = 0; i < work.length; i++) {
        if ((i & h) !== 0) continue;
        const [a, b] = [work[i]!, work[i + h]!];
        work[i] = a + b;
        work[i + h] = a - b;
      }
    }
  }
  return Array.from({ length: 256 }, (_, i) => (work[i]! > 0 ? 1 : 0));
}

it('the fast transform gives the bits of the plain one, at even and odd numbers of levels', () => {
  const rng = new Rng(4);
  for (const dim of [256, 512, 1024, 2048]) {
    const v = new Float32Array(dim);
    rng.fillNormal(v);
    const { bits } = new Signer(dim, 'same').sign(v);
    expect(Array.from({ length: 256 }, (_, i) => (bits[i >>> 5]! >>> (i & 31)) & 1)).toEqual(plainSign(v, 'same'));
  }
});

describe('probes', () => {
  it('come in order of score and never repeat a key', () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: -3, max: 3, noNaN: true }), { minLength: 1, maxLength: 8 }),
        fc.integer({ min: 1, max: 300 }),
        (y, count) => {
          const keys = probeKeys(y, count);
          expect(keys.length).toBe(Math.min(count, 2 ** y.length));
          expect(new Set(keys).size).toBe(keys.length);
          const score = (key: number): number => {
            let sum = 0;
            y.forEach((v, i) => (sum += ((key ^ keys[0]!) >> i) & 1 ? v * v : 0));
            return sum;
          };
          const all = Array.from({ length: 2 ** y.length }, (_, key) => score(key)).sort((a, b) => a - b);
          keys.forEach((key, i) => expect(score(key)).toBeCloseTo(all[i]!, 9));
        },
      ),
      { numRuns: 200, seed: 3 },
    );
  });
});

/** Projections with the signs of a signature. */
function projectionsOf(bits: Uint32Array): Float32Array {
  return Float32Array.from({ length: 256 }, (_, i) => ((bits[i >>> 5]! >>> (i & 31)) & 1 ? 1 : -1));
}

describe('the index', () => {
  it.each([0.9, 0.8, 0.7, 0.32, 0])('finds pairs of cosine %d at the rate of the formula, within 3 sd', (cosine) => {
    // Many pairs share an index; each query asks for its own partner among noise that fills the tables.
    const pairs = 700;
    const bits = 12;
    const tables = 8;
    const rng = new Rng(`${cosine}`);
    let found = 0;
    for (let block = 0; block < 2; block++) {
      const signer = new Signer(256, `rate-${block}`);
      const index = new LshIndex({ tables, probes: 1, scanBelow: 0, shortKeysBelow: 1e9, bucketCap: 1e9 });
      const queries: CentredQuery[] = [];
      for (let i = 0; i < pairs; i++) {
        const [a, b] = pairWith(cosine, 256, rng);
        index.add(i, signer.sign(a).bits);
        queries.push({ centre: 0, signed: signer.sign(b) });
      }
      for (let i = pairs; i < 8400; i++)
        index.add(
          i,
          Uint32Array.from({ length: 8 }, () => rng.u32()),
        );
      index.candidates([queries[0]!]);
      queries.forEach((query, i) => {
        if (index.candidates([query]).includes(i)) found++;
      });
    }
    const rate = candidateRate(cosine, bits, tables);
    const n = 2 * pairs;
    const sd = Math.sqrt((rate * (1 - rate)) / n) + 0.25 / n;
    expect(Math.abs(found / n - rate)).toBeLessThan(3 * sd);
  });

  it('formula: the values of the table', () => {
    expect(candidateRate(0.9, 10, 8)).toBeCloseTo(0.852, 3);
    expect(candidateRate(0.32, 10, 8)).toBeCloseTo(0.05, 2);
    expect(candidateRate(0.95, 12, 16)).toBeCloseTo(0.995, 3);
  });

  it('more probes find more: 0.8 rises from below 0.3 to above 0.6 with 16 probes of 16 bits', () => {
    const rng = new Rng(5);
    const signer = new Signer(256, 'probe');
    const rate = (probes: number): number => {
      const index = new LshIndex({ tables: 8, probes, scanBelow: 0, shortKeysBelow: 0 });
      const queries: CentredQuery[] = [];
      for (let i = 0; i < 300; i++) {
        const [a, b] = pairWith(0.8, 256, rng);
        index.add(i, signer.sign(a).bits);
        queries.push({ centre: 0, signed: signer.sign(b) });
      }
      for (let i = 300; i < 8400; i++)
        index.add(
          i,
          Uint32Array.from({ length: 8 }, () => rng.u32()),
        );
      return queries.filter((q, i) => index.candidates([q]).includes(i)).length / queries.length;
    };
    expect(rate(1)).toBeLessThan(0.3);
    expect(rate(16)).toBeGreaterThan(0.6);
  });

  it('keeps finding everything while tables are made anew one at a time, and after a change of a signature', () => {
    const rng = new Rng(8);
    const index = new LshIndex({ tables: 4, probes: 1, scanBelow: 0, within: 0 });
    const words: Uint32Array[] = [];
    const find = (ref: number): boolean => {
      const signed = { bits: words[ref]!, projections: projectionsOf(words[ref]!) };
      return index.nearest([{ centre: 0, signed }], 1).some((n) => n.ref === ref && n.distance === 0);
    };
    for (let ref = 0; ref < 30_000; ref++) {
      words.push(Uint32Array.from({ length: 8 }, () => rng.u32()));
      index.add(ref, words[ref]!);
      if (ref % 997 === 0) for (const r of [0, ref >>> 1, ref]) expect(find(r)).toBe(true);
    }
    words[17] = words[17]!.map((w) => ~w);
    index.add(17, words[17]);
    expect(find(17)).toBe(true);
    index.remove(17);
    expect(find(17)).toBe(false);
    expect(index.count).toBe(29_999);
  });

  it('scans small stores exactly, skips what was removed, and other centres', () => {
    const rng = new Rng(6);
    const index = new LshIndex();
    const words = Array.from({ length: 500 }, () => Uint32Array.from({ length: 8 }, () => rng.u32()));
    words.forEach((w, i) => index.add(i, w, i % 2));
    index.remove(100);
    const query: CentredQuery = { centre: 0, signed: { bits: words[100]!, projections: new Float32Array(256) } };
    const expected = words
      .map((w, ref) => ({ ref, distance: hamming(w, words[100]!) }))
      .filter(({ ref }) => ref % 2 === 0 && ref !== 100)
      .sort((a, b) => a.distance - b.distance || a.ref - b.ref);
    const near = index.nearest([query], 5);
    expect(near).toEqual(expected.filter((n) => n.distance <= expected[4]!.distance));
    expect(index.has(100)).toBe(false);
  });
});
