import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { Rng } from '../tensor/index.ts';
import { checkCertificate } from './check.ts';
import { countFast } from './fast.ts';
import { generateSudoku } from './generate.ts';
import { formatGrid, parseGrid, type Grid, type Size } from './geometry.ts';
import { certifyTrace, proveSudoku } from './solve.ts';
import { gradeSudoku, traceSolve } from './trace.ts';
import type { RemoveStep, Step, SudokuCertificate } from './types.ts';

const sizes: readonly Size[] = [4, 6, 9];

function allSolutions(puzzle: Grid): Grid[] {
  const grids: Grid[] = [];
  countFast(puzzle, 3000, grids);
  return grids;
}

describe('independence', () => {
  it('imports types only and stays short', () => {
    const text = readFileSync(new URL('./check.ts', import.meta.url), 'utf8');
    const imports = text.split('\n').filter((line) => /\bimport\b|\brequire\(/.test(line) && !line.startsWith('//'));
    expect(imports).toEqual([
      "import type { CheckResult, PlaceStep, RemoveStep, SudokuCertificate } from './types.ts';",
    ]);
    expect(text.trimEnd().split('\n').length).toBeLessThanOrEqual(150);
    expect(readFileSync(new URL('./types.ts', import.meta.url), 'utf8')).not.toMatch(
      /^import|^export (const|function|class)/m,
    );
  });
});

describe('search trees', () => {
  it.each(sizes)('every verdict about random boards of size %i is accepted', (n) => {
    const rng = new Rng(40 + n);
    const seen = { unique: 0, unsolvable: 0, several: 0, abstain: 0 };
    for (let i = 0; i < 400; i++) {
      const board = generateSudoku({ n, rng }).puzzle;
      const change = rng.integer(3);
      if (change > 0) {
        const cell = board.findIndex((value, at) => value !== 0 && at >= rng.integer((n * n) >> 1));
        board[cell] = change === 1 ? 0 : 1 + rng.integer(n);
      }
      const proof = proveSudoku(board);
      seen[proof.verdict]++;
      if (proof.verdict === 'abstain') continue;
      expect(checkCertificate(board, proof.certificate)).toEqual({ ok: true });
      if (n === 9) expect(countFast(board)).toBe({ unsolvable: 0, unique: 1, several: 2 }[proof.verdict]);
    }
    expect(Math.min(seen.unique, seen.unsolvable, seen.several)).toBeGreaterThan(20);
  });

  it('rejects a tree of another board, shortened, lengthened or changed', () => {
    const rng = new Rng(41);
    let tried = 0;
    for (let i = 0; i < 150; i++) {
      const { puzzle } = generateSudoku({ rng });
      const proof = proveSudoku(puzzle);
      if (proof.verdict !== 'unique' || proof.certificate.kind !== 'unique') throw new Error('expected a unique board');
      const { grid, tree } = proof.certificate;
      const bytes = [...atob(tree)].map((c) => c.charCodeAt(0));
      const withTree = (changed: number[]): SudokuCertificate => ({
        kind: 'unique',
        grid,
        tree: btoa(String.fromCharCode(...changed)),
      });
      expect(checkCertificate(puzzle, withTree(bytes.slice(0, -1))).ok).toBe(false);
      expect(checkCertificate(puzzle, withTree([...bytes, 255])).ok).toBe(false);
      expect(checkCertificate(puzzle, { kind: 'unsolvable', tree }).ok).toBe(false);
      const fewer = puzzle.slice();
      fewer[fewer.findIndex((value) => value !== 0)] = 0;
      expect(countFast(fewer)).toBe(2);
      expect(checkCertificate(fewer, proof.certificate).ok).toBe(false);
      const at = rng.integer(bytes.length);
      const changed = bytes.slice();
      changed[at] = changed[at] === 255 ? rng.integer(81) : 255;
      expect(checkCertificate(puzzle, withTree(changed)).ok).toBe(false);
      tried++;
    }
    expect(tried).toBe(150);
  });

  it('does not accept a branch tree over a board with two solutions, however it is cut', () => {
    const rng = new Rng(42);
    const { puzzle, solution } = generateSudoku({ rng });
    puzzle[puzzle.findIndex((value) => value !== 0)] = 0;
    for (let i = 0; i < 2000; i++) {
      const bytes = Array.from({ length: 1 + rng.integer(6) }, () => (rng.bernoulli(0.6) ? 255 : rng.integer(82)));
      const tree = btoa(String.fromCharCode(...bytes));
      expect(checkCertificate(puzzle, { kind: 'unique', grid: formatGrid(solution), tree }).ok).toBe(false);
      expect(checkCertificate(puzzle, { kind: 'unsolvable', tree }).ok).toBe(false);
    }
  });

  it('abstains instead of writing an endless proof', () => {
    const empty = new Uint8Array(81);
    expect(proveSudoku(empty).verdict).toBe('several');
    const { puzzle } = generateSudoku({ rng: new Rng(43), tier: 'search' });
    expect(proveSudoku(puzzle, { maxBytes: 1 }).verdict).toBe('abstain');
  });
});

describe('malformed certificates', () => {
  const { puzzle, solution } = generateSudoku({ rng: new Rng(44) });
  const grid = formatGrid(solution);
  it.each([
    ['no kind', {}],
    ['an unknown kind', { kind: 'guess', grid }],
    ['no grid', { kind: 'solution' }],
    ['a grid with letters', { kind: 'solution', grid: grid.replace('1', 'x') }],
    ['a longer grid', { kind: 'solution', grid: `${grid}1` }],
    ['a grid with a line break', { kind: 'solution', grid: `${grid}\n` }],
    ['a tree that is no base64', { kind: 'unique', grid, tree: '%' }],
    ['no steps', { kind: 'trace', grid }],
    ['steps that are numbers', { kind: 'trace', grid, steps: [1, 2] }],
    ['one grid twice', { kind: 'several', grids: [grid, grid] }],
    ['one grid', { kind: 'several', grids: [grid] }],
  ])('rejects %s', (_, certificate) => {
    expect(checkCertificate(puzzle, JSON.parse(JSON.stringify(certificate)) as SudokuCertificate).ok).toBe(false);
  });

  it('rejects boards that are none', () => {
    expect(checkCertificate(new Uint8Array(80), { kind: 'solution', grid })).toMatchObject({ why: 'this is no board' });
    expect(checkCertificate([...puzzle].fill(-1, 0, 1), { kind: 'solution', grid }).ok).toBe(false);
  });
});

describe('traces', () => {
  it.each(sizes)('are accepted at size %i and fill in the solution', (n) => {
    const rng = new Rng(50 + n);
    let solved = 0;
    for (let i = 0; i < 250; i++) {
      const { puzzle, solution } = generateSudoku({ n, rng });
      const certificate = certifyTrace(puzzle);
      if (certificate === undefined) continue;
      solved++;
      expect(checkCertificate(puzzle, certificate)).toEqual({ ok: true });
      expect(certificate.kind === 'trace' && certificate.grid).toBe(formatGrid(solution));
    }
    expect(solved / 250).toBeGreaterThan(n === 9 ? 0.55 : 0.9);
  });

  it('lists the placed cells in order with what was used for each', () => {
    const { puzzle } = generateSudoku({ rng: new Rng(51), tier: 'locked' });
    const { steps, order, strategies } = traceSolve(puzzle);
    expect(order).toEqual(steps.flatMap((step) => (step.do === 'place' ? [step.cell] : [])));
    expect(strategies.length).toBe(order.length);
    expect(strategies.some((used) => used & (1 << 6))).toBe(true);
  });

  it('sees a contradiction instead of solving an impossible board', () => {
    const rng = new Rng(52);
    for (let i = 0; i < 50; i++) {
      const { puzzle, solution } = generateSudoku({ rng, redundancy: 'single' });
      const cell = puzzle.findIndex((value) => value !== 0);
      puzzle[cell] = (solution[cell]! % 9) + 1;
      expect(traceSolve(puzzle).solved).toBe(false);
      expect(certifyTrace(puzzle)).toBeUndefined();
    }
  });

  it('removes nothing that a solution needs, on boards with several solutions too', () => {
    const rng = new Rng(53);
    const used = new Set<number>();
    for (let i = 0; i < 300; i++) {
      const { puzzle } = generateSudoku({ rng });
      for (let k = i % 3; k > 0; k--) puzzle[rng.integer(81)] = 0;
      const grids = allSolutions(puzzle);
      for (const step of traceSolve(puzzle).steps) {
        used.add(step.by + (step.do === 'remove' && step.hidden ? 10 : 0));
        const holds =
          step.do === 'place'
            ? grids.every((grid) => grid[step.cell] === step.value)
            : step.removed.every(([cell, value]) => grids.every((grid) => grid[cell] !== value));
        expect(holds).toBe(true);
      }
    }
    for (const id of [2, 3, 6, 4, 5, 7, 14, 15]) expect(used).toContain(id);
  });

  it('uses the unique rectangle only when asked, and the checker refuses it', () => {
    const rng = new Rng(54);
    let found = 0;
    for (let i = 0; i < 300 && found < 3; i++) {
      const { puzzle, solution } = generateSudoku({ rng });
      const trace = traceSolve(puzzle, { strategies: [2, 3, 6, 4, 5, 7, 8] });
      const at = trace.steps.findIndex((step) => step.by === 8);
      expect(traceSolve(puzzle).steps.some((step) => step.by === 8)).toBe(false);
      if (at < 0) continue;
      found++;
      const step = trace.steps[at] as RemoveStep;
      for (const [cell, value] of step.removed) expect(solution[cell]).not.toBe(value);
      if (!trace.solved) continue;
      const result = checkCertificate(puzzle, { kind: 'trace', steps: trace.steps, grid: formatGrid(solution) });
      expect(result).toMatchObject({ ok: false, step: at });
    }
    expect(found).toBeGreaterThan(0);
  });
});

/** One random change of one field of one step. */
function flip(rng: Rng, step: Step): Step {
  const copy = JSON.parse(JSON.stringify(step)) as Record<string, unknown>;
  const fields = Object.keys(copy).filter((key) => key !== 'do');
  const field = fields[rng.integer(fields.length)]!;
  const other = (value: unknown): unknown => {
    if (Array.isArray(value)) {
      if (value.length === 0 || rng.bernoulli(0.15)) return [...(value as unknown[]), rng.integer(9)];
      if (rng.bernoulli(0.2)) return value.slice(1);
      const at = rng.integer(value.length);
      return value.map((item: unknown, i) => (i === at ? other(item) : item));
    }
    if (typeof value === 'boolean') return undefined;
    return rng.integer(
      field === 'by' ? 9 : field === 'cell' || field === 'cells' ? 81 : field.startsWith('unit') ? 27 : 10,
    );
  };
  copy[field] = other(copy[field]);
  if (copy[field] === undefined) delete copy[field];
  return JSON.parse(JSON.stringify(copy)) as Step;
}

describe('fuzz', () => {
  it('never lets a changed step through that a solution contradicts', () => {
    const rng = new Rng(60);
    let rejected = 0;
    let changedMeaning = 0;
    for (let i = 0; i < 1000; i++) {
      const { puzzle, solution } = generateSudoku({ rng, ...(i % 2 ? {} : { clues: 30 }) });
      const { steps } = traceSolve(puzzle);
      if (steps.length === 0) continue;
      // Weighted towards removals, which have most rules.
      const removals = [...steps.keys()].filter((k) => steps[k]!.do === 'remove');
      const at =
        removals.length > 0 && rng.bernoulli(0.7) ? removals[rng.integer(removals.length)]! : rng.integer(steps.length);
      const changed = steps.slice();
      changed[at] = flip(rng, steps[at]!);
      const result = checkCertificate(puzzle, { kind: 'trace', steps: changed, grid: formatGrid(solution) });
      const step = changed[at]!;
      const isPair = (pair: unknown): boolean => Array.isArray(pair) && pair.length >= 2;
      const sound =
        step.do === 'place'
          ? solution[step.cell] === step.value
          : Array.isArray(step.removed) && step.removed.every((pair) => isPair(pair) && solution[pair[0]] !== pair[1]);
      if (!sound) {
        changedMeaning++;
        expect(result.ok).toBe(false);
      }
      if (!result.ok) rejected++;
    }
    expect(changedMeaning).toBeGreaterThan(100);
    expect(rejected).toBeGreaterThan(500);
  });

  it('accepts no removal that a solution contradicts, among random removals', () => {
    const rng = new Rng(61);
    let accepted = 0;
    for (let i = 0; i < 150; i++) {
      const { puzzle, solution } = generateSudoku({ rng, clues: 30 });
      if (gradeSudoku(puzzle) === 'search') continue;
      const { steps } = traceSolve(puzzle);
      for (let k = 0; k < 20; k++) {
        const at = rng.integer(steps.length);
        const size = 2 + rng.integer(2);
        const from = rng.integer(27);
        const made: RemoveStep = {
          do: 'remove',
          by: ([4, 5, 6, 7] as const)[rng.integer(4)]!,
          cells: [...rng.choice(81, size)],
          values: [...rng.choice(9, size)].map((v) => v + 1),
          units: [from, rng.integer(27)].slice(0, 1 + rng.integer(2)),
          removed: [[rng.integer(81), 1 + rng.integer(9)]],
          ...(rng.bernoulli() ? { hidden: true as const } : {}),
        };
        const changed = [...steps.slice(0, at), made, ...steps.slice(at)];
        const result = checkCertificate(puzzle, { kind: 'trace', steps: changed, grid: formatGrid(solution) });
        const [cell, value] = made.removed[0]!;
        if (result.ok) accepted++;
        if (solution[cell] === value) expect(result.ok).toBe(false);
      }
    }
    expect(accepted).toBeLessThan(20);
  });
});

describe('certificates as text', () => {
  it('survive JSON', () => {
    const puzzle = parseGrid('53..7....6..195....98....6.8...6...34..8.3..17...2...6.6....28....419..5....8..79');
    const proof = proveSudoku(puzzle);
    if (proof.verdict !== 'unique') throw new Error('expected a unique board');
    const copy = JSON.parse(JSON.stringify(proof.certificate)) as SudokuCertificate;
    expect(checkCertificate(puzzle, copy)).toEqual({ ok: true });
    expect(proof.certificate).toEqual({
      kind: 'unique',
      grid: '534678912672195348198342567859761423426853791713924856961537284287419635345286179',
      tree: '/w==',
    });
  });
});
