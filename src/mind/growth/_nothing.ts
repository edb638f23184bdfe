import type { ModuleGrowth } from './types.ts';

const NOTHING = { before: 0, after: 0 };
const UNKNOWN = { value: 0, low: 0, high: 0 };

/** The figures of a module that was never made, or is no longer there. */
export const NOTHING_LEARNED = {
  composition: { path: [], calls: 0, of: 0, costShare: 0 },
  hash: '',
  bytes: 0,
  learned: 0,
  heldOut: { events: 0, examples: 0 },
  cost: { ...NOTHING, refitted: 0 },
  errors: NOTHING,
  answered: NOTHING,
  costRatio: UNKNOWN,
  errorChange: UNKNOWN,
} satisfies Partial<ModuleGrowth>;
