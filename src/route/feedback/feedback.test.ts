import { beforeAll, describe, expect, it } from 'vitest';
import { Rng } from '../../tensor/index.ts';
import { generatePool, type GeneratedPool } from '../generated-pool.ts';
import { fitRouter, type PromptRouter } from '../pool/index.ts';
import { selectPrompts } from '../tables/index.ts';
import { type Judge, OnlineRouter } from './online-router.ts';
import { Outcomes, type OutcomeSource } from './outcomes.ts';

const MODELS = 4;
const LABELLED = 300;

interface World {
  readonly pool: GeneratedPool;
  readonly router: PromptRouter;
}

let worlds: World[];

beforeAll(() => {
  worlds = [0, 2, 3, 5].map((seed) => {
    const pool = generatePool({ seed, prompts: 900, models: MODELS, topics: 6 });
    const options = { seed, k: 8, bags: 1, n0: 5, features: { bits: 12, dim: 16 } } as const;
    return {
      pool,
      router: fitRouter(
        selectPrompts(
          pool.table,
          Int32Array.from({ length: LABELLED }, (_, j) => j),
        ),
        options,
      ),
    };
  });
});

/** Runs requests through an online router; mean true error of its choices and of the fitted router's, in the second half. */
function live(
  world: World,
  seed: number,
  options: { judge: Judge; requests: number; broken?: boolean; source?: (rng: Rng) => OutcomeSource; lies?: boolean },
): { online: number; fitted: number; router: OnlineRouter } {
  const { pool, router } = world;
  const rng = new Rng(seed).fork('live');
  const online = new OnlineRouter(router, { rng: rng.fork('online'), judge: options.judge, exploration: 0.2 });
  const favourite = router.route(pool.table.prompts[LABELLED]!.text, { lambda: 0 }).index;
  const wrong = (arm: string, topic: number): number => {
    const m = pool.table.models.findIndex((model) => model.id === arm);
    return 1 - pool.skill[topic * MODELS + m]! * (options.broken === true && m === favourite ? 0.3 : 1);
  };
  const errors = { online: 0, fitted: 0 };
  for (let i = 0; i < options.requests; i++) {
    const j = LABELLED + rng.integer(pool.table.prompts.length - LABELLED);
    const topic = pool.topic[j]!;
    const decided = online.route(pool.table.prompts[j]!.text, { lambda: 0 });
    const chance = wrong(decided.arm, topic);
    const right = !rng.bernoulli(chance);
    if (i >= options.requests / 2) {
      errors.online += (2 * chance) / options.requests;
      errors.fitted += (2 * wrong(decided.safeArm, topic)) / options.requests;
    }
    const source = options.source?.(rng) ?? 'test';
    const lie = options.lies === true && source !== 'test';
    online.learnOne({ event: `e${i}`, decided, outcome: right !== lie ? 1 : 0, source });
  }
  return { ...errors, router: online };
}

describe('outcomes', () => {
  const estimate = (world: World) => world.router.estimates[0]!;
  const phiOf = (world: World, i: number) => world.router.route(world.pool.table.prompts[i]!.text).phi;

  it('none leave the labelled estimate as it is; many right answers move it towards none wrong', () => {
    const world = worlds[0]!;
    const phi = phiOf(world, 400);
    const outcomes = new Outcomes();
    const ask = (): number => outcomes.expectedError('model-a', estimate(world), phi, 1, 10);
    const before = ask();
    expect(before).toBeCloseTo(
      phi.reduce((sum, share, k) => sum + share * estimate(world).psi[k]!, 0),
      12,
    );
    let last = before;
    for (let i = 0; i < 300; i++) {
      outcomes.learnOne({ event: `e${i}`, arm: 'model-a', phi, error: 0, source: 'explicit' });
      expect(ask()).toBeLessThanOrEqual(last + 1e-12);
      last = ask();
    }
    expect(last).toBeLessThan(0.35 * before);
    expect(outcomes.count('model-a')).toBe(300);
  });

  it('an event that is forgotten is as if it had said nothing; others keep their weight', () => {
    const world = worlds[0]!;
    const rng = new Rng(1);
    const fill = (skip?: number): Outcomes => {
      const own = new Outcomes({ memory: 50 });
      const draws = rng.fork('draws');
      for (let i = 0; i < 200; i++) {
        const error = draws.uniform();
        const phi = phiOf(world, i);
        own.learnOne({ event: `e${i}`, arm: 'model-a', phi, error: i === skip ? 0.5 : error, source: 'test' });
      }
      return own;
    };
    const one = fill();
    const other = fill(190); // the same but for what event 190 said
    for (const o of [one, other]) expect(o.forget('e190')).toBe(true);
    expect(one.forget('e190')).toBe(false);
    for (let i = 300; i < 330; i++) {
      const ask = (o: Outcomes): number => o.expectedError('model-a', estimate(world), phiOf(world, i), 1, 10);
      expect(ask(one)).toBeCloseTo(ask(other), 12);
    }
  });

  it('less reliable sources move less, and bad outcomes are refused', () => {
    const world = worlds[0]!;
    const phi = phiOf(world, 400);
    const after = (source: OutcomeSource): number => {
      const outcomes = new Outcomes();
      for (let i = 0; i < 20; i++) outcomes.learnOne({ event: `e${i}`, arm: 'a', phi, error: 1, source });
      return outcomes.expectedError('a', estimate(world), phi, 1, 10);
    };
    expect(after('certificate')).toBeGreaterThan(after('judge'));
    const outcomes = new Outcomes();
    outcomes.learnOne({ event: 'e', arm: 'a', phi, error: 1, source: 'judge' });
    expect(() => outcomes.learnOne({ event: 'e', arm: 'a', phi, error: 1, source: 'judge' })).toThrow('got a second');
    expect(() => outcomes.learnOne({ event: 'f', arm: 'a', phi, error: 2, source: 'judge' })).toThrow(
      'Expected an error in [0,1] from a known source, got 2 from "judge".',
    );
    expect(() => new Outcomes({ memory: 1 })).toThrow('Expected a memory between 2 and 1e9, got 1.');
  });
});

describe('the online router', () => {
  it('without outcomes is the fitted router, request for request', () => {
    for (const judge of ['replay', 'verified', 'outcomes'] as const) {
      const { pool, router } = worlds[1]!;
      const online = new OnlineRouter(router, { rng: new Rng(2), judge });
      for (const { text } of pool.table.prompts.slice(0, 300)) {
        const decided = online.route(text);
        expect(decided.arm).toBe(router.route(text).arm);
        expect(decided.propensity).toBe(1);
      }
    }
  });

  it('follows a model that breaks, from verified or trusted outcomes', () => {
    for (const judge of ['verified', 'outcomes'] as const) {
      const gains = worlds.map((world, i) => {
        const { online, fitted } = live(world, i, { judge, requests: 5000, broken: true });
        return fitted - online;
      });
      expect(gains.reduce((a, b) => a + b) / gains.length, judge).toBeGreaterThan(0.08);
      for (const gain of gains) expect(gain, judge).toBeGreaterThan(-0.01);
    }
  });

  it('is not led astray by a signal that lies about everything', () => {
    const sources: [Judge, (rng: Rng) => OutcomeSource][] = [
      ['replay', () => 'explicit'],
      // One outcome in five is verified and true; the others are said by someone who lies.
      ['verified', (rng) => (rng.bernoulli(0.2) ? 'test' : 'explicit')],
    ];
    for (const [judge, source] of sources) {
      for (const [i, world] of worlds.entries()) {
        const { online, fitted, router } = live(world, i, { judge, requests: 4000, source, lies: true });
        expect(online - fitted, `${judge} ${i}`).toBeLessThan(judge === 'replay' ? 0.01 : 0.06);
        expect(router.standing().learnedWeight).toBeLessThan(0.15);
      }
    }
    // The same lies without a guard.
    const harm = worlds.map((world, i) => {
      const source = (): OutcomeSource => 'explicit';
      const { online, fitted } = live(world, i, { judge: 'outcomes', requests: 4000, source, lies: true });
      return online - fitted;
    });
    expect(harm.reduce((a, b) => a + b) / harm.length).toBeGreaterThan(0.1);
  });

  it('goes on from a stored state as if never interrupted', () => {
    const { pool, router } = worlds[2]!;
    for (const judge of ['replay', 'outcomes'] as const) {
      const make = (): OnlineRouter => new OnlineRouter(router, { rng: new Rng(3), judge, exploration: 0.2 });
      const whole = make();
      let resumed = make();
      const rng = new Rng(4);
      for (let i = 0; i < 400; i++) {
        const text = pool.table.prompts[rng.integer(900)]!.text;
        const outcome = rng.bernoulli(0.5) ? 1 : 0;
        if (i % 150 === 149) resumed = make().restore(JSON.parse(JSON.stringify(resumed.state())));
        const [a, b] = [whole, resumed].map((o) => o.route(text, { lambda: 0 }));
        expect(b!.arm).toBe(a!.arm);
        expect(b!.propensity).toBeCloseTo(a!.propensity, 12);
        whole.learnOne({ event: `e${i}`, decided: a!, outcome, source: 'test' });
        resumed.learnOne({ event: `e${i}`, decided: b!, outcome, source: 'test' });
      }
      expect(resumed.standing()).toEqual(whole.standing());
    }
  });

  it('says what it promises, and refuses what is no outcome without learning from it', () => {
    const online = new OnlineRouter(worlds[0]!.router, { rng: new Rng(5), judge: 'verified' });
    expect(online.standing().guarantee).toContain('verified outcomes');
    const decided = online.route('ba co du');
    const before = JSON.stringify(online.state());
    expect(() => online.learnOne({ event: 'e', decided, outcome: NaN, source: 'test' })).toThrow(
      'Expected an outcome in [0,1], got NaN.',
    );
    expect(JSON.stringify({ ...online.state(), drawn: 0 })).toBe(JSON.stringify({ ...JSON.parse(before), drawn: 0 }));
    expect(() => new OnlineRouter(worlds[0]!.router, { rng: new Rng(5), replays: 0 })).toThrow('at least one replay');
  });
});
