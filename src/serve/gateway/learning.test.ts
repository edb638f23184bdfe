// Learning in the gateway, against played models whose skills are known: one that breaks, a signal that lies, silence, failures of
// the infrastructure, a sudden end, one event forgotten.
import { beforeAll, describe, expect, test } from 'vitest';
import type { Provider } from '../../providers/index.ts';
import {
  fitRouter,
  generatePool,
  type GeneratedPool,
  type OutcomeSource,
  type PromptRouter,
  selectPrompts,
} from '../../route/index.ts';
import { Rng } from '../../tensor/index.ts';
import { type DecisionRecord, planRecord } from './explain.ts';
import { Gateway } from './gateway.ts';
import { makePlan } from './plan.ts';
import { toChatRequest } from './request.ts';
import { type GatewayState, type KeptChange, openSqliteState } from './state.ts';

const LABELLED = 300;
const MODELS = 4;

interface World {
  readonly pool: GeneratedPool;
  readonly router: PromptRouter;
}

let worlds: World[];

beforeAll(() => {
  worlds = [0, 2, 3, 5].map((seed) => {
    const pool = generatePool({ seed, prompts: 900, models: MODELS, topics: 6 });
    const labelled = selectPrompts(
      pool.table,
      Int32Array.from({ length: LABELLED }, (_, j) => j),
    );
    return { pool, router: fitRouter(labelled, { seed, k: 8, bags: 1, n0: 5, features: { bits: 12, dim: 16 } }) };
  });
});

const played: Provider = {
  id: 'played',
  kind: 'local',
  chat: () => Promise.reject(new Error('not asked here')),
  stream: () => Promise.reject(new Error('not asked here')),
  unsupported: () => [],
  close: async () => undefined,
};

async function openGateway({ pool, router }: World, feedback: object, state?: GatewayState): Promise<Gateway> {
  const gateway = await Gateway.open({
    ...(state === undefined ? {} : { state }),
    local: { played },
    config: {
      providers: [{ id: 'played', kind: 'local' }],
      models: pool.table.models.map(({ id, price_in_per_mtok: price }) => ({
        id,
        provider: 'played',
        priceIn: price,
        priceOut: price,
      })),
      routing: { feedback, default: { lambda: 0 }, stickiness: { enabled: false } },
    },
  });
  gateway.useRouter(router);
  return gateway;
}

/** One request answered by whom the gateway chooses, as it would be kept. */
function answered(gateway: Gateway, event: string, text: string, status = 200): DecisionRecord {
  const { pool, prompts, online } = gateway.current;
  const request = toChatRequest({ model: 'cairn/auto', messages: [{ role: 'user', content: text }] });
  const limits = { key: undefined, session: undefined, pin: undefined, maxCostUsd: undefined, now: 0, degraded: false };
  const plan = makePlan({ request, pool, prompts, online, ...limits });
  // Whoever was chosen, the fitted router's best or not: the interval is the one of that model.
  const { expectedError, interval } = plan.arms[0]!;
  expect(expectedError).toBeGreaterThan(interval![0] - 0.01);
  expect(expectedError).toBeLessThan(interval![1] + 0.01);
  return {
    id: event,
    at: 0,
    asked: 'cairn/auto',
    model: plan.arms[0]!.arm.id,
    ...planRecord(plan),
    fellBack: false,
    attempts: [],
    stream: false,
    status,
    ms: 1,
    overheadMs: 1,
  };
}

interface Life {
  readonly requests: number;
  readonly seed: number;
  /** The favourite model of the fitted router loses most of its skill. */
  readonly broken?: boolean;
  readonly says?: (rng: Rng, right: boolean) => { outcome: number; source: OutcomeSource } | undefined;
}

/** Mean true error of the gateway's choices and of the fitted router's, in the second half. */
async function live(world: World, gateway: Gateway, life: Life): Promise<{ gateway: number; fitted: number }> {
  const { pool, router } = world;
  const rng = new Rng(life.seed).fork('life');
  const favourite = router.route(pool.table.prompts[LABELLED]!.text, { lambda: 0 }).arm;
  const wrong = (arm: string, topic: number): number => {
    const m = pool.table.models.findIndex((model) => model.id === arm);
    return 1 - pool.skill[topic * MODELS + m]! * (life.broken === true && arm === favourite ? 0.3 : 1);
  };
  const errors = { gateway: 0, fitted: 0 };
  for (let i = 0; i < life.requests; i++) {
    const j = LABELLED + rng.integer(pool.table.prompts.length - LABELLED);
    const { text } = pool.table.prompts[j]!;
    const record = answered(gateway, `e${i}`, text);
    const error = wrong(record.model, pool.topic[j]!);
    if (i >= life.requests / 2) {
      errors.gateway += (2 * error) / life.requests;
      errors.fitted += (2 * wrong(router.route(text, { lambda: 0 }).arm, pool.topic[j]!)) / life.requests;
    }
    const said = life.says?.(rng, !rng.bernoulli(error));
    if (said !== undefined) expect(await gateway.learning.report(record, said)).toEqual({ taught: true });
  }
  return errors;
}

describe('learning from outcomes', () => {
  test('follows a model that breaks, from outcomes that were verified', async () => {
    const gains: number[] = [];
    for (const [seed, world] of worlds.entries()) {
      const gateway = await openGateway(world, { judge: 'verified', exploration: 0.2 });
      const errors = await live(world, gateway, {
        seed,
        requests: 4_000,
        broken: true,
        says: (_rng, right) => ({ outcome: right ? 1 : 0, source: 'test' }),
      });
      gains.push(errors.fitted - errors.gateway);
      expect(gateway.learning.view().guarantee.kind).toBe('in expectation');
      await gateway.close();
    }
    // In some worlds the router seldom took the model that broke: there is little to win there, and nothing to lose.
    for (const gain of gains) expect(gain).toBeGreaterThan(-0.01);
    expect(gains.reduce((a, b) => a + b) / gains.length).toBeGreaterThan(0.06);
  });

  test('is not led astray by a signal that lies about everything', async () => {
    for (const [seed, world] of worlds.entries()) {
      const gateway = await openGateway(world, { judge: 'replay' });
      const errors = await live(world, gateway, {
        seed,
        requests: 2_000,
        says: (_rng, right) => ({ outcome: right ? 0 : 1, source: 'explicit' }),
      });
      expect(errors.gateway - errors.fitted).toBeLessThan(0.01);
      const view = gateway.learning.view();
      expect(view.learnedWeight).toBeLessThan(0.15);
      expect(view.outcomes).toBeGreaterThan(1_000);
      expect(view.guarantee).toMatchObject({
        kind: 'labelled prompts',
        says: expect.stringContaining('No guarantee for other'),
      });
      await gateway.close();
    }
  });

  test('in silence it is the fitted router, request for request', async () => {
    const world = worlds[0]!;
    for (const judge of ['replay', 'verified', 'outcomes', 'off']) {
      const gateway = await openGateway(world, { judge });
      for (let j = LABELLED; j < LABELLED + 100; j++) {
        const { text } = world.pool.table.prompts[j]!;
        expect(answered(gateway, `e${j}`, text).model).toBe(world.router.route(text, { lambda: 0 }).arm);
      }
      expect(gateway.learning.view()).toMatchObject({ outcomes: 0, disagreements: 0 });
      await gateway.close();
    }
  });

  test('failures of the infrastructure and things that are no outcome never count', async () => {
    const world = worlds[0]!;
    const gateway = await openGateway(world, { judge: 'outcomes' });
    const { text } = world.pool.table.prompts[400]!;
    for (const status of [502, 503, 429, 499]) {
      const failed = answered(gateway, `f${status}`, text, status);
      const refused = gateway.learning.report(failed, { outcome: 0, source: 'explicit' });
      await expect(refused).rejects.toThrow(`Expected an event that was answered, got one that ended with ${status}.`);
    }
    const fine = answered(gateway, 'fine', text);
    for (const outcome of [-0.1, 1.1, NaN, '1' as never]) {
      await expect(gateway.learning.report(fine, { outcome, source: 'explicit' })).rejects.toThrow(
        'from 0 (wrong) to 1',
      );
    }
    await expect(gateway.learning.report(fine, { outcome: 1, source: 'toString' as never })).rejects.toThrow(
      'known source',
    );
    expect(gateway.learning.view().outcomes).toBe(0);
    await gateway.close();
  });

  test('survives a sudden end, and goes on as if it had never ended', async () => {
    const world = worlds[0]!;
    const state = openSqliteState(':memory:');
    const first = await openGateway(world, { judge: 'replay' }, state);
    const says = (_rng: Rng, right: boolean) => ({ outcome: right ? 1 : 0, source: 'explicit' as const });
    await live(world, first, { seed: 5, requests: 200, says });
    // Half of it in a snapshot, half only in rows; the first gateway is never closed.
    await first.learning.save();
    for (let i = 0; i < 100; i++) {
      const record = answered(first, `late${i}`, world.pool.table.prompts[400 + i]!.text);
      await first.learning.report(record, { outcome: i % 2, source: 'test' });
    }
    const second = await openGateway(world, { judge: 'replay' }, state);
    expect(second.learning.view()).toEqual(first.learning.view());
    // With other settings what was said is learned again.
    const third = await openGateway(world, { judge: 'verified', exploration: 0.5 }, state);
    expect(third.learning.view()).toMatchObject({ judge: 'verified', outcomes: 300 });
    await third.close();
  });

  test('the last word counts, and an event that is forgotten leaves nothing, on disk either', async () => {
    const world = worlds[0]!;
    const state = openSqliteState(':memory:');
    const gateway = await openGateway(world, { judge: 'outcomes' }, state);
    const texts = world.pool.table.prompts.slice(400, 420).map((p) => p.text);
    const records = texts.map((text, i) => answered(gateway, `event-${i}-x`, text));
    for (const record of records) await gateway.learning.report(record, { outcome: 1, source: 'explicit' });
    await gateway.learning.report(records[3]!, { outcome: 0, source: 'explicit' });
    expect(gateway.learning.view().outcomes).toBe(20);
    await gateway.learning.save();
    const kept = async (): Promise<string> =>
      JSON.stringify([await state.list('outcome'), await state.list('learning')]);
    expect(await kept()).toContain('event-7-x');
    expect(await gateway.learning.forget('event-7-x')).toBe(true);
    expect(await gateway.learning.forget('event-7-x')).toBe(false);
    expect(await kept()).not.toContain('event-7-x');
    expect(gateway.learning.view().outcomes).toBe(19);
    await gateway.close();
  });

  test('gateways that share a state learn from the outcomes of all, each once, and forget together', async () => {
    const world = worlds[0]!;
    const kept = openSqliteState(':memory:');
    const listeners: ((change: KeptChange) => void)[] = [];
    const tell = (change: KeptChange): void => listeners.forEach((hear) => hear(change));
    const state: GatewayState = {
      ...kept,
      shared: true,
      watch: (_kinds, listener) => {
        listeners.push(listener);
        return () => undefined;
      },
      put: async (kind, key, value) => {
        await kept.put(kind, key, value);
        if (kind === 'outcome') tell({ kind, key, value });
      },
      drop: async (kind, key) => {
        if (kind === 'outcome') tell({ kind, key, value: undefined });
        return kept.drop(kind, key);
      },
    };
    const one = await openGateway(world, { judge: 'outcomes' }, state);
    const two = await openGateway(world, { judge: 'outcomes' }, state);
    const texts = world.pool.table.prompts.slice(400, 460).map((p) => p.text);
    for (const [i, text] of texts.entries()) {
      const by = i % 3 === 0 ? two : one;
      await by.learning.report(answered(by, `shared-${i}`, text), { outcome: i % 2, source: 'explicit' });
    }
    await one.learning.report(answered(one, 'shared-0', texts[0]!), { outcome: 1, source: 'explicit' });
    await two.learning.forget('shared-1');
    await Promise.all([one.learning.save(), two.learning.save()]);
    expect(one.learning.view().outcomes).toBe(59);
    expect(two.learning.view().outcomes).toBe(59);
    expect(two.learning.view().arms).toEqual(one.learning.view().arms);
    // One that joins later, or comes back, knows the same.
    const three = await openGateway(world, { judge: 'outcomes' }, state);
    expect(three.learning.view().arms).toEqual(one.learning.view().arms);
    await three.close();
  });

  test('says when nothing is promised', async () => {
    const world = worlds[0]!;
    const off = await openGateway(world, { judge: 'off' });
    expect(off.learning.view().guarantee).toEqual({
      kind: 'none',
      says: 'No guarantee: outcomes are not learned from.',
    });
    const alone = await openGateway(world, { judge: 'replay' });
    const { arms } = world.router;
    const apart = arms.map((arm, a) => ({ ...arm, error: arm.error.map((e, j) => (j % arms.length === a ? e : NaN)) }));
    alone.useRouter(apart.reduce((router, arm) => router.withArm(arm), world.router));
    expect(alone.learning.view().guarantee.kind).toBe('none');
    await Promise.all([off.close(), alone.close()]);
  });
});
