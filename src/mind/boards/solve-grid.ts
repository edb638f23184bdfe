// The solvers of a grid: `propagation` reasons step by step like a person and gives up where search is needed; `exact`
// searches and proves its verdict with a tree. Both prove that there is no other solution; a checker of its own replays them.
import { certifyTrace, checkCertificate, parseGrid, proveSudoku, type SudokuCertificate } from '../../reason/index.ts';
import type { Checker } from '../engine.ts';
import type { Json, Module } from '../module.ts';

/** [81] 0 empty, 1..9. */
export type Grid81 = Uint8Array;

/** What is proved about a grid. */
export type GridVerdict =
  | { readonly verdict: 'unique'; readonly solution: Grid81 }
  | { readonly verdict: 'unsolvable' }
  | { readonly verdict: 'several' };

/** Strategies of the quick solver: naked and hidden singles, locked candidates, pairs, triplets, XY-wings. */
export function propagationSolver(): Module<Grid81, GridVerdict> {
  return {
    id: 'solve-grid/propagation',
    task: 'solve-grid',
    // Milliseconds on one ordinary core; the order matters, not the unit.
    cost: { unit: 'ms', amount: 0.02 },
    async run(grid) {
      const certificate = certifyTrace(grid);
      if (!certificate || certificate.kind !== 'trace') {
        return { output: undefined, attributes: new Float32Array(3), usage: { flop: 0 }, note: 'needs search' };
      }
      return verdictAnswer({ verdict: 'unique', solution: parseGrid(certificate.grid) }, certificate);
    },
  };
}

export function exactSolver(): Module<Grid81, GridVerdict> {
  return {
    id: 'solve-grid/exact',
    task: 'solve-grid',
    cost: { unit: 'ms', amount: 0.03 },
    async run(grid) {
      const proof = proveSudoku(grid);
      if (proof.verdict === 'abstain') {
        return {
          output: undefined,
          attributes: new Float32Array(3),
          usage: { flop: 0 },
          note: `the proof would take more than ${proof.maxBytes} bytes`,
        };
      }
      const verdict: GridVerdict =
        proof.verdict === 'unique' ? { verdict: 'unique', solution: proof.solution } : { verdict: proof.verdict };
      return verdictAnswer(verdict, proof.certificate);
    },
  };
}

/** Replays the certificate with the independent checker; a verdict without proof does not count. */
export const gridChecker: Checker<Grid81, GridVerdict> = {
  required: true,
  check(grid, output, certificate) {
    if (certificate.kind !== 'sudoku') return `a certificate of kind '${certificate.kind}' says nothing about a grid`;
    const proof: unknown = certificate.data;
    if (!isSudokuCertificate(proof)) return 'the certificate is malformed';
    const proves = proof.kind === 'trace' || proof.kind === 'unique' ? 'unique' : proof.kind;
    if (proves !== output.verdict) return `a certificate '${proof.kind}' does not prove '${output.verdict}'`;
    if (output.verdict === 'unique' && 'grid' in proof && proof.grid !== output.solution.join(''))
      return 'the certificate is for another solution';
    const result = checkCertificate(grid, proof);
    return result.ok ? null : `step ${result.step}: ${result.why}`;
  },
};

/** Whether plain data has the outline of a certificate; the checker decides the rest. */
export function isSudokuCertificate(value: unknown): value is SudokuCertificate {
  return (
    typeof value === 'object' &&
    value !== null &&
    'kind' in value &&
    ['trace', 'unique', 'unsolvable', 'several'].includes(String(value.kind))
  );
}

function verdictAnswer(
  output: GridVerdict,
  proof: SudokuCertificate,
): Awaited<ReturnType<Module<Grid81, GridVerdict>['run']>> {
  const attributes = new Float32Array(3);
  attributes[['unique', 'unsolvable', 'several'].indexOf(output.verdict)] = 1;
  return {
    output,
    attributes,
    confidence: 1,
    certificate: { kind: 'sudoku', data: toJson(proof) },
    usage: { flop: 0 },
  };
}

/** A certificate is plain data already; this only says so to the compiler. */
function toJson(proof: SudokuCertificate): Json {
  return proof as { readonly [key: string]: Json };
}
