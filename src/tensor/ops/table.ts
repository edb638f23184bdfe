// The op table: every op that a graph can hold, by name. `input`, `param` and `const` are leaves and have no record.
import { CairnError } from '../../errors.ts';
import type { OpRecord } from '../op.ts';
import { geluOp, reluOp } from './activation.ts';
import { ropeOp } from './attention.ts';
import { convOp, convTransposeOp } from './conv.ts';
import * as element from './elementwise.ts';
import { erfOp } from './erf.ts';
import * as indexing from './indexing.ts';
import { matmulOp } from './matmul.ts';
import { layerNormOp, rmsNormOp, softmaxOp } from './norm.ts';
import { maxPoolOp } from './pool.ts';
import { amaxOp, cumsumOp, sumOp } from './reduce.ts';
import { expandOp, reshapeOp, transposeOp } from './reshape.ts';
import { concatOp, padOp, sliceOp } from './slice.ts';
import { customGradientOp, stopGradientOp } from './tape.ts';

const records: readonly OpRecord[] = [
  element.negOp,
  element.expOp,
  element.logOp,
  element.sqrtOp,
  element.tanhOp,
  element.sigmoidOp,
  element.sinOp,
  element.cosOp,
  element.absOp,
  element.signOp,
  element.floorOp,
  element.addOp,
  element.subOp,
  element.mulOp,
  element.divOp,
  element.powOp,
  element.maxOp,
  element.minOp,
  element.modOp,
  element.eqOp,
  element.ltOp,
  element.andOp,
  element.orOp,
  element.notOp,
  element.whereOp,
  element.castOp,
  sumOp,
  amaxOp,
  cumsumOp,
  reshapeOp,
  transposeOp,
  expandOp,
  sliceOp,
  concatOp,
  padOp,
  matmulOp,
  indexing.gatherOp,
  indexing.scatterAddOp,
  indexing.gatherElementsOp,
  indexing.scatterElementsAddOp,
  indexing.topkOp,
  softmaxOp,
  layerNormOp,
  rmsNormOp,
  geluOp,
  reluOp,
  erfOp,
  ropeOp,
  maxPoolOp,
  convOp,
  convTransposeOp,
  stopGradientOp,
  customGradientOp,
];

/** All op records by name. */
export const opTable: ReadonlyMap<string, OpRecord> = new Map(records.map((r) => [r.name, r]));

/** True for nodes without a record: `input`, `param`, `const`. */
export function isLeaf(op: string): boolean {
  return op === 'input' || op === 'param' || op === 'const';
}

/** The record of an op. @throws CairnError `unknown_op` */
export function opRecord(name: string): OpRecord {
  const record = opTable.get(name);
  if (!record) throw new CairnError('unknown_op', `Expected a known op, got \`${name}\`.`);
  return record;
}
