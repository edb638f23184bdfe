// All that may grow out of boards, for the mind.
import { callStreams, type Distiller, type Seeds } from '../../growth/index.ts';
import { deductionStreams } from './deductions.ts';

/** Deductions, calls and, where there is a distiller, a digit reader. */
export function boardSeeds(distiller?: Distiller): Seeds {
  return { streams: [deductionStreams(), callStreams()], distillers: distiller ? [distiller] : [] };
}
