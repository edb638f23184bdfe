// Sudoku boards under erasure: 81 one-hot cells in one sketch, read from fewer and fewer of its numbers.
import { encode, expectedGroups, type Obj, quantise, toBytes, truncate, unroll } from 'cairn/sketch';
import type { Rng } from 'cairn/tensor';
import type { Cell, LabOptions, Part } from '../report.ts';
import { mean, specOf, unitAttributes } from './scenes.ts';

/** A valid Sudoku grid with some cells left blank, as it is read: 0 is a blank. */
function sudoku(rng: Rng): number[] {
  const digits = rng.permutation(9);
  const order = (): number[] =>
    [...rng.permutation(3)].flatMap((band) => [...rng.permutation(3)].map((k) => 3 * band + k));
  const rows = order();
  const columns = order();
  const givens = 27 + rng.integer(9);
  const shown = new Set(rng.choice(81, givens));
  return Array.from({ length: 81 }, (_, i) => {
    const r = rows[Math.floor(i / 9)]!;
    const c = columns[i % 9]!;
    return shown.has(i) ? digits[(r * 3 + Math.floor(r / 3) + c) % 9]! + 1 : 0;
  });
}

/** The event of reading and solving a board: 81 one-hot cells below two objects with real attributes. */
function boardEvent(rng: Rng, cells: readonly number[]): Obj {
  const prior = [50 / 81, ...Array.from({ length: 9 }, () => 31 / 81 / 9)];
  const groups = [{ start: 0, size: 10, prior }];
  const inputs = cells.map((digit) => {
    const attributes = new Float32Array(10);
    attributes[digit] = 1;
    return { object: { module: 'read-digit', attributes, groups }, weight: 1 / 81 };
  });
  const read = { module: 'read-board', attributes: unitAttributes(rng, 4), inputs };
  return { module: 'solve-board', attributes: unitAttributes(rng, 6), inputs: [{ object: read, weight: 1 }] };
}

/** Boards from all, half, a quarter and less of their numbers: cells right, cells predicted right, and who admits guessing. */
export function boards(rng: Rng, seed: number, count: number, plot: LabOptions['plot']): Part {
  const spec = specOf(1024, seed);
  const stops = [1024, 512, 256, 192, 160, 128, 96, 64, 32];
  const events = Array.from({ length: count }, (_, k) => {
    const cells = sudoku(rng.fork(k));
    return { cells, event: encode(boardEvent(rng.fork(k).fork('attributes'), cells), spec, { how: 'compiled' }) };
  });
  const { structure } = events[0]!.event;
  const bytes = toBytes(quantise(events[0]!.event)).length;
  const rows: Cell[][] = [];
  const measured: [number, number][] = [];
  const predicted: [number, number][] = [];
  const bars: number[] = [];
  const shares = new Map<number, { right: number; foreseen: number; whole: number }>();
  let silent = 0;
  for (const kept of stops) {
    const before = expectedGroups(spec, structure, { kept, samples: 48, seed });
    const share: number[] = [];
    let said = 0;
    let whole = 0;
    let guessing = 0;
    for (const { cells, event } of events) {
      const read = unroll(truncate(quantise(event), kept), structure);
      const found = read.outputs[0]!.inputs[0]!.inputs;
      const right = found.filter((c, i) => c.groups[0]!.chosen === cells[i]).length;
      share.push(right / 81);
      said += read.expectedRight! / count;
      if (right === 81) whole++;
      if (read.guessing) guessing++;
      else if (right < 81) silent++;
    }
    const right = mean(share);
    const spread = Math.sqrt(mean(share.map((v) => (v - right) ** 2)) / Math.max(1, count - 1));
    shares.set(kept, { right, foreseen: before.right, whole });
    rows.push([kept, kept + bytes - 1024, right, before.right, before.error, said, whole / count, guessing / count]);
    measured.push([kept, right]);
    predicted.push([kept, before.right]);
    bars.push(2 * spread);
  }
  const all = shares.get(1024)!;
  const half = shares.get(512)!;
  const quarter = shares.get(256)!;
  const farthest = Math.max(
    ...[192, 160, 128, 96, 64, 32].map((k) => Math.abs(shares.get(k)!.right - shares.get(k)!.foreseen)),
  );
  plot('boards-under-erasure', {
    title: 'Cells of a board that come back',
    x: { label: 'numbers kept of 1,024 (8 bits each)' },
    y: { label: 'share right' },
    curves: [
      { name: 'measured (± 2 standard errors)', points: measured, bars },
      { name: 'predicted before any data', points: predicted, dashed: true },
    ],
  });
  return {
    claims: [
      {
        id: 'board-bytes',
        says: 'A board with 81 cells and its solution event is one sketch of constant size.',
        kind: 'identity',
        value: bytes,
        target: '<= 1,280 bytes with its header',
        holds: bytes <= 1280,
      },
      {
        id: 'board-whole',
        says: 'Every cell of every board comes back from the whole 8-bit sketch.',
        kind: 'measured',
        value: all.whole,
        baseline: count,
        target: `${count} of ${count} boards`,
        holds: all.whole === count,
      },
      {
        id: 'board-half',
        says: 'From half of the numbers the cells come back, as predicted before any data.',
        kind: 'measured',
        value: half.right,
        baseline: half.foreseen,
        target: '>= 0.99 right and within 0.02 of the prediction',
        holds: half.right >= 0.99 && Math.abs(half.right - half.foreseen) <= 0.02,
      },
      {
        id: 'board-quarter',
        says: 'The same from a quarter of the numbers.',
        kind: 'measured',
        value: quarter.right,
        baseline: quarter.foreseen,
        target: '>= 0.99 right and within 0.02 of the prediction',
        holds: quarter.right >= 0.99 && Math.abs(quarter.right - quarter.foreseen) <= 0.02,
      },
      {
        id: 'erasure-foreseen',
        says: 'Down to 32 numbers, through the point where recovery breaks down, the share of cells right is foreseen.',
        kind: 'measured',
        value: farthest,
        target: 'largest difference to the prediction <= 0.12 (about 3.5 standard errors at this number of boards)',
        holds: farthest <= 0.12,
      },
      {
        id: 'guesses-are-admitted',
        says: 'A reading that does not say it guesses has every cell right.',
        kind: 'measured',
        value: silent,
        target: '0 wrong boards without a word',
        holds: silent === 0,
      },
    ],
    tables: [
      {
        title: `${count} Sudoku boards, d = 1,024, 8 bits: share of cells right after erasure`,
        columns: [
          'kept',
          'bytes',
          'right',
          'foreseen',
          '± foreseen',
          'claimed by the reading',
          'whole boards',
          'says it guesses',
        ],
        rows,
      },
    ],
  };
}
