import { expect, test } from 'vitest';
import { Slots } from './_slots.ts';

test('values come and go by number, and numbers are used again', () => {
  const slots = new Slots<string>();
  const [a, b] = [slots.add('a'), slots.add('b')];
  expect([slots.size, slots.values()]).toEqual([2, ['a', 'b']]);
  expect(slots.take(a)).toBe('a');
  expect(slots.take(a)).toBeUndefined();
  expect(slots.add('c')).toBe(a);
  expect([slots.take(b), slots.take(99), slots.size]).toEqual(['b', undefined, 1]);
  expect(slots.values()).toEqual(['c']);
});
