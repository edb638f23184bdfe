/** What the techniques of a proof are called, by their level. */
export const STEP_NAMES = {
  2: 'only candidate',
  3: 'only place',
  4: 'pair',
  5: 'triplet',
  6: 'locked candidates',
  7: 'XY-wing',
  8: 'unique rectangle',
} as const;
