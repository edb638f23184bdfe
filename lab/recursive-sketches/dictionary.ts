// Matrices unknown: with block-random matrices enough sketches give every column of every matrix away, also when every
// object is only seen through the unknown matrix of its parent.
import { blockColumn, type BlockFamily, learnDictionary, learnRecursive, parentMap, seenThrough } from 'cairn/sketch';
import type { Rng } from 'cairn/tensor';
import type { Cell, Part } from '../report.ts';

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

const PARENTS = 4;
const CHILDREN = 5;
const CHILD_COLUMNS = 6;

/** Two levels at once: columns of children through parents, of which some pairs never occur together. */
export function recursiveDictionary(rng: Rng, seed: number, repeats: number): Part {
  const rows: Cell[][] = [];
  let [right, seen, unseen, unseenRight, levels] = [0, 0, 0, 0, 0];
  for (let k = 0; k < repeats; k++) {
    const family: BlockFamily = { seed: `lab:${seed}:${k}`, blocks: 64, size: 64, density: 0.1 };
    const columns = new Map<string, Float64Array>();
    for (let p = 0; p < PARENTS; p++) {
      for (let m = 0; m < CHILDREN; m++) {
        for (let c = 0; c < CHILD_COLUMNS; c++) {
          const column = seenThrough(parentMap(family, `parent-${p}`), blockColumn(family, `child-${m}`, c));
          columns.set(`${p}:${m}:${c}`, column);
        }
      }
    }
    const hidden = (name: string): boolean => name.startsWith('0:1:') || name.startsWith('2:3:');
    const samples = Array.from({ length: 400 }, (_, s) => {
      const own = rng.fork(k).fork(s);
      const y = new Float64Array(family.blocks * family.size);
      own.fillNormal(y, NOISE);
      for (const [name, column] of columns) {
        if (hidden(name) || !own.bernoulli(0.045)) continue;
        const x = 0.2 + 0.8 * own.uniform();
        for (let i = 0; i < y.length; i++) y[i] = y[i]! + x * column[i]!;
      }
      return y;
    });
    const { parents, matrices } = learnRecursive(samples, { size: family.size, noise: NOISE, least: 5e-3 });
    if (parents.length === PARENTS && matrices.length === CHILDREN) levels++;
    const predicted = new Set(
      parents.flatMap(({ word }) =>
        matrices.flatMap((m) => m.columns.map((c) => c.pattern.map((v, i) => v * word[i]!).join())),
      ),
    );
    for (const [name, column] of columns) {
      const hit = predicted.has(patternOf(column, family)) ? 1 : 0;
      if (hidden(name)) [unseen, unseenRight] = [unseen + 1, unseenRight + hit];
      else [seen, right] = [seen + 1, right + hit];
    }
    rows.push([k + 1, parents.length, matrices.length, matrices.reduce((n, m) => n + m.columns.length, 0)]);
  }
  return {
    claims: [
      {
        id: 'recursive-matrices-found',
        says: 'Matrices of children and of their parents are both found although only their products are ever seen.',
        kind: 'measured',
        value: right,
        baseline: seen,
        target: `all ${seen} columns through their parents, ${PARENTS} parents and ${CHILDREN} children in every run`,
        holds: right === seen && levels === repeats,
      },
      {
        id: 'unseen-pairs-predicted',
        says: 'The two levels predict what a child looks like through a parent it never occurred with.',
        kind: 'measured',
        value: unseenRight,
        baseline: unseen,
        target: `all ${unseen} columns of pairs that were left out`,
        holds: unseenRight === unseen,
      },
    ],
    tables: [
      {
        title: `Recursable dictionary learning, d = 4,096, 400 sketches, ${PARENTS} parents of ${CHILDREN} children`,
        columns: ['run', 'parents found', 'children found', 'columns found'],
        rows,
      },
    ],
  };
}
