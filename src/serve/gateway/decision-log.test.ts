// Decisions on their way into a state: none is lost, the latest word counts, a state that refuses is tried again.
import { describe, expect, test } from 'vitest';
import { DecisionLog } from './decision-log.ts';
import type { DecisionRecord } from './explain.ts';
import { type GatewayState, openSqliteState } from './state.ts';

const decision = (i: number, model = 'small'): DecisionRecord => ({
  id: `d${i}`,
  at: 1_000 + i,
  asked: 'cairn/auto',
  model,
  by: 'zero',
  arms: [],
  removed: {},
  fellBack: false,
  attempts: [],
  stream: false,
  status: 200,
  ms: 1,
  overheadMs: 1,
});

/** A state that counts what it is given at one time, and may refuse. */
function watched(state: GatewayState): { state: GatewayState; sizes: number[]; refuse: boolean } {
  const seen = {
    sizes: [] as number[],
    refuse: false,
    state: {
      ...state,
      record: async (rows: Parameters<GatewayState['record']>[0], keep: number): Promise<void> => {
        if (seen.refuse) throw new Error('away');
        seen.sizes.push(rows.length);
        return state.record(rows, keep);
      },
    },
  };
  return seen;
}

describe('the log of decisions', () => {
  test('writes all of them in their order, a few at a time', async () => {
    const seen = watched(openSqliteState(':memory:'));
    const log = new DecisionLog(seen.state, () => undefined);
    for (let i = 0; i < 100; i++) log.add(decision(i));
    expect(log.waiting('d99')).toMatchObject({ id: 'd99' });
    await log.flush();
    const kept = await seen.state.decisions(1_000);
    expect(kept.map(({ id }) => id)).toEqual(Array.from({ length: 100 }, (_, i) => `d${99 - i}`));
    expect(Math.max(...seen.sizes)).toBeLessThanOrEqual(32);
    expect(log.waiting('d99')).toBeUndefined();
    await seen.state.close();
  });

  test('writes by itself a moment later', async () => {
    const seen = watched(openSqliteState(':memory:'));
    const log = new DecisionLog(seen.state, () => undefined);
    for (let i = 0; i < 20; i++) log.add(decision(i));
    await expect.poll(async () => (await seen.state.decisions(100)).length).toBe(20);
    await seen.state.close();
  });

  test('the latest word on a decision counts, whenever it comes', async () => {
    const seen = watched(openSqliteState(':memory:'));
    const log = new DecisionLog(seen.state, () => undefined);
    log.add(decision(1));
    log.add(decision(1, 'large'));
    expect(log.waiting('d1')?.model).toBe('large');
    await log.flush();
    log.add(decision(1, 'larger'));
    await log.flush();
    expect(JSON.parse((await seen.state.decision('d1'))!)).toMatchObject({ model: 'larger' });
    await seen.state.close();
  });

  test('what a state refuses is said, can be read, and is written when it takes it', async () => {
    const seen = watched(openSqliteState(':memory:'));
    const said: string[] = [];
    const log = new DecisionLog(seen.state, (line) => said.push(line));
    seen.refuse = true;
    for (let i = 0; i < 40; i++) log.add(decision(i));
    await log.flush();
    expect(said).toHaveLength(1);
    expect(said[0]).toContain('away');
    expect(log.waiting('d0')).toBeDefined();
    expect(await seen.state.decisions(100)).toEqual([]);
    seen.refuse = false;
    log.add(decision(40));
    log.add(decision(7, 'amended'));
    await log.flush();
    const kept = await seen.state.decisions(100);
    expect(new Set(kept.map(({ id }) => id)).size).toBe(41);
    expect(JSON.parse((await seen.state.decision('d7'))!)).toMatchObject({ model: 'amended' });
    expect(log.waiting('d0')).toBeUndefined();
    await seen.state.close();
  });

  test('a state that is away for long does not fill the memory: the latest are kept', async () => {
    const seen = watched(openSqliteState(':memory:'));
    const log = new DecisionLog(seen.state, () => undefined);
    seen.refuse = true;
    for (let i = 0; i < 10_500; i++) log.add(decision(i));
    await log.flush();
    expect(log.waiting('d0')).toBeUndefined();
    expect(log.waiting('d499')).toBeUndefined();
    expect(log.waiting('d500')).toBeDefined();
    expect(log.waiting('d10499')).toBeDefined();
    await seen.state.close();
  });
});
