import { describe, expect, it } from 'vitest';
import { Rng } from '../tensor/index.ts';
import { countFast, hasOther } from './fast.ts';
import { generateSudoku, isRedundant, randomGrid } from './generate.ts';
import { clashes, clueCount, formatGrid, geometryOf, isSolution, parseGrid, type Grid, type Size } from './geometry.ts';
import { countReference } from './reference.ts';
import { countSolutions, solveUnique } from './solve.ts';
import { applySymmetry, classKey, invertSymmetry, randomSymmetry } from './symmetry.ts';
import { gradeSudoku } from './trace.ts';

const sizes: readonly Size[] = [4, 6, 9];

function perturbed(rng: Rng): Grid {
  const { puzzle } = generateSudoku({ rng });
  const board = puzzle.slice();
  const clues = [...board.keys()].filter((cell) => board[cell] !== 0);
  const kind = rng.integer(4);
  if (kind === 1) for (const i of rng.choice(clues.length, 1 + rng.integer(3))) board[clues[i]!] = 0;
  if (kind === 2) board[clues[rng.integer(clues.length)]!] = 1 + rng.integer(9);
  if (kind === 3) for (let k = 0; k < 3; k++) board[rng.integer(81)] = 1 + rng.integer(9);
  return board;
}

describe('geometry', () => {
  it('has 3n units and 20, 12 and 7 peers', () => {
    expect(sizes.map((n) => geometryOf(n).units.length)).toEqual([12, 18, 27]);
    expect(sizes.map((n) => geometryOf(n).peers[0]!.length)).toEqual([7, 12, 20]);
  });

  it('reads both signs for empty and prints dots', () => {
    const text = `${'1'.padEnd(40, '.')}${'2'.padEnd(41, '0')}`;
    expect(formatGrid(parseGrid(text))).toBe(text.replaceAll('0', '.'));
  });

  it('names the length or the character it cannot read', () => {
    expect(() => parseGrid('123')).toThrow('Expected 81, 36 or 16 cells, got 3.');
    expect(() => parseGrid('x'.padEnd(81, '.'))).toThrow('got "x" at cell 0 (row 1, column 1)');
    expect(() => parseGrid('5'.padEnd(16, '.'))).toThrow('Expected digits 1 to 4');
  });

  it('finds equal digits that see each other', () => {
    expect(clashes(parseGrid(`${'5'.padEnd(9, '.')}.5`.padEnd(81, '.')))).toEqual([[0, 10]]);
  });
});

describe('search', () => {
  it('counts the 288 grids of the 4x4 board', () => {
    expect(countReference(new Uint8Array(16), 1000)).toBe(288);
  });

  it('counts the 6x6 grids with a fixed first row', () => {
    expect(countReference(parseGrid('123456'.padEnd(36, '.')), 50_000)).toBe(39_168);
    expect(28_200_960 / 720).toBe(39_168);
  });

  it('agrees with the reference on boards with none, one and several solutions', () => {
    const rng = new Rng(11);
    const seen = [0, 0, 0];
    for (let i = 0; i < 2500; i++) {
      const board = perturbed(rng);
      const fast: Grid[] = [];
      const slow: Grid[] = [];
      const count = countFast(board, 2, fast);
      expect(count).toBe(countReference(board, 2, slow));
      seen[count]!++;
      if (count === 1) expect(formatGrid(fast[0]!)).toBe(formatGrid(slow[0]!));
      for (const grid of fast) expect(isSolution(grid, board)).toBe(true);
      if (count === 2) expect(formatGrid(fast[0]!)).not.toBe(formatGrid(fast[1]!));
    }
    expect(Math.min(...seen)).toBeGreaterThan(300);
  });

  it('counts beyond two and keeps the solutions apart', () => {
    const rng = new Rng(12);
    for (let i = 0; i < 60; i++) {
      const board = generateSudoku({ rng }).puzzle;
      for (let k = 0; k < 4; k++) board[rng.integer(81)] = 0;
      const fast: Grid[] = [];
      expect(countFast(board, 500, fast)).toBe(countReference(board, 500));
      expect(new Set(fast.map(formatGrid)).size).toBe(fast.length);
    }
  });

  it('counts the same after a random symmetry', () => {
    const rng = new Rng(13);
    for (let i = 0; i < 300; i++) {
      const board = perturbed(rng);
      const moved = applySymmetry(randomSymmetry(9, rng), board);
      expect(countFast(moved, 50)).toBe(countFast(board, 50));
    }
  });

  it('answers whether another value is possible in a cell', () => {
    const rng = new Rng(14);
    for (let i = 0; i < 200; i++) {
      const { puzzle, solution } = generateSudoku({ rng, clues: 27 });
      const cell = rng.integer(81);
      const without = puzzle.slice();
      without[cell] = 0;
      const others: Grid[] = [];
      countFast(without, 10_000, others);
      expect(hasOther(puzzle, cell, solution[cell]!)).toBe(others.some((grid) => grid[cell] !== solution[cell]));
    }
  });

  it('rejects boards it cannot hold', () => {
    expect(() => countFast(new Uint8Array(80))).toThrow('Expected 81 cells, got 80.');
    expect(() => countFast(new Uint8Array(81).fill(12))).toThrow('Expected digits 0 to 9, got 12 at cell 0.');
  });
});

describe('generator', () => {
  it.each(sizes)('makes minimal %ix puzzles with the one solution it says', (n) => {
    const rng = new Rng(n);
    for (let i = 0; i < 25; i++) {
      const { puzzle, solution } = generateSudoku({ n, rng });
      expect(isSolution(solution, puzzle)).toBe(true);
      expect(formatGrid(solveUnique(puzzle)!)).toBe(formatGrid(solution));
      for (const [cell, value] of puzzle.entries()) {
        if (value === 0) continue;
        const without = puzzle.slice();
        without[cell] = 0;
        expect(countSolutions(without)).toBe(2);
      }
    }
  });

  it('stops at the wished number of clues', () => {
    const rng = new Rng(21);
    for (const clues of [25, 28, 40, 81]) {
      const { puzzle } = generateSudoku({ rng, clues });
      expect(clueCount(puzzle)).toBe(clues);
      expect(countSolutions(puzzle)).toBe(1);
    }
  });

  it('makes boards in which any single clue can be left out', () => {
    const rng = new Rng(22);
    for (let i = 0; i < 100; i++) {
      const { puzzle } = generateSudoku({ rng, redundancy: 'single' });
      expect(isRedundant(puzzle)).toBe(true);
      expect(clueCount(puzzle)).toBeLessThanOrEqual(36);
      const clues = [...puzzle.keys()].filter((cell) => puzzle[cell] !== 0);
      const cell = clues[rng.integer(clues.length)]!;
      const misread = puzzle.slice();
      misread[cell] = 1 + ((puzzle[cell]! + rng.integer(8)) % 9);
      expect(countSolutions(misread)).toBe(0);
    }
  });

  it('keeps to the wished tier or says that it found none', () => {
    const rng = new Rng(23);
    for (const tier of ['singles', 'locked', 'sets', 'search'] as const) {
      expect(gradeSudoku(generateSudoku({ rng, tier }).puzzle)).toBe(tier);
    }
    expect(() => generateSudoku({ rng, tier: 'search', clues: 60, maxAttempts: 3 })).toThrow(
      'Expected a board with tier "search" and 60 clues, got none in 3 attempts.',
    );
  });

  it('is a function of its seed', () => {
    const make = (): string => formatGrid(generateSudoku({ rng: new Rng('s'), redundancy: 'single' }).puzzle);
    expect(make()).toBe(make());
  });
});

describe('symmetry', () => {
  it.each(sizes)('keeps grids valid, is undone by its inverse and keeps the class key at size %i', (n) => {
    const rng = new Rng(31);
    for (let i = 0; i < 60; i++) {
      const grid = randomGrid(n, rng);
      const symmetry = randomSymmetry(n, rng);
      const moved = applySymmetry(symmetry, grid);
      expect(isSolution(moved)).toBe(true);
      expect(applySymmetry(invertSymmetry(symmetry), moved)).toEqual(grid);
      expect(classKey(moved)).toBe(classKey(grid));
    }
  });

  it('gives different keys to different classes', () => {
    const rng = new Rng(32);
    const keys = new Set(Array.from({ length: 500 }, () => classKey(randomGrid(9, rng))));
    expect(keys.size).toBe(500);
  });
});
