// The bettors at play: what is promised and what is won on blocks, beside bettors that know one time scale or none.
import {
  type Bettor,
  DiscountedBettor,
  DyadicBettor,
  fairBits,
  FixedHorizon,
  IntervalBettor,
  intervalConstant,
  intervalValue,
  segment,
} from 'cairn/online';
import type { Part } from '../report.ts';
import type { Rng } from 'cairn/tensor';
import { blocks, mean, play } from './part.ts';

export function plays(rng: Rng, runs: number): Part {
  const horizon = 256;
  const { constant } = intervalConstant({ horizon, rng: rng.fork('constant'), strings: 400 });
  const random = rng.fork('random');
  const sequences: [string, Float64Array][] = [
    ['four biased blocks of 64', blocks(horizon, 64)],
    ['blocks of 16 with random signs', Float64Array.from(randomBlocks(random, horizon, 16))],
    ['all the same', new Float64Array(horizon).fill(1)],
    ['alternating', blocks(horizon, 1)],
    ['fair coins', fairBits(rng.fork('fair'), horizon)],
  ];
  const rows = sequences.map(([name, bits]) => {
    const own = rng.fork(name);
    const won = Array.from({ length: runs }, (_, k) =>
      play(new IntervalBettor({ horizon, constant, rng: own.fork(k) }), bits),
    );
    const others: Bettor[] = [new FixedHorizon({ horizon }), new DiscountedBettor({ memory: 16 })];
    const error = Math.sqrt(mean(won.map((w) => (w - mean(won)) ** 2)) / (runs - 1));
    const promised = intervalValue(bits, constant).value;
    return { name, promised, won: mean(won), error, others: others.map((o) => play(o, bits)) };
  });
  const farthest = Math.max(...rows.map((r) => Math.abs(r.won - r.promised)));
  const switching = rows[0]!;
  return {
    claims: [
      {
        id: 'promise-kept',
        says: 'With random completions the mean payoff is the promised value of the best partition, whatever the sequence.',
        kind: 'measured',
        value: farthest,
        target: `within 12 of the promise on five sequences of 256 bits, mean of ${runs} runs`,
        holds: farthest < 12,
      },
      {
        id: 'beats-one-horizon',
        says: 'Where the bias switches, it wins what the optimal bettor for the whole horizon does not.',
        kind: 'measured',
        value: switching.won,
        baseline: switching.others[0]!,
        target: 'value >= baseline + 80 on four blocks of 64',
        holds: switching.won >= switching.others[0]! + 80,
      },
    ],
    tables: [
      {
        title: `Payoff over 256 bits, c = ${constant.toFixed(3)}`,
        columns: ['sequence', 'promised', 'won', '±', 'fixed horizon', 'discounted, n = 16'],
        rows: rows.map((r) => [r.name, r.promised, r.won, r.error, r.others[0]!, r.others[1]!]),
      },
    ],
  };
}

export function streaming(rng: Rng, runs: number): Part {
  const horizon = 1024;
  const { constant } = intervalConstant({ horizon, rng: rng.fork('constant'), strings: 1000, cuts: 'tree' });
  const rows = [1024, 256, 64, 16].map((block) => {
    const bits = blocks(horizon, block);
    const won = Array.from({ length: runs }, (_, k) =>
      play(new DyadicBettor({ horizon, constant, rng: rng.fork(block).fork(k) }), bits),
    );
    return { block, promised: intervalValue(bits, constant, 'tree').value, won: mean(won) };
  });
  const farthest = Math.max(...rows.map((r) => Math.abs(r.won - r.promised)));
  return {
    claims: [
      {
        id: 'dyadic-promise-kept',
        says: 'The streaming form, a few operations a level and step, wins the value of the best aligned dyadic partition.',
        kind: 'measured',
        value: farthest,
        target: `within 25 of the promise on blocks of four lengths, 1,024 bits, mean of ${runs} runs`,
        holds: farthest < 25,
      },
    ],
    tables: [
      {
        title: `Dyadic form, 1,024 bits, c = ${constant.toFixed(3)}`,
        columns: ['length of the blocks', 'promised', 'won'],
        rows: rows.map((r) => [r.block, r.promised, r.won]),
      },
    ],
  };
}

export function hindsight(rng: Rng, runs: number): Part {
  const constant = 2.4;
  let [found, extra, alarms] = [0, 0, 0];
  for (let k = 0; k < runs; k++) {
    const own = rng.fork(k);
    const truth = [100 + own.integer(60), 260 + own.integer(60)];
    const noise = 0.15;
    const bits = Float64Array.from({ length: 450 }, (_, t) => {
      const sign = truth.filter((c) => t >= c).length % 2 === 0 ? 1 : -1;
      return own.bernoulli(noise) ? -sign : sign;
    });
    const { changePoints } = segment([bits, bits.map((b) => -b)], { constant });
    found += truth.filter((c) => changePoints.some((p) => Math.abs(p - c) <= 10)).length;
    extra += Math.max(0, changePoints.length - truth.length);
    const steady = Float64Array.from({ length: 450 }, () => (own.bernoulli(0.2) ? -1 : 1));
    alarms += segment([steady, steady.map((b) => -b)], { constant }).changePoints.length > 0 ? 1 : 0;
  }
  return {
    claims: [
      {
        id: 'change-points',
        says: 'The best partition in hindsight gives the change points of a noisy bias.',
        kind: 'measured',
        value: found / (2 * runs),
        target: 'at least 90 % within 10 steps, at most 0.25 others a run, at most 25 % alarms on a steady bias',
        holds: found / (2 * runs) >= 0.9 && extra / runs <= 0.25 && alarms / runs <= 0.25,
      },
    ],
    tables: [
      {
        title: `Two planted changes of a bias with 15 % noise, 450 bits, c = ${constant}, ${runs} runs`,
        columns: ['found within 10 steps', 'others a run', 'runs with an alarm on a steady bias'],
        rows: [[found / (2 * runs), extra / runs, alarms / runs]],
      },
    ],
  };
}

function randomBlocks(rng: Rng, length: number, block: number): number[] {
  const bits: number[] = [];
  while (bits.length < length) {
    const sign = rng.rademacher();
    for (let t = 0; t < block; t++) bits.push(sign);
  }
  return bits;
}
