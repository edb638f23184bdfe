// Tells a proof in words, step by step. The proof is made and checked afresh from the digits; nothing of it was stored but
// the search tree, and even that is not needed.
import { certifyTrace, checkCertificate, proveSudoku, type Step, type SudokuCertificate } from '../../reason/index.ts';
import { STEP_NAMES } from './_step-names.ts';
import { nameCell } from './solve-board.ts';
import type { ProofStepView } from './view.ts';

/** Steps of the proof of a proper puzzle; empty when it is none or the checker refuses. */
export function proofSteps(digits: Uint8Array, solver: string): ProofStepView[] {
  const proof = solver === 'propagation' ? certifyTrace(digits) : undefined;
  if (proof?.kind === 'trace') return checkCertificate(digits, proof).ok ? proof.steps.map(tellStep) : [];
  const verdict = proveSudoku(digits);
  if (verdict.verdict !== 'unique' || !checkCertificate(digits, verdict.certificate).ok) return [];
  return tellTree(verdict.certificate);
}

function tellStep(step: Step): ProofStepView {
  if (step.do === 'place') {
    const says =
      step.by === 2
        ? `${capital(nameCell(step.cell))} can only be ${step.value}: every other digit is seen by it.`
        : `In ${nameUnit(step.unit ?? 0)} only ${nameCell(step.cell)} can hold ${step.value}.`;
    return { says, cells: [step.cell], place: { cell: step.cell, digit: step.value } };
  }
  const where = step.units.length > 0 ? ` in ${step.units.map(nameUnit).join(' and ')}` : '';
  const digits = step.values.join(', ');
  const gone = step.removed.map(([cell, value]) => `${value} from ${nameCell(cell)}`).join(', ');
  return { says: `${capital(STEP_NAMES[step.by])} of ${digits}${where}: take ${gone}.`, cells: [...step.cells] };
}

function tellTree(proof: SudokuCertificate): ProofStepView[] {
  if (proof.kind !== 'unique') return [];
  const tree = Uint8Array.from(atob(proof.tree), (c) => c.charCodeAt(0));
  if (tree.length === 1) {
    return [{ says: 'Every cell follows from single candidates; no case had to be tried.', cells: [] }];
  }
  const branches = [...tree].filter((byte) => byte !== 255);
  const leaves = tree.length - branches.length;
  return [
    {
      says: `Single candidates are filled in until none is left; then all cases of a cell are tried: ${branches.length} times.`,
      cells: [],
    },
    ...branches.map((cell, i): ProofStepView => ({
      says: `Case distinction ${i + 1}: every candidate of ${nameCell(cell)} is tried.`,
      cells: [cell],
    })),
    { says: `Of ${leaves} cases one fills the board, and ${leaves - 1} end in a contradiction.`, cells: [] },
  ];
}

function nameUnit(unit: number): string {
  if (unit < 9) return `row ${unit + 1}`;
  if (unit < 18) return `column ${unit - 8}`;
  return `box ${unit - 17}`;
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
