// Rebuilds a board from the first numbers of its sketch and from nothing else, with what was to be expected beforehand.
import { CairnError } from '../../errors.ts';
import type { StoredEvent } from '../../memory/index.ts';
import { solveUnique } from '../../reason/index.ts';
import { expectedGroups, storedBytes, truncate, unroll, type Unrolled } from '../../sketch/index.ts';
import { CELLS, CLASSES } from './cells.ts';
import type { ErasureView } from './view.ts';

/** The digits of an unrolled board: [81]; undefined when the event is of another shape. */
export function digitsOf(unrolled: Unrolled): Uint8Array | undefined {
  const cells = cellObjects(unrolled);
  return cells && Uint8Array.from(cells, (cell) => cell.groups[0]?.chosen ?? 0);
}

function cellObjects(unrolled: Unrolled): Unrolled['outputs'] | undefined {
  const cells = unrolled.outputs[0]?.inputs[0]?.inputs;
  return cells?.length === CELLS ? cells : undefined;
}

/**
 * @param event a stored board
 * @param keep numbers to keep; rounded down to a multiple of 32, at most what is there
 * @param whole [81] digits decoded from all that is stored
 * @throws CairnError `bad_keep`, `not_a_board`
 */
export function eraseView(event: StoredEvent, keep: number, whole: Uint8Array): ErasureView {
  if (!Number.isFinite(keep) || keep < 1) {
    throw new CairnError('bad_keep', `Expected at least 1 number to keep, got ${keep}.`, {
      hint: `Keep between 32 and ${event.sketch.kept}.`,
    });
  }
  const kept = Math.min(event.sketch.kept, Math.max(32, Math.floor(keep / 32) * 32));
  const sketch = kept === event.sketch.kept ? event.sketch : truncate(event.sketch, kept);
  const unrolled = unroll(sketch, event.structure);
  const objects = cellObjects(unrolled);
  if (!objects)
    throw new CairnError('not_a_board', 'Expected the event of a board, got another event.', {
      hint: 'Only boards can be rebuilt cell by cell.',
    });
  const cells = objects.map((object, cell) => {
    const group = object.groups[0];
    const digit = group?.chosen ?? 0;
    return { digit, confidence: group?.confidence ?? 0, right: digit === whole[cell] };
  });
  const digits = Uint8Array.from(cells, (cell) => cell.digit);
  const before = solveUnique(whole);
  const after = solveUnique(digits);
  const { spec } = event.sketch;
  const expectedRight = expectedGroups(spec, event.structure, { kept, samples: 12 }).right;
  return {
    id: event.id,
    kept,
    dims: spec.dim,
    bytes: storedBytes(spec.store, kept),
    how: unrolled.guessing
      ? 'most probable digits; too few numbers are left to settle them'
      : 'most probable digits, settled by the numbers that are left',
    cells,
    right: cells.filter((cell) => cell.right).length / CELLS,
    expectedRight,
    expectedError: Math.sqrt((2 / CLASSES) * (1 - expectedRight)),
    solutionSurvives: before !== undefined && after !== undefined && before.every((digit, i) => digit === after[i]),
  };
}
