import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Rng } from '../tensor/index.ts';
import { NearestList } from './_nearest-list.ts';
import { PlainScan } from './_plain-scan.ts';
import { scanNearest } from './_scan.ts';
import { BLOCK, CHUNK, CHUNK_BYTES, DISTANCES, FIRST_CHUNK, FOUND, plainKernel, QUERY } from './_signature-kernel.ts';
import { SignatureChunks, SignatureScan } from './_signature-scan.ts';
import { signatureKernel } from './_signature-wasm.ts';
import { type CentredQuery, LshIndex } from './lsh.ts';
import { hamming } from './signature.ts';

const seed = Date.now() >>> 0;

function signatures(count: number, rng: Rng): Uint32Array {
  return Uint32Array.from({ length: count * 8 }, () => rng.u32());
}

/** Distance and reference of all, nearest first. */
function byDistance(words: Uint32Array, own: Uint32Array): { ref: number; distance: number }[] {
  return Array.from({ length: words.length / 8 }, (_, ref) => ({
    ref,
    distance: hamming(own, words, 0, ref * 8),
  })).sort((a, b) => a.distance - b.distance || a.ref - b.ref);
}

describe(`the kernel in WebAssembly, seed ${seed}`, () => {
  it('writes the same bytes as the plain one', () => {
    const rng = new Rng(seed);
    const kernels = [signatureKernel(), plainKernel()];
    expect(kernels[0]!.measure).not.toBe(kernels[1]!.measure);
    const random = Uint8Array.from({ length: CHUNK_BYTES }, () => rng.u32() & 255);
    for (const kernel of kernels) {
      kernel.grow(FIRST_CHUNK + 2 * CHUNK_BYTES);
      kernel.bytes().set(random.subarray(0, 32), QUERY);
      kernel.bytes().set(random, FIRST_CHUNK + CHUNK_BYTES);
    }
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: CHUNK / BLOCK }),
        fc.integer({ min: 0, max: 128 }),
        fc.integer({ min: 0, max: 256 }),
        (blocks, within, cut) => {
          const [a, b] = kernels.map((kernel) => {
            const chunk = FIRST_CHUNK + CHUNK_BYTES;
            const counts = kernel.measure(chunk, blocks, within);
            const count = kernel.count(chunk, blocks, within);
            const n = kernel.collect(chunk, blocks, within, cut);
            const bytes = kernel.bytes();
            return {
              counts,
              count,
              distances: bytes.slice(chunk + DISTANCES, chunk + DISTANCES + blocks * BLOCK),
              found: bytes.slice(FOUND, FOUND + n * 4),
            };
          });
          expect(a).toEqual(b);
          expect(a!.found.length).toBeLessThanOrEqual(4 * a!.count);
        },
      ),
      { numRuns: 40, seed },
    );
  });

  it('and one by one: small and large scans offer the same', () => {
    const rng = new Rng(seed).fork('scans');
    const count = CHUNK + 77;
    const words = signatures(count, rng);
    const small = new PlainScan();
    for (let ref = 0; ref < count; ref++) small.add(ref, words, ref * 8);
    const large = SignatureScan.from(small, new SignatureChunks(signatureKernel()), words);
    const own = signatures(1, rng);
    for (const limit of [1, 50]) {
      const [a, b] = [small, large].map((scan) => {
        const list = new NearestList(limit);
        scanNearest([{ scan, own }], list);
        return list.toSorted();
      });
      expect(a).toEqual(b);
    }
  });
});

describe('an index that scans', () => {
  it('gives the exact list up to 32,768 items, after changes of all kinds too', () => {
    const rng = new Rng(seed).fork('exact');
    const count = 9000;
    const words = signatures(count, rng);
    const index = new LshIndex();
    const centres = Array.from({ length: count }, () => rng.integer(2));
    for (let ref = 0; ref < count; ref++) index.add(ref, words, centres[ref], ref * 8);
    const gone = new Set<number>();
    for (let i = 0; i < 2000; i++) {
      const ref = rng.integer(count);
      const kind = rng.integer(3);
      if (kind === 0) {
        index.remove(ref);
        gone.add(ref);
        continue;
      }
      gone.delete(ref);
      if (kind === 1) words.set(signatures(1, rng), ref * 8);
      else centres[ref] = 1 - centres[ref]!;
      index.add(ref, words, centres[ref], ref * 8);
    }
    for (let q = 0; q < 10; q++) {
      const queries: CentredQuery[] = [0, 1].map((centre) => ({
        centre,
        signed: { bits: signatures(1, rng), projections: new Float32Array(256) },
      }));
      const expected = queries
        .flatMap(({ centre, signed }) =>
          byDistance(words, signed.bits).filter(({ ref }) => centres[ref] === centre && !gone.has(ref)),
        )
        .sort((a, b) => a.distance - b.distance || a.ref - b.ref);
      const near = index.nearest(queries, 20);
      expect(near).toEqual(expected.filter((n) => n.distance <= expected[19]!.distance).slice(0, 40));
    }
  });

  it('of more items it finds what is near, and the same whatever the order of insertion', () => {
    const rng = new Rng(seed).fork('order');
    const count = 40_000;
    const words = signatures(count, rng);
    const forth = new LshIndex();
    const back = new LshIndex();
    for (let ref = 0; ref < count; ref++) forth.add(ref, words, 0, ref * 8);
    for (let ref = count - 1; ref >= 0; ref--) back.add(ref, words, 0, ref * 8);
    for (let q = 0; q < 20; q++) {
      const ref = rng.integer(count);
      const bits = words.slice(ref * 8, ref * 8 + 8);
      // A quarter of the bits differ: the angle of a cosine of 0.7.
      for (let i = 0; i < 64; i++) bits[rng.integer(8)]! ^= 1 << rng.integer(32);
      const query = { centre: 0, signed: { bits, projections: new Float32Array(256) } };
      const near = forth.nearest([query], 32);
      expect(near[0]).toEqual({ ref, distance: hamming(bits, words, 0, ref * 8) });
      expect(back.nearest([query], 32)).toEqual(near);
    }
  });
});
