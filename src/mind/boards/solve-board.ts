// Solves a board from its picture: read, find the one consistent board that was meant, prove it. Doubtful cells go to the
// largest reader, then to the most probable alternatives; what is still doubtful is withheld with the reason.
import { checkCertificate, repairReading, type RepairWithheld } from '../../reason/index.ts';
import type { Checker } from '../engine.ts';
import type { Answer, Call, Json, Module, Reply, TraceNode } from '../module.ts';
import {
  CELLS,
  cellsOf,
  CLASSES,
  oneHotDigit,
  type BoardPicture,
  type BoardReading,
  type DigitReading,
} from './cells.ts';
import { checksumOf, encodePayload } from './payload.ts';
import { isSudokuCertificate, type GridVerdict } from './solve-grid.ts';

/** What is answered about a board. */
export interface BoardAnswer {
  readonly status: 'proved' | 'withheld';
  /** [81] the digits as finally taken. */
  readonly digits: Uint8Array;
  /** [81], null when withheld. */
  readonly solution: Uint8Array | null;
  readonly reason: string | null;
}

export interface SolveBoardOptions {
  /** Id of the most accurate reader, and its cost per cell. */
  readonly largest: { readonly id: string; readonly flop: number };
  /** Largest accepted probability that a board answered as proved was not the one that was written. Default 1e-3. */
  readonly delta?: number;
}

/** Everything that changes while one board is worked on. */
interface Work {
  readonly call: Call;
  readonly cells: readonly TraceNode[];
  readonly digits: Uint8Array;
  readonly probabilities: Float32Array;
  readonly escalated: number[];
  readonly repairs: { cell: number; from: number; probability: number }[];
}

export function boardSolver(options: SolveBoardOptions): Module<BoardPicture, BoardAnswer> {
  const delta = options.delta ?? 1e-3;
  return {
    id: 'solve-board/read-and-prove',
    task: 'solve-board',
    cost: { unit: 'flop', amount: 0 },
    async run(picture, call) {
      const read = await call.ask<BoardReading>('read-board', picture);
      if (!read.output) {
        const note = read.reason ?? 'the board could not be read';
        return { output: undefined, attributes: new Float32Array(3), usage: { flop: 0 }, note };
      }
      const work: Work = {
        call,
        cells: read.trace.inputs.map((input) => input.node),
        digits: Uint8Array.from(read.output.digits),
        probabilities: Float32Array.from(read.output.probabilities),
        escalated: [],
        repairs: [],
      };
      const state = await settle(work, picture, options.largest.id, delta);
      work.cells.forEach((node, cell) => {
        const digit = work.digits[cell]!;
        if (node.attributes[digit] !== 1) call.amend(node, oneHotDigit(digit));
      });
      return toAnswer(work, state, options.largest.flop);
    },
  };
}

/** What is known in the end. */
interface State {
  readonly reply: Reply<GridVerdict> | undefined;
  readonly posterior: number;
  /** '' when proved. */
  readonly reason: string;
}

/** Finds the one board that was meant; reads doubtful cells again with the largest reader while that may help; proves it. */
async function settle(work: Work, picture: BoardPicture, largest: string, delta: number): Promise<State> {
  const clues = work.digits.reduce((n, d) => n + (d === 0 ? 0 : 1), 0);
  if (clues < 17) {
    const reason = `only ${clues} digits were found, and no Sudoku with fewer than 17 has one solution`;
    return { reply: undefined, posterior: 0, reason };
  }
  let found = repairReading(work.probabilities, { delta });
  // First the cells under suspicion, then, if that does not settle it, all others.
  for (const cells of [
    (): readonly number[] => (found.status === 'withheld' ? found.suspects : []),
    (): number[] => [...work.digits.keys()],
  ]) {
    if (found.status === 'withheld' && (await escalate(work, picture, largest, cells()))) {
      found = repairReading(work.probabilities, { delta });
    }
  }
  const { posterior } = found;
  if (found.status === 'withheld') return { reply: undefined, posterior, reason: tellWhy(found) };
  applyRepair(work, found.board);
  const reply = await work.call.ask<GridVerdict>('solve-grid', Uint8Array.from(work.digits), 0);
  const proved = reply.proved && reply.output?.verdict === 'unique';
  return {
    reply,
    posterior,
    reason: proved ? '' : (reply.reason ?? 'no solver could prove that the solution is the only one'),
  };
}

/** Why a board is withheld, in one sentence. */
function tellWhy(found: RepairWithheld): string {
  const [best, rival] = found.consistent;
  if (found.reason === 'ambiguous' && best && rival) {
    const cell = best.board.findIndex((digit, i) => digit !== rival.board[i]);
    return `more than one reading is consistent: ${nameCell(cell)} may be ${best.board[cell]!} or ${rival.board[cell]!}`;
  }
  const suspect = found.suspects[0];
  const where = suspect === undefined ? '' : `; the most doubtful is ${nameCell(suspect)}`;
  if (found.reason === 'inconsistent')
    return `no way to read the doubtful cells gives a board with one solution${where}`;
  if (found.reason === 'unverified') return `too many ways to read the cells are left unchecked${where}`;
  return 'the proof of the solution would be longer than allowed';
}

/** Share of the earlier reading in the pooled one: two readers seldom make the same mistake, and one alone is too sure. */
const EARLIER = 0.25;

/** Asks the largest reader for the cells it has not seen and pools both readings; true when it saw any. */
async function escalate(
  work: Work,
  picture: BoardPicture,
  largest: string,
  suspects: readonly number[],
): Promise<boolean> {
  const cells = suspects.filter(
    (cell) => work.digits[cell] !== 0 && work.cells[cell]!.module !== largest && !work.escalated.includes(cell),
  );
  if (cells.length === 0) return false;
  const inputs = cellsOf(picture);
  const asked = cells.map((cell) => inputs[cell]!);
  const replies = await work.call.askAll<DigitReading>('read-digit', asked, { weight: 0, allow: [largest] });
  replies.forEach((reply, i) => {
    if (!reply.output) return;
    const cell = cells[i]!;
    work.escalated.push(cell);
    let digit = 1;
    for (let d = 1; d < CLASSES; d++) {
      const i = cell * CLASSES + d;
      work.probabilities[i] = EARLIER * work.probabilities[i]! + (1 - EARLIER) * reply.output.probabilities[d]!;
      if (work.probabilities[i]! > work.probabilities[cell * CLASSES + digit]!) digit = d;
    }
    work.digits[cell] = digit;
  });
  return true;
}

function applyRepair(work: Work, board: Uint8Array): void {
  for (let cell = 0; cell < CELLS; cell++) {
    if (board[cell] === work.digits[cell]) continue;
    const probability = work.probabilities[cell * CLASSES + board[cell]!]!;
    work.repairs.push({ cell, from: work.digits[cell]!, probability });
    work.digits[cell] = board[cell]!;
  }
}

function toAnswer(work: Work, state: State, largeFlop: number): Answer<BoardAnswer> {
  const output = state.reply?.output;
  const proved = state.reason === '';
  const solution = proved && output?.verdict === 'unique' ? output.solution : null;
  const solver = proved ? state.reply!.module!.slice('solve-grid/'.length) : '';
  const reason = proved ? null : state.reason;
  const proof = proved ? state.reply!.certificate!.data : null;
  const inked = work.digits.reduce((n, d) => n + (d === 0 ? 0 : 1), 0);
  const attributes = new Float32Array(3);
  attributes[!proved ? 2 : solver === 'propagation' ? 0 : 1] = 1;
  const second = runnersUp(work);
  return {
    output: { status: proved ? 'proved' : 'withheld', digits: work.digits, solution, reason },
    attributes,
    groups: [{ start: 0, size: 3 }],
    confidence: proved ? state.posterior : 0,
    ...(proof === null ? {} : { certificate: { kind: 'sudoku-board', data: { clues: work.digits.join(''), proof } } }),
    usage: { flop: 0 },
    receipt: encodePayload({
      status: proved ? 'proved' : 'withheld',
      reason: reason ?? '',
      solver,
      ...describeProof(proof),
      checksum: checksumOf(work.digits),
      alwaysLargeFlop: inked * largeFlop,
      ...second,
      escalated: work.escalated,
      repairs: work.repairs,
      posterior: state.posterior,
    }),
  };
}

function describeProof(proof: Json): { proof: 'none' | 'trace' | 'unique'; proofSize: number } {
  if (typeof proof !== 'object' || proof === null || !('kind' in proof)) return { proof: 'none', proofSize: 0 };
  if (proof.kind === 'trace' && Array.isArray(proof['steps']))
    return { proof: 'trace', proofSize: proof['steps'].length };
  return { proof: 'unique', proofSize: atob(String(proof['tree'])).length };
}

/** Second most probable digit of every inked cell. */
function runnersUp(work: Work): { runnerUp: Uint8Array; runnerUpProbability: Float64Array } {
  const runnerUp = new Uint8Array(CELLS);
  const runnerUpProbability = new Float64Array(CELLS);
  for (let cell = 0; cell < CELLS; cell++) {
    const digit = work.digits[cell]!;
    if (digit === 0) continue;
    for (let d = 1; d < CLASSES; d++) {
      const p = work.probabilities[cell * CLASSES + d]!;
      if (d === digit || p <= runnerUpProbability[cell]!) continue;
      runnerUp[cell] = d;
      runnerUpProbability[cell] = p;
    }
  }
  return { runnerUp, runnerUpProbability };
}

/** The proof of the grid, replayed against the digits that were taken. */
export const boardChecker: Checker<BoardPicture, BoardAnswer> = {
  check(_, output, certificate) {
    const data = certificate.data;
    if (typeof data !== 'object' || data === null || !('proof' in data) || certificate.kind !== 'sudoku-board')
      return 'the certificate is malformed';
    if (data['clues'] !== output.digits.join('')) return 'the certificate is for other digits';
    const proof: unknown = data['proof'];
    if (!isSudokuCertificate(proof)) return 'the certificate is malformed';
    if (proof.kind !== 'trace' && proof.kind !== 'unique')
      return 'the certificate does not show that there is no other solution';
    if (proof.grid !== output.solution?.join('')) return 'the certificate is for another solution';
    const result = checkCertificate(output.digits, proof);
    return result.ok ? null : `step ${result.step}: ${result.why}`;
  },
};

/** Row and column as people count them. */
export function nameCell(cell: number): string {
  return `row ${Math.floor(cell / 9) + 1}, column ${(cell % 9) + 1}`;
}
