// Matrices unknown: with block-random matrices enough sketches give every column of every matrix away.
import { blockColumn, type BlockFamily, learnDictionary } from 'cairn/sketch';
import type { Rng } from 'cairn/tensor';
import type { Cell } from '../report.ts';
import type { Part } from './scenes.ts';

const MATRICES = 12;
const COLUMNS = 10;
const NOISE = 1e-3;

/** Learning from 50 to 300 sums of a few columns each. */
export function dictionary(rng: Rng, seed: number): Part {
  const family: BlockFamily = { seed: `lab:${seed}`, blocks: 64, size: 32, density: 0.08 };
  const d = family.blocks * family.size;
  const columns = Array.from({ length: MATRICES * COLUMNS }, (_, k) =>
    blockColumn(family, `module-${Math.floor(k / COLUMNS)}`, k % COLUMNS),
  );
  const samples = Array.from({ length: 400 }, (_, s) => {
    const own = rng.fork(s);
    const y = new Float64Array(d);
    own.fillNormal(y, NOISE);
    for (const column of columns) {
      if (!own.bernoulli(0.04)) continue;
      const x = 0.2 + 0.8 * own.uniform();
      for (let i = 0; i < d; i++) y[i] = y[i]! + x * column[i]!;
    }
    return y;
  });
  const truth = new Map(columns.map((c) => [patternOf(c, family), c]));
  const rows: Cell[][] = [];
  let last = { right: 0, matrices: 0, spurious: 0, entries: 0 };
  for (const count of [50, 100, 200, 300, 400]) {
    const least = 0.1 / Math.sqrt(family.density * d);
    const learned = learnDictionary(samples.slice(0, count), { size: family.size, noise: NOISE, least });
    const all = learned.flatMap((m) => m.columns);
    const right = all.filter((c) => truth.has(c.pattern.join()));
    const entries = right.map((c) => {
      const column = truth.get(c.pattern.join())!;
      let same = 0;
      c.entries.forEach((e, r) => {
        if (e === Math.sign(column[r * family.size]!)) same++;
      });
      return same / family.blocks;
    });
    const share = entries.reduce((s, v) => s + v, 0) / Math.max(1, entries.length);
    last = { right: right.length, matrices: learned.length, spurious: all.length - right.length, entries: share };
    rows.push([count, right.length, all.length - right.length, learned.length, share]);
  }
  return {
    claims: [
      {
        id: 'unknown-matrices-found',
        says: 'From sketches alone, all columns of twelve unknown matrices are found and sorted into their matrices.',
        kind: 'measured',
        value: last.right,
        target: `${MATRICES * COLUMNS} of ${MATRICES * COLUMNS} columns in ${MATRICES} matrices, none spurious, >= 0.999 of the entries, 400 sketches`,
        holds:
          last.right === MATRICES * COLUMNS &&
          last.matrices === MATRICES &&
          last.spurious === 0 &&
          last.entries >= 0.999,
      },
    ],
    tables: [
      {
        title: `Dictionary learning, block-random matrices, d = ${d}, noise ${NOISE}`,
        columns: ['sketches', 'columns found', 'spurious', 'matrices', 'entries right'],
        rows,
      },
    ],
  };
}

/** The pattern of a column, read from its first present block. */
function patternOf(column: Float64Array, { size, blocks }: BlockFamily): string {
  for (let r = 0; r < blocks; r++) {
    const sign = Math.sign(column[r * size]!);
    if (sign === 0) continue;
    return Int8Array.from(column.subarray(r * size, (r + 1) * size), (v) => Math.sign(v) * sign).join();
  }
  return '';
}
