// All modules and checkers of the board tasks, added to a mind.
import { CairnError } from '../../errors.ts';
import type { Mind } from '../mind.ts';
import { boardReader } from './read-board.ts';
import { digitReader, inkReader, type DigitClassifier } from './read-digit.ts';
import { boardChecker, boardSolver } from './solve-board.ts';
import { exactSolver, gridChecker, propagationSolver } from './solve-grid.ts';

/** A reader by its size: the last part of its module id. */
export interface SizedReader {
  readonly size: string;
  readonly classifier: DigitClassifier;
}

/**
 * @param readers smallest first; the last one is the most accurate
 * @param options.delta largest accepted probability that a proved board is not what is written; default 1e-3
 */
export function addBoardModules(
  mind: Mind,
  readers: readonly SizedReader[],
  options: { readonly delta?: number } = {},
): void {
  const largest = readers.at(-1);
  if (!largest)
    throw new CairnError('missing_model', 'Expected at least one digit reader, got none.', {
      hint: 'Train the readers, or pass some.',
    });
  mind.add(inkReader());
  for (const { size, classifier } of readers) mind.add(digitReader(size, classifier));
  mind.add(boardReader());
  mind.add(propagationSolver());
  mind.add(exactSolver());
  mind.add(
    boardSolver({ largest: { id: `read-digit/${largest.size}`, flop: largest.classifier.flopsPerInput }, ...options }),
  );
  mind.verify('solve-grid', gridChecker);
  mind.verify('solve-board', boardChecker);
}
