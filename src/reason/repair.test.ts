import { describe, expect, it } from 'vitest';
import { Rng } from '../tensor/index.ts';
import { simulateReading, usualReader } from './_testing.ts';
import { checkCertificate } from './check.ts';
import { diagnose } from './diagnose.ts';
import { countFast } from './fast.ts';
import { generateSudoku } from './generate.ts';
import { formatGrid, type Grid } from './geometry.ts';
import { repairReading } from './repair.ts';

function clear(board: Grid): Float32Array {
  const p = new Float32Array(810);
  board.forEach((value, cell) => (p[10 * cell + value] = 1));
  return p;
}

function setCell(p: Float32Array, cell: number, row: Record<number, number>): void {
  p.fill(0, 10 * cell, 10 * cell + 10);
  for (const [value, x] of Object.entries(row)) p[10 * cell + Number(value)] = x;
}

function cluesOf(board: Grid): number[] {
  return [...board.keys()].filter((cell) => board[cell] !== 0);
}

describe('diagnose', () => {
  const rng = new Rng(70);
  const { puzzle, solution } = generateSudoku({ rng, redundancy: 'single' });
  const clues = cluesOf(puzzle);

  it('knows a sound board and one with several solutions', () => {
    expect(diagnose(puzzle)).toMatchObject({ state: 'unique', solution, implicated: [], core: [] });
    const few = puzzle.slice().fill(0, 0, 60);
    expect(diagnose(few).state).toBe('several');
  });

  it('implicates the one misread clue and shows a minimal contradiction', () => {
    for (const cell of clues) {
      const board = puzzle.slice();
      board[cell] = (board[cell]! % 9) + 1;
      const { state, implicated, core } = diagnose(board);
      expect(state).toBe('unsolvable');
      expect(implicated).toContain(cell);
      expect(core).toContain(cell);
      const only = new Uint8Array(81);
      for (const c of core) only[c] = board[c]!;
      expect(countFast(only)).toBe(0);
      for (const c of core) {
        const without = only.slice();
        without[c] = 0;
        expect(countFast(without)).toBeGreaterThan(0);
      }
    }
  });

  it('names equal digits that see each other, and no single culprit when there are two', () => {
    const board = puzzle.slice();
    const [a, b] = [0, 80];
    board[a] = 5;
    board[1] = 5;
    board[b] = 6;
    board[79] = 6;
    const { implicated, clashes } = diagnose(board);
    expect(implicated).toEqual([]);
    expect(clashes).toContainEqual([0, 1]);
    expect(clashes).toContainEqual([79, 80]);
  });
});

describe('repairReading', () => {
  const rng = new Rng(71);
  const { puzzle, solution } = generateSudoku({ rng, redundancy: 'single' });
  const clues = cluesOf(puzzle);

  it('answers a clear reading with a proof', () => {
    const result = repairReading(clear(puzzle));
    if (result.status !== 'answered') throw new Error(result.text);
    expect(formatGrid(result.board)).toBe(formatGrid(puzzle));
    expect(result.solution).toEqual(solution);
    expect(result.changed).toEqual([]);
    expect(checkCertificate(result.board, result.certificate)).toEqual({ ok: true });
    expect(result.posterior).toBeGreaterThan(0.999);
  });

  it('takes nested rows as well as flat ones', () => {
    const flat = clear(puzzle);
    const nested = Array.from({ length: 81 }, (_, cell) => flat.subarray(10 * cell, 10 * cell + 10));
    expect(repairReading(nested)).toEqual(repairReading(flat));
  });

  it('corrects any one misread clue when the truth is its second choice', () => {
    for (const cell of clues) {
      const truth = puzzle[cell]!;
      const wrong = (truth % 9) + 1;
      const p = clear(puzzle);
      setCell(p, cell, { [wrong]: 0.9, [truth]: 0.1 });
      const result = repairReading(p);
      if (result.status !== 'answered') throw new Error(result.text);
      expect(formatGrid(result.board)).toBe(formatGrid(puzzle));
      expect(result.changed).toEqual([{ cell, from: wrong, to: truth }]);
    }
  });

  it('corrects two misread clues', () => {
    for (let i = 0; i < 20; i++) {
      const p = clear(puzzle);
      for (const k of rng.choice(clues.length, 2)) {
        const truth = puzzle[clues[k]!]!;
        setCell(p, clues[k]!, { [(truth % 9) + 1]: 0.8, [truth]: 0.2 });
      }
      const result = repairReading(p);
      if (result.status === 'answered') expect(formatGrid(result.board)).toBe(formatGrid(puzzle));
      else expect(['ambiguous', 'unverified']).toContain(result.reason);
    }
  });

  it('withholds when two digits of a needed clue both give a board with one solution', () => {
    let tried = 0;
    for (let i = 0; i < 20; i++) {
      const minimal = generateSudoku({ rng }).puzzle;
      for (const cell of cluesOf(minimal)) {
        const other = [1, 2, 3, 4, 5, 6, 7, 8, 9].find((value) => {
          const board = minimal.slice();
          board[cell] = value;
          return value !== minimal[cell] && countFast(board) === 1;
        });
        if (other === undefined) continue;
        const p = clear(minimal);
        setCell(p, cell, { [minimal[cell]!]: 0.97, [other]: 0.03 });
        const result = repairReading(p);
        if (result.status !== 'withheld') throw new Error('expected no answer');
        expect(['ambiguous', 'unverified']).toContain(result.reason);
        expect(result.suspects[0]).toBe(cell);
        tried++;
        break;
      }
    }
    expect(tried).toBeGreaterThan(10);
  });

  it('withholds when no reading is consistent, and names suspects', () => {
    const p = clear(puzzle);
    for (const cell of clues.slice(0, 6)) setCell(p, cell, { 5: 1 });
    const result = repairReading(p, { floor: 0 });
    expect(result).toMatchObject({ status: 'withheld', reason: 'inconsistent', posterior: 0 });
    if (result.status !== 'withheld') throw new Error('expected no answer');
    expect(result.text).toBe('No consistent board within the budget.');
    expect(result.suspects.length).toBeGreaterThan(0);
  });

  it('withholds an empty board and one with too few clues', () => {
    expect(repairReading(clear(new Uint8Array(81))).status).toBe('withheld');
    const few = new Uint8Array(81);
    few.set([1, 2, 3]);
    expect(repairReading(clear(few))).toMatchObject({ status: 'withheld' });
  });

  it('weighs a doubtful blank against its digit', () => {
    const p = clear(puzzle);
    const cell = clues[4]!;
    setCell(p, cell, { 0: 0.4, [puzzle[cell]!]: 0.6 });
    const unsure = repairReading(p);
    expect(unsure).toMatchObject({ status: 'withheld', reason: 'ambiguous' });
    setCell(p, cell, { 0: 1e-4, [puzzle[cell]!]: 1 - 1e-4 });
    expect(repairReading(p).status).toBe('answered');
  });

  it('reads probabilities strictly', () => {
    expect(() => repairReading(new Float32Array(100))).toThrow(
      'Expected 81 rows of 10 probabilities, got 100 entries.',
    );
    const p = clear(puzzle);
    p[0] = NaN;
    expect(() => repairReading(p)).toThrow('got NaN for class 0 of cell 0');
    p.fill(0, 0, 10);
    expect(() => repairReading(p)).toThrow('Expected a positive sum at cell 0');
  });
});

describe('safety, by simulation', () => {
  it('answers redundant boards and never a wrong one', () => {
    const rng = new Rng(72);
    let answered = 0;
    let repaired = 0;
    let misread = 0;
    const boards = 400;
    for (let i = 0; i < boards; i++) {
      const { puzzle } = generateSudoku({ rng, redundancy: 'single' });
      const result = repairReading(simulateReading(puzzle, rng), { maxWork: 20_000 });
      const wasWrong = formatGrid(result.read) !== formatGrid(puzzle);
      if (wasWrong) misread++;
      if (result.status !== 'answered') continue;
      answered++;
      expect(formatGrid(result.board)).toBe(formatGrid(puzzle));
      if (wasWrong) repaired++;
    }
    expect(misread).toBeGreaterThan(40);
    expect(repaired / misread).toBeGreaterThan(0.75);
    expect(answered / boards).toBeGreaterThan(0.95);
  });

  it('withholds rather than answering a wrong board when puzzles have no redundancy', () => {
    const rng = new Rng(73);
    let answered = 0;
    const boards = 150;
    for (let i = 0; i < boards; i++) {
      const { puzzle } = generateSudoku({ rng });
      const reading = simulateReading(puzzle, rng, { ...usualReader, doubtful: 0.01, unclear: 0.02 });
      const result = repairReading(reading, { maxWork: 3000 });
      if (result.status !== 'answered') continue;
      answered++;
      expect(formatGrid(result.board)).toBe(formatGrid(puzzle));
    }
    expect(answered).toBeGreaterThan(0);
  });
});
