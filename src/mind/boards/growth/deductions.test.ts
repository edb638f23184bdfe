import { describe, expect, it } from 'vitest';
import { certifyTrace, generateSudoku, gradeSudoku } from '../../../reason/index.ts';
import { Rng } from '../../../tensor/index.ts';
import { chainsOf } from './deductions.ts';

describe('chains of deductions', () => {
  it('hold every step of a proof exactly once, also of hard boards', () => {
    let hard = 0;
    for (let i = 0; i < 12; i++) {
      const { puzzle } = generateSudoku({ rng: new Rng('chains').fork(i) });
      const proof = certifyTrace(puzzle);
      if (proof?.kind !== 'trace') continue;
      const chains = chainsOf(proof.steps);
      const symbols = chains.flat();
      expect(symbols).toHaveLength(proof.steps.length);
      if (gradeSudoku(puzzle) === 'singles') continue;
      hard++;
      expect(symbols.some((s) => /^(hidden )?(locked candidates|pair|triplet|XY-wing)/.test(s))).toBe(true);
    }
    expect(hard).toBeGreaterThan(0);
  });

  it('begin at once where the clues alone suffice, and go on with what a step made possible', () => {
    const chains = chainsOf([
      { do: 'place', cell: 0, value: 5, by: 2 },
      { do: 'place', cell: 3, value: 7, by: 2 },
      { do: 'place', cell: 80, value: 1, by: 2 },
      { do: 'place', cell: 12, value: 2, by: 3, unit: 19 },
      { do: 'remove', by: 6, cells: [13, 14], values: [4], units: [1, 19], removed: [[17, 4]] },
      { do: 'place', cell: 17, value: 9, by: 2 },
    ]);
    expect(chains).toEqual([
      [
        'only candidate, at once',
        'only candidate, by row',
        'only place in box, by column',
        'locked candidates, by row',
        'only candidate, by locked candidates',
      ],
      ['only candidate, at once'],
    ]);
  });

  it('have nothing for no steps', () => {
    expect(chainsOf([])).toEqual([]);
  });
});
