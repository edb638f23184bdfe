import { afterEach, describe, expect, it } from 'vitest';
import type { Growth, GrowthPolicy, GrowthService } from '../mind/index.ts';
import { Grower } from './_grower.ts';

let open: Grower | undefined;
afterEach(() => open?.close());

function setUp(byItself = true): {
  grower: Grower;
  grown: GrowthPolicy[];
  told: string[];
  world: { events: number; now: number; fail: boolean; hold?: Promise<void> };
} {
  const world: ReturnType<typeof setUp>['world'] = { events: 0, now: 0, fail: false };
  const grown: GrowthPolicy[] = [];
  const told: string[] = [];
  const service: Pick<GrowthService, 'list' | 'grow'> = {
    list: () => [],
    grow: async (policy = {}): Promise<Growth[]> => {
      grown.push(policy);
      await world.hold;
      if (world.fail) throw new Error('no');
      return [];
    },
  };
  const grower = new Grower({
    growths: async () => service as GrowthService,
    events: async () => world.events,
    publish: (event) => told.push(event),
    onFault: () => told.push('fault'),
    byItself,
    clock: () => world.now,
  });
  open = grower;
  return { grower, grown, told, world };
}

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('when the server grows by itself', () => {
  it('at fifty events, then at every doubling, then every six hundred', async () => {
    const { grower, grown, world } = setUp();
    const at: number[] = [];
    for (world.events = 1; world.events <= 3000; world.events++) {
      const before = grown.length;
      await grower.look();
      await settle();
      if (grown.length > before) at.push(world.events);
    }
    expect(at).toEqual([50, 100, 200, 400, 800, 1400, 2000, 2600]);
  });

  it('sooner while nothing happens, and again after something was forgotten', async () => {
    const { grower, grown, world } = setUp();
    world.events = 60;
    await grower.look();
    await settle();
    expect(grown).toHaveLength(1);
    world.events = 85;
    await grower.look();
    expect(grown).toHaveLength(1);
    world.now = 31_000;
    await grower.look();
    await settle();
    expect(grown).toHaveLength(2);
    grower.noteForgotten();
    grower.noteBoard();
    await grower.look();
    expect(grown).toHaveLength(2);
    world.now = 62_000;
    await grower.look();
    await settle();
    expect(grown).toHaveLength(3);
  });

  it('not at all when told not to, and a fault is told and does not end it', async () => {
    const quiet = setUp(false);
    quiet.world.events = 1000;
    await quiet.grower.look();
    expect(quiet.grown).toEqual([]);
    quiet.grower.close();
    const { grower, told, world } = setUp();
    world.events = 50;
    world.fail = true;
    await grower.look();
    await settle();
    expect(told).toContain('fault');
    expect(grower.state).toEqual({ growing: false, says: '' });
    world.fail = false;
    let release = (): void => undefined;
    world.hold = new Promise((resolve) => (release = resolve));
    await grower.start();
    await expect(grower.start()).rejects.toThrow('Expected to grow once at a time');
    release();
    await settle();
    expect(grower.state.growing).toBe(false);
  });
});
