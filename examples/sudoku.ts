// A puzzle is generated, its only solution proved, and the proof replayed by a checker that shares no code with the solver.
import assert from 'node:assert/strict';
import { checkCertificate, formatGrid, generateSudoku, proveSudoku } from 'cairn/reason';
import { Rng } from 'cairn/tensor';

export async function main(): Promise<void> {
  const { puzzle, solution } = generateSudoku({ n: 9, rng: new Rng(7), clues: 'minimal' });
  const proof = proveSudoku(puzzle);
  assert.ok(proof.verdict === 'unique' && proof.certificate.kind === 'unique');
  const { certificate } = proof;
  assert.equal(certificate.grid, formatGrid(solution));
  assert.deepEqual(checkCertificate(puzzle, certificate), { ok: true });

  const forged = {
    ...certificate,
    grid: certificate.grid.replaceAll('1', 'x').replaceAll('2', '1').replaceAll('x', '2'),
  };
  assert.equal(checkCertificate(puzzle, forged).ok, false);
}
