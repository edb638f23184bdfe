import { expect, it } from 'vitest';
import { torture } from './torture.ts';

it('loses nothing acknowledged and shows nothing half written through 20 kills', { timeout: 240_000 }, async () => {
  const result = await torture({ kills: 20, seed: 31 });
  expect(result.kills).toBe(20);
  expect(result.acknowledged).toBeGreaterThan(200);
  expect(result.forgotten).toBeGreaterThan(3);
  expect({ lost: result.lost, returned: result.returned, halved: result.halved }).toEqual({
    lost: 0,
    returned: 0,
    halved: 0,
  });
});
