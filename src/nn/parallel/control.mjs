// The words of the control block that the main thread and its workers share. See lockstep.ts.
export const PENDING = 0; // workers that have not finished the round
export const DONE = 1; // number of the last finished round; negative: a worker is gone
export const PROGRAM = 2;
export const POSITION = 3;
export const LENGTH = 4;
export const FAILED = 5; // 1 + index of a worker whose program failed; its text is in the error block
export const START = 6; // from here on one word a worker: number of the round it takes part in; negative: end
