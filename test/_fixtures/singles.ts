// Puzzles that naked and hidden singles solve, for the fixture service. Small and slow on purpose; the product has its own generator.

/** One deduction in words. */
export interface SinglesStep {
  readonly says: string;
  readonly cells: readonly number[];
  readonly place: { readonly cell: number; readonly digit: number };
}

const UNITS = Array.from({ length: 27 }, (_, u) => {
  const cells: number[] = [];
  for (let i = 0; i < 9; i++) {
    if (u < 9) cells.push(u * 9 + i);
    else if (u < 18) cells.push(i * 9 + (u - 9));
    else cells.push((Math.floor((u - 18) / 3) * 3 + Math.floor(i / 3)) * 9 + ((u - 18) % 3) * 3 + (i % 3));
  }
  return cells;
});

function unitName(u: number): string {
  return u < 9 ? `row ${u + 1}` : u < 18 ? `column ${u - 8}` : `box ${u - 17}`;
}

function cellName(cell: number): string {
  return `row ${Math.floor(cell / 9) + 1}, column ${(cell % 9) + 1}`;
}

/** Solves by singles as far as they reach. */
export function solveBySingles(puzzle: readonly number[]): { readonly grid: number[]; readonly steps: SinglesStep[] } {
  const grid = [...puzzle];
  const steps: SinglesStep[] = [];
  const fits = (cell: number, digit: number): boolean =>
    grid[cell] === 0 && UNITS.every((unit) => !unit.includes(cell) || unit.every((c) => grid[c] !== digit));
  for (let progress = true; progress;) {
    progress = false;
    for (let cell = 0; cell < 81; cell++) {
      const digits = [1, 2, 3, 4, 5, 6, 7, 8, 9].filter((d) => fits(cell, d));
      if (digits.length !== 1) continue;
      grid[cell] = digits[0]!;
      steps.push({
        says: `${digits[0]} is the only digit left for ${cellName(cell)}.`,
        cells: [cell],
        place: { cell, digit: digits[0]! },
      });
      progress = true;
    }
    for (let u = 0; u < 27; u++) {
      for (let digit = 1; digit <= 9; digit++) {
        const places = UNITS[u]!.filter((cell) => fits(cell, digit));
        if (places.length !== 1) continue;
        grid[places[0]!] = digit;
        steps.push({
          says: `${digit} fits only at ${cellName(places[0]!)} in ${unitName(u)}.`,
          cells: [places[0]!],
          place: { cell: places[0]!, digit },
        });
        progress = true;
      }
    }
  }
  return { grid, steps };
}

/** A puzzle with about `clues` givens that singles solve. */
export function easyPuzzle(
  random: () => number,
  clues: number,
): { readonly puzzle: number[]; readonly solution: number[] } {
  const shuffled = <T>(items: readonly T[]): T[] => {
    const out = [...items];
    for (let i = out.length - 1; i > 0; i--) {
      const j = Math.floor(random() * (i + 1));
      [out[i], out[j]] = [out[j]!, out[i]!];
    }
    return out;
  };
  const lines = (): number[] => shuffled([0, 1, 2]).flatMap((band) => shuffled([0, 1, 2]).map((i) => band * 3 + i));
  const rows = lines();
  const columns = lines();
  const digits = shuffled([1, 2, 3, 4, 5, 6, 7, 8, 9]);
  const solution = rows.flatMap((r) => columns.map((c) => digits[(r * 3 + Math.floor(r / 3) + c) % 9]!));
  const puzzle = [...solution];
  let left = 81;
  for (const cell of shuffled(Array.from({ length: 81 }, (_, i) => i))) {
    if (left <= clues) break;
    const kept = puzzle[cell]!;
    puzzle[cell] = 0;
    if (solveBySingles(puzzle).grid.includes(0)) puzzle[cell] = kept;
    else left--;
  }
  return { puzzle, solution };
}
