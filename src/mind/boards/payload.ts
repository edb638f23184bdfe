// What `solve-board` wants stored beside the sketch, in about a hundred bytes: how the board ended, the search tree of its
// proof, runner-up digits, repairs, and a checksum of the digits. The digits themselves are in the sketch alone.
import { CairnError } from '../../errors.ts';
import { crc32 } from '../../tensor/index.ts';
import { ByteReader, ByteWriter } from '../_bytes.ts';
import { CELLS, CLASSES } from './cells.ts';

export interface BoardPayload {
  readonly status: 'proved' | 'withheld';
  /** Why it was withheld; '' when proved. */
  readonly reason: string;
  /** Last part of the solver's id; '' when withheld. */
  readonly solver: string;
  readonly proof: 'trace' | 'unique' | 'none';
  /** Steps of the trace, or nodes of the tree. */
  readonly proofSize: number;
  /** CRC-32 of the 81 digits. */
  readonly checksum: number;
  readonly alwaysLargeFlop: number;
  /** [81] second most probable digits, 0: none. */
  readonly runnerUp: Uint8Array;
  /** [81] their probabilities, to a twelfth of a halving. */
  readonly runnerUpProbability: Float64Array;
  /** Cells that the largest reader was asked again for, in the order of its calls. */
  readonly escalated: readonly number[];
  readonly repairs: readonly { readonly cell: number; readonly from: number; readonly probability: number }[];
  /** Probability that this reading is the right one among all that are consistent. */
  readonly posterior: number;
}

const VERSION = 1;
const PROOFS = ['none', 'trace', 'unique'] as const;

export function encodePayload(p: BoardPayload): Uint8Array {
  const out = new ByteWriter();
  out
    .u8(VERSION)
    .u8(p.status === 'proved' ? 0 : 1)
    .text(p.reason)
    .text(p.solver);
  out.u8(PROOFS.indexOf(p.proof)).varint(p.proofSize).varint(p.checksum).varint(p.alwaysLargeFlop);
  for (const digit of p.runnerUp) out.u8(digit);
  p.runnerUp.forEach((digit, cell) => digit !== 0 && out.u8(toCode(p.runnerUpProbability[cell]!)));
  out.varint(p.escalated.length);
  for (const cell of p.escalated) out.u8(cell);
  out.varint(p.repairs.length);
  for (const r of p.repairs) out.u8(r.cell).u8(r.from).u8(toCode(r.probability));
  return out.u8(toCode(1 - p.posterior)).toBytes();
}

/** @throws CairnError `bad_receipt` */
export function decodePayload(bytes: Uint8Array): BoardPayload {
  const reader = new ByteReader(bytes);
  const version = reader.u8();
  if (version !== VERSION) {
    throw new CairnError('bad_receipt', `Expected the receipt of a board of version ${VERSION}, got ${version}.`, {
      hint: 'The event is of another kind, or damaged.',
    });
  }
  const status = reader.u8() === 0 ? 'proved' : 'withheld';
  const reason = reader.text();
  const solver = reader.text();
  const proof = PROOFS[reader.u8()] ?? 'none';
  const proofSize = reader.varint();
  const checksum = reader.varint();
  const alwaysLargeFlop = reader.varint();
  const runnerUp = Uint8Array.from({ length: CELLS }, () => reader.below(CLASSES));
  const runnerUpProbability = Float64Array.from(runnerUp, (digit) => (digit === 0 ? 0 : fromCode(reader.u8())));
  const escalated = Array.from({ length: reader.below(CELLS + 1) }, () => reader.below(CELLS));
  const repairs = Array.from({ length: reader.below(CELLS + 1) }, () => ({
    cell: reader.below(CELLS),
    from: reader.below(CLASSES),
    probability: fromCode(reader.u8()),
  }));
  const posterior = 1 - fromCode(reader.u8());
  return {
    status,
    reason,
    solver,
    proof,
    proofSize,
    checksum,
    alwaysLargeFlop,
    runnerUp,
    runnerUpProbability,
    escalated,
    repairs,
    posterior,
  };
}

/** Checksum of 81 digits. */
export function checksumOf(digits: Uint8Array): number {
  return crc32(digits);
}

/** Probabilities on a scale of twelfths of halvings: 1 is 0, 2^-21 and less is 255. */
function toCode(probability: number): number {
  return Math.min(255, Math.max(0, Math.round(-12 * Math.log2(Math.max(probability, 1e-12)))));
}

function fromCode(code: number): number {
  return code === 255 ? 0 : 2 ** (-code / 12);
}
