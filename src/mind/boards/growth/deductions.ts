// The proof of a board as chains of deductions: each step follows the latest one that it could not have been made without.
// The chains are streams of symbols in which patterns recur; the order in which a solver scans the board is not in them.
import { certifyTrace, type PlaceStep, type RemoveStep, type Step } from '../../../reason/index.ts';
import type { StreamSource } from '../../growth/index.ts';
import { STEP_NAMES } from '../_step-names.ts';
import { provedDigits } from './proved-digits.ts';

/** Streams of deductions of remembered boards that were proved step by step. */
export function deductionStreams(): StreamSource {
  return {
    name: 'deductions',
    about: 'chains of deductions, each made possible by the one before',
    streamsOf: (event) => {
      const digits = provedDigits(event);
      const proof = digits && certifyTrace(digits);
      return proof?.kind === 'trace' ? chainsOf(proof.steps) : [];
    },
  };
}

/**
 * Cuts steps into chains: a chain goes on with the first step that the last one made possible; other steps that it made
 * possible begin chains of their own. Every step is in exactly one chain.
 *
 * @example
 * chainsOf(steps)[0]; // ['only candidate, at once', 'only candidate, by row', 'only place in box, by column']
 */
export function chainsOf(steps: readonly Step[]): string[][] {
  const enabler = steps.map((step, j) => {
    for (let i = j - 1; i >= 0; i--) if (enables(steps[i]!, step)) return i;
    return -1;
  });
  const next = new Map<number, number>();
  enabler.forEach((i, j) => {
    if (i >= 0 && !next.has(i)) next.set(i, j);
  });
  const goesOn = new Set(next.values());
  const chains: string[][] = [];
  steps.forEach((_, first) => {
    if (goesOn.has(first)) return;
    const chain: string[] = [];
    for (let j: number | undefined = first; j !== undefined; j = next.get(j)) {
      const i = enabler[j]!;
      chain.push(symbolOf(steps[j]!, i < 0 ? undefined : steps[i]));
    }
    chains.push(chain);
  });
  return chains;
}

/** Whether a later step would have looked otherwise without an earlier one. */
function enables(earlier: Step, later: Step): boolean {
  if (earlier.do === 'place') return touchesPlaced(earlier, later);
  return earlier.removed.some(([cell, value]) => touches(cell, value, later));
}

/** A placed digit takes itself from all cells that see it, and every other digit from its own cell. */
function touchesPlaced(earlier: PlaceStep, later: Step): boolean {
  if (later.do === 'remove') return later.cells.some((cell) => sees(cell, earlier.cell));
  if (later.by === 2) return sees(later.cell, earlier.cell);
  const unit = later.unit ?? 0;
  if (isIn(earlier.cell, unit)) return true;
  return earlier.value === later.value && cellsOfUnit(unit).some((cell) => sees(cell, earlier.cell));
}

/** Whether a removed candidate mattered to a step. */
function touches(cell: number, value: number, later: Step): boolean {
  if (later.do === 'remove') return later.cells.includes(cell);
  if (later.by === 2) return cell === later.cell;
  return value === later.value && isIn(cell, later.unit ?? 0);
}

function symbolOf(step: Step, by: Step | undefined): string {
  const name = step.do === 'place' ? placeName(step) : removeName(step);
  if (by === undefined) return `${name}, at once`;
  if (by.do === 'remove') return `${name}, by ${STEP_NAMES[by.by]}`;
  const at = step.do === 'place' ? [step.cell] : step.cells;
  const shared = (['row', 'column', 'box'] as const).find((kind) =>
    at.some((cell) => unitOf(cell, kind) === unitOf(by.cell, kind)),
  );
  return `${name}, by ${shared ?? 'elsewhere'}`;
}

function placeName(step: PlaceStep): string {
  if (step.by === 2) return STEP_NAMES[2];
  const unit = step.unit ?? 0;
  return `${STEP_NAMES[3]} in ${unit < 9 ? 'row' : unit < 18 ? 'column' : 'box'}`;
}

function removeName(step: RemoveStep): string {
  return step.hidden === true ? `hidden ${STEP_NAMES[step.by]}` : STEP_NAMES[step.by];
}

function unitOf(cell: number, kind: 'row' | 'column' | 'box'): number {
  if (kind === 'row') return Math.floor(cell / 9);
  if (kind === 'column') return cell % 9;
  return 3 * Math.floor(cell / 27) + Math.floor((cell % 9) / 3);
}

function isIn(cell: number, unit: number): boolean {
  if (unit < 9) return unitOf(cell, 'row') === unit;
  if (unit < 18) return unitOf(cell, 'column') === unit - 9;
  return unitOf(cell, 'box') === unit - 18;
}

function sees(a: number, b: number): boolean {
  return (['row', 'column', 'box'] as const).some((kind) => unitOf(a, kind) === unitOf(b, kind));
}

const cellsOfUnit = (unit: number): number[] => ALL_CELLS.filter((cell) => isIn(cell, unit));
const ALL_CELLS = Array.from({ length: 81 }, (_, cell) => cell);
