import { expect, it } from 'vitest';
import { formatTable } from './table.ts';

it('aligns numbers right and text left, and marks what is missing', () => {
  expect(
    formatTable(
      ['name', 'n'],
      [
        ['a', 1],
        ['bb', 20.12345],
        ['c', null],
      ],
    ),
  ).toBe(['name      n', '----  -----', 'a         1', 'bb    20.12', 'c         -'].join('\n'));
});
