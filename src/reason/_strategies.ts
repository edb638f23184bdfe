// The eliminating strategies of the human-style solver: locked candidates, naked and hidden subsets, XY-wing and the unique
// rectangle. Each scans cells, units and digits in ascending order and returns its first step that removes something.
import type { Geometry } from './geometry.ts';
import type { RemoveStep } from './types.ts';

/** Candidate masks of a board: bit value - 1 is set when the value is possible. */
export type Candidates = Uint16Array;

type Removed = [cell: number, value: number][];

/** Number of bits of a nine-bit mask. */
export const bitCount = Uint8Array.from({ length: 512 }, (_, mask) => {
  let count = 0;
  for (let m = mask; m; m &= m - 1) count++;
  return count;
});

/** The values of a mask, ascending. */
export function valuesOf(mask: number): number[] {
  const values: number[] = [];
  for (let m = mask; m; m &= m - 1) values.push(32 - Math.clz32(m & -m));
  return values;
}

/** Strategy 6: all places of a digit in one unit lie in a second one (box and line), so the rest of the second loses it. */
export function findLocked(g: Geometry, cand: Candidates): RemoveStep | undefined {
  const { n } = g;
  for (let box = 2 * n; box < 3 * n; box++) {
    const step = lockedFrom(g, cand, box);
    if (step !== undefined) return step;
  }
  for (let line = 0; line < 2 * n; line++) {
    const step = lockedFrom(g, cand, line);
    if (step !== undefined) return step;
  }
  return undefined;
}

function lockedFrom(g: Geometry, cand: Candidates, from: number): RemoveStep | undefined {
  const { n, units, unitsOf } = g;
  const home = units[from]!;
  for (let value = 1; value <= n; value++) {
    const bit = 1 << (value - 1);
    let shared = -1;
    let count = 0;
    for (let i = 0; i < n; i++) {
      const cell = home[i]!;
      if ((cand[cell]! & bit) === 0) continue;
      count++;
      let bits = 0;
      for (let k = 0; k < 3; k++) bits |= 1 << unitsOf[cell]![k]!;
      shared &= bits;
    }
    shared &= ~(1 << from);
    if (count < 2 || shared === 0) continue;
    for (let to = 0; to < 3 * n; to++) {
      if ((shared & (1 << to)) === 0) continue;
      const removed: Removed = [];
      for (const cell of units[to]!) {
        if ((cand[cell]! & bit) !== 0 && !unitsOf[cell]!.includes(from)) removed.push([cell, value]);
      }
      if (removed.length === 0) continue;
      const cells = [...home].filter((cell) => cand[cell]! & bit);
      return { do: 'remove', by: 6, cells, values: [value], units: [from, to], removed };
    }
  }
  return undefined;
}

/** Strategies 4 (size 2) and 5 (size 3): naked subsets of every unit first, then hidden ones. */
export function findSubset(g: Geometry, cand: Candidates, size: 2 | 3): RemoveStep | undefined {
  for (let unit = 0; unit < 3 * g.n; unit++) {
    const step = nakedSubset(g, cand, unit, size);
    if (step !== undefined) return step;
  }
  for (let unit = 0; unit < 3 * g.n; unit++) {
    const step = hiddenSubset(g, cand, unit, size);
    if (step !== undefined) return step;
  }
  return undefined;
}

/** Calls `test` with the union and the indices of every subset of `size` masks whose union has `size` bits. */
function closedSubset<T>(
  masks: readonly number[],
  size: 2 | 3,
  test: (union: number, chosen: number[]) => T | undefined,
): T | undefined {
  for (let i = 0; i < masks.length; i++) {
    for (let j = i + 1; j < masks.length; j++) {
      const two = masks[i]! | masks[j]!;
      if (bitCount[two]! > size) continue;
      if (size === 2) {
        const result = bitCount[two] === 2 ? test(two, [i, j]) : undefined;
        if (result !== undefined) return result;
        continue;
      }
      for (let k = j + 1; k < masks.length; k++) {
        const three = two | masks[k]!;
        const result = bitCount[three] === 3 ? test(three, [i, j, k]) : undefined;
        if (result !== undefined) return result;
      }
    }
  }
  return undefined;
}

function nakedSubset(g: Geometry, cand: Candidates, unit: number, size: 2 | 3): RemoveStep | undefined {
  const members = g.units[unit]!;
  const cells: number[] = [];
  for (const cell of members) {
    const count = bitCount[cand[cell]!]!;
    if (count >= 2 && count <= size) cells.push(cell);
  }
  if (cells.length < size) return undefined;
  const masks = cells.map((cell) => cand[cell]!);
  return closedSubset(masks, size, (union, chosen) => {
    const pattern = chosen.map((i) => cells[i]!);
    const removed: Removed = [];
    for (const cell of members) {
      if (pattern.includes(cell)) continue;
      for (const value of valuesOf(cand[cell]! & union)) removed.push([cell, value]);
    }
    if (removed.length === 0) return undefined;
    return {
      do: 'remove',
      by: size === 2 ? 4 : 5,
      cells: pattern,
      values: valuesOf(union),
      units: [unit],
      removed,
    } as const;
  });
}

function hiddenSubset(g: Geometry, cand: Candidates, unit: number, size: 2 | 3): RemoveStep | undefined {
  const members = g.units[unit]!;
  const values: number[] = [];
  const places: number[] = [];
  for (let value = 1; value <= g.n; value++) {
    let mask = 0;
    for (let i = 0; i < g.n; i++) if (cand[members[i]!]! & (1 << (value - 1))) mask |= 1 << i;
    if (bitCount[mask]! >= 2 && bitCount[mask]! <= size) {
      values.push(value);
      places.push(mask);
    }
  }
  if (values.length < size) return undefined;
  return closedSubset(places, size, (union, chosen) => {
    const digits = chosen.map((i) => values[i]!);
    const bits = digits.reduce((mask, value) => mask | (1 << (value - 1)), 0);
    const cells = valuesOf(union).map((place) => members[place - 1]!);
    const removed: Removed = [];
    for (const cell of cells) for (const value of valuesOf(cand[cell]! & ~bits)) removed.push([cell, value]);
    if (removed.length === 0) return undefined;
    return {
      do: 'remove',
      by: size === 2 ? 4 : 5,
      cells,
      values: digits,
      units: [unit],
      hidden: true,
      removed,
    } as const;
  });
}

/** Strategy 7: pivot {x,y} sees {x,z} and {y,z}; a cell that sees both wings cannot be z. */
export function findWing(g: Geometry, cand: Candidates): RemoveStep | undefined {
  const { peers } = g;
  for (let pivot = 0; pivot < cand.length; pivot++) {
    const xy = cand[pivot]!;
    if (bitCount[xy] !== 2) continue;
    const wings = [...peers[pivot]!].filter((c) => bitCount[cand[c]!] === 2 && bitCount[cand[c]! & xy] === 1);
    for (let i = 0; i < wings.length; i++) {
      for (let j = i + 1; j < wings.length; j++) {
        const a = wings[i]!;
        const b = wings[j]!;
        const z = cand[a]! & cand[b]! & ~xy;
        if (z === 0 || (cand[a]! & cand[b]! & xy) !== 0) continue;
        const removed: Removed = [];
        for (const cell of peers[a]!) {
          if (cell !== b && (cand[cell]! & z) !== 0 && peers[b]!.includes(cell)) removed.push([cell, valuesOf(z)[0]!]);
        }
        if (removed.length === 0) continue;
        const values = [cand[a]! & xy, cand[b]! & xy, z].map((bit) => valuesOf(bit)[0]!);
        return { do: 'remove', by: 7, cells: [pivot, a, b], values, units: [], removed };
      }
    }
  }
  return undefined;
}

/**
 * Strategy 8, unique rectangle type 1: four cells in two rows, two columns and two boxes, none a clue; three hold exactly
 * {x,y}, so the fourth cannot. Sound only for a board that is known to have one solution.
 */
export function findRectangle(g: Geometry, cand: Candidates, clues: ArrayLike<number>): RemoveStep | undefined {
  const { n, unitsOf } = g;
  for (let first = 0; first < cand.length; first++) {
    for (let last = first + n; last < cand.length; last++) {
      if (last % n === first % n) continue;
      const row = first - (first % n);
      const cells = [first, row + (last % n), last - (last % n) + (first % n), last];
      if (new Set(cells.map((cell) => unitsOf[cell]![2]!)).size !== 2 || cells.some((cell) => clues[cell] !== 0))
        continue;
      for (const odd of cells) {
        const rest = cells.filter((cell) => cell !== odd);
        const xy = cand[rest[0]!]!;
        if (bitCount[xy] !== 2 || rest.some((cell) => cand[cell] !== xy) || (cand[odd]! & xy) !== xy) continue;
        const values = valuesOf(xy);
        const removed = values.map((value): [number, number] => [odd, value]);
        return { do: 'remove', by: 8, cells: [...rest, odd], values, units: [], removed };
      }
    }
  }
  return undefined;
}
