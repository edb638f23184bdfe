// Bettors and combiners on streams: random, hostile, fractal; many experts, several time scales, a known horizon.
import { DiscountedBettor, FixedHorizon, fractalBits, RegretMeter, TimeScales, Tournament } from 'cairn/online';
import type { Part } from '../report.ts';
import type { Rng } from 'cairn/tensor';

export function sequences(rng: Rng, count: number): Part {
  const names = ['biased coins', 'against the bet', 'fractal', 'to the edge and back'] as const;
  const worst = names.map(() => 0);
  for (let k = 0; k < count; k++) {
    const own = rng.fork(k);
    const memory = 100 + own.integer(200);
    const bettor = new DiscountedBettor({ memory });
    const root = Math.sqrt(memory);
    const kind = k % names.length;
    const bias = own.uniform();
    const edge = own.uniform() * 1.5 * root;
    const bits = kind === 2 ? fractalBits(9, own.uniform(), own) : undefined;
    let [x, payoff, turned] = [0, 0, false];
    for (let t = 0; t < 512; t++) {
      const bet = bettor.predictOne();
      turned ||= x > edge;
      const b =
        kind === 0
          ? own.bernoulli(bias)
            ? 1
            : -1
          : kind === 1
            ? bet > 0 === own.bernoulli(0.9)
              ? -1
              : 1
            : (bits?.[t] ?? (turned ? -1 : 1));
      bettor.learnOne(b);
      payoff = (1 - 1 / memory) * payoff + b * bet;
      x = (1 - 1 / memory) * x + b;
      worst[kind] = Math.max(worst[kind]!, (Math.abs(x) - payoff) / root);
    }
  }
  return {
    claims: [
      {
        id: 'never-above',
        says: 'Random, hostile and fractal sequences never cost more than the bound.',
        kind: 'bound',
        value: Math.max(...worst),
        target: `<= 0.93 sqrt(n) at every step of ${count.toLocaleString('en')} sequences, n from 100 to 299`,
        holds: Math.max(...worst) <= 0.93,
      },
    ],
    tables: [
      {
        title: 'Largest discounted regret met, in units of sqrt(n)',
        columns: ['sequences', 'regret'],
        rows: names.map((name, i) => [name, worst[i]!]),
      },
    ],
  };
}

export function manyExperts(rng: Rng, count: number): Part {
  const memory = 100;
  const node = new DiscountedBettor({ memory }).guarantee().regretPlus;
  const rows = [2, 4, 8, 16].map((experts) => {
    let worst = 0;
    for (let k = 0; k < count; k++) {
      const own = rng.fork(experts).fork(k);
      const tree = new Tournament(experts, { memory });
      const meter = new RegretMeter(experts, { memory });
      for (let t = 0; t < 1500; t++) {
        const weights = tree.weights();
        const best = Math.floor(t / 250) % experts;
        const gains = weights.map((w, i) =>
          k % 2 === 0 ? own.rademacher() : i === best ? 1 : w > 1 / experts ? -1 : own.rademacher(),
        );
        meter.learnOne(weights, gains);
        tree.learnOne(gains);
        worst = Math.max(worst, ...meter.discounted());
      }
    }
    return { experts, worst: worst / 10, bound: (node * Math.log2(experts)) / 10 };
  });
  return {
    claims: [
      {
        id: 'tournament',
        says: 'With N experts the regret to each stays below 0.9241 sqrt(n) log2 N.',
        kind: 'bound',
        value: Math.max(...rows.map((r) => r.worst / r.bound)),
        target: 'at most 1 times the bound at N = 2, 4, 8, 16',
        holds: rows.every((r) => r.worst <= r.bound),
      },
    ],
    tables: [
      {
        title: 'Tournaments, n = 100: largest regret met, in units of sqrt(n)',
        columns: ['experts', 'regret', 'bound'],
        rows: rows.map((r) => [r.experts, r.worst, r.bound]),
      },
    ],
  };
}

export function timeScales(rng: Rng): Part {
  const steps = 8192;
  const streams: Record<string, (t: number) => number> = {
    'fair coins': () => rng.rademacher(),
    'change every 100': (t) => (Math.floor(t / 100) % 2 === 0 ? 1 : -1),
    'change every 2,000': (t) => ((Math.floor(t / 2000) % 2 === 0) === rng.bernoulli(0.75) ? 1 : -1),
  };
  const rows = Object.entries(streams).map(([name, bit]) => {
    const bits = Float64Array.from({ length: steps }, (_, t) => bit(t));
    const gain = (one: { predictOne(): Float64Array; learnOne(g: number[]): void }): number => {
      let sum = 0;
      for (const b of bits) {
        const w = one.predictOne();
        sum += b * (w[0]! - w[1]!);
        one.learnOne([b, -b]);
      }
      return sum / steps;
    };
    const single = [16, 512].map((memory) => gain(new Tournament(2, { memory })));
    return { name, chain: gain(new TimeScales(2, { memories: [16, 512] })), fast: single[0]!, slow: single[1]! };
  });
  const [coins, fast, slow] = rows as [(typeof rows)[0], (typeof rows)[0], (typeof rows)[0]];
  return {
    claims: [
      {
        id: 'several-scales',
        says: 'A chain of two scales loses almost nothing on fair coins and keeps most of the gain of the better scale.',
        kind: 'measured',
        value: Math.min(fast.chain / fast.fast, slow.chain / slow.slow),
        target: 'at least 0.6 of the better scale on both streams, at least -0.02 a step on coins',
        holds: fast.chain >= 0.6 * fast.fast && slow.chain >= 0.6 * slow.slow && coins.chain >= -0.02,
      },
    ],
    tables: [
      {
        title: 'Gain a step',
        columns: ['stream', 'chain of 16 and 512', 'memory 16 alone', 'memory 512 alone'],
        rows: rows.map((r) => [r.name, r.chain, r.fast, r.slow]),
      },
    ],
  };
}

export function fixedHorizon(horizon: number): Part {
  const expected = new FixedHorizon({ horizon }).regret();
  const { kind } = new FixedHorizon({ horizon }).state();
  const bettor = new FixedHorizon({ horizon });
  let farthest = 0;
  const walk = (step: number, sum: number, payoff: number): void => {
    if (step === horizon) {
      farthest = Math.max(farthest, Math.abs(payoff - (Math.abs(sum) - expected)));
      return;
    }
    const bet = bettor.restore({ kind, values: [step, sum] }).predictOne();
    walk(step + 1, sum + 1, payoff + bet);
    walk(step + 1, sum - 1, payoff - bet);
  };
  walk(0, 0, 0);
  return {
    claims: [
      {
        id: 'cover-identity',
        says: 'With the horizon known, the payoff on every string of bits is |S| - E|S| exactly.',
        kind: 'identity',
        value: farthest,
        target: `below 1e-12 over all ${2 ** horizon} strings of ${horizon} bits`,
        holds: farthest < 1e-12,
      },
    ],
    tables: [],
  };
}
