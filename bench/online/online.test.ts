import { describe, expect, it } from 'vitest';
import { Rng } from 'cairn/tensor';
import { run } from './index.ts';
import { AdaNormalHedge, Cbce, coinBet, FixedShare, Hedge, normalHedgeWeight, type Weighing } from './peers.ts';
import { ofSeries, readSeries, switching } from './sequences.ts';
import { worstBlock } from './block-regret.ts';

describe('the peers do what their papers say', () => {
  it('Hedge: weights are exp(eta G)', () => {
    const hedge = new Hedge(3, 0.5);
    for (const g of [
      [1, 0, -1],
      [1, 1, 0],
    ]) {
      hedge.learnOne(g);
    }
    const e = [Math.exp(1), Math.exp(0.5), Math.exp(-0.5)];
    const sum = e[0]! + e[1]! + e[2]!;
    hedge.predictOne().forEach((w, k) => expect(w).toBeCloseTo(e[k]! / sum, 14));
  });

  it('fixed share: update by hand', () => {
    const share = new FixedShare(2, Math.log(3) / 2, 0.1);
    share.learnOne([1, -1]); // posterior 3 : 1
    const [a, b] = share.predictOne();
    expect(a).toBeCloseTo(0.9 * 0.75 + 0.05, 14);
    expect(b).toBeCloseTo(0.9 * 0.25 + 0.05, 14);
    const still = new FixedShare(3, 0.3, 0);
    const hedge = new Hedge(3, 0.3);
    for (const g of [
      [1, 0.5, -1],
      [-1, 1, 0],
    ]) {
      still.learnOne(g);
      hedge.learnOne(g);
    }
    still.predictOne().forEach((w, k) => expect(w).toBeCloseTo(hedge.predictOne()[k]!, 14));
  });

  it('AdaNormalHedge: weight function and first steps by hand', () => {
    expect(normalHedgeWeight(0, 0)).toBeCloseTo((Math.exp(1 / 3) - 1) / 2, 14);
    expect(normalHedgeWeight(-1, 1)).toBe(0);
    expect(normalHedgeWeight(1, 1)).toBeCloseTo((Math.exp(4 / 6) - 1) / 2, 14);
    const one = new AdaNormalHedge(2);
    one.learnOne([1, -1]); // regrets 1/2 and -1/2
    const [a, b] = [normalHedgeWeight(0.5, 0.5), normalHedgeWeight(-0.5, 0.5)];
    expect(one.predictOne()[0]).toBeCloseTo(a / (a + b), 14);
  });

  it('CBCE: geometric covering intervals, the coin of Krichevsky and Trofimov, first steps by hand', () => {
    expect(coinBet({ sum: 0, wealth: 1 }, 1)).toBe(0);
    expect(coinBet({ sum: 1, wealth: 1 }, 2)).toBe(0.5);
    const one = new Cbce(2);
    const seen: string[] = [];
    for (let t = 1; t <= 8; t++) {
      const awake = one.awake();
      for (const { start, end } of awake) expect(start <= t && t <= end).toBe(true);
      seen.push(awake.map(({ start, end }) => `${start}-${end}`).join(' '));
      one.learnOne([1, -1]);
    }
    expect(seen).toEqual([
      '1-1',
      '2-2 2-3',
      '3-3 2-3',
      '4-4 4-5 4-7',
      '5-5 4-5 4-7',
      '6-6 6-7 4-7',
      '7-7 6-7 4-7',
      '8-8 8-9 8-11 8-15',
    ]);
    const start = new Cbce(2);
    expect([...start.predictOne()]).toEqual([0.5, 0.5]);
    start.learnOne([1, -1]);
    start.learnOne([1, -1]);
    // At step 3 no interval has won anything, so priors 1/8 of 2-3 and 1/18 of 3-3 count; the base of 2-3 has seen the first
    // expert ahead and bets on it alone, that of 3-3 knows nothing: (1/8 + 1/36) / (1/8 + 1/18).
    expect(start.predictOne()[0]).toBeCloseTo(11 / 13, 14);
  });

  it('all track a switch that Hedge does not, and keep to the simplex', () => {
    const gain = (one: Weighing): number => {
      let own = 0;
      for (let t = 0; t < 4000; t++) {
        const b = t % 400 < 200 ? 1 : -1;
        const w = one.predictOne();
        expect(w[0]! + w[1]!).toBeCloseTo(1, 9);
        own += b * (w[0]! - w[1]!);
        one.learnOne([b, -b]);
      }
      return own / 4000;
    };
    expect(gain(new FixedShare(2, 0.3, 1 / 64))).toBeGreaterThan(0.7);
    expect(gain(new Cbce(2))).toBeGreaterThan(0.7);
    expect(Math.abs(gain(Hedge.tuned(2, 4000)))).toBeLessThan(0.3);
  });
});

describe('sequences and blocks', () => {
  it('experts of a series bet on the sign of its change', () => {
    const { gains } = ofSeries('toy', [1, 2, 3, 2, 2], 2);
    expect(gains.map((g) => [...g])).toEqual([
      [1, -1, 0, 0],
      [1, -1, 1, 0],
      [-1, 1, -1, -1],
      [0, -0, -0, 0],
    ]);
    expect(readSeries('/nowhere')).toEqual([]);
  });

  it('the worst block is found, and a copy of the best expert has none', () => {
    const sequence = switching(new Rng(1), 300, 2, 100, 0);
    const first: Weighing = { predictOne: () => Float64Array.of(1, 0), learnOne: () => undefined };
    expect(worstBlock(sequence, first, 100)).toBe(200);
    let t = 0;
    const knowing: Weighing = {
      predictOne: () => Float64Array.from(sequence.gains[t]!, (g) => (g > 0 ? 1 : 0)),
      learnOne: () => void t++,
    };
    expect(worstBlock(sequence, knowing, 100)).toBe(0);
  });
});

it('the benchmark reports speed and regrets, and says what it skips', async () => {
  const lines: string[] = [];
  const report = await run({
    quick: true,
    seed: 3,
    data: '/nowhere',
    log: (l) => lines.push(l),
    signal: new AbortController().signal,
  });
  expect(report.name).toBe('online');
  expect(lines.join('\n')).toContain('real series: skipped');
  const regrets = report.rows.filter((row) => row.unit === 'regret');
  expect(regrets.length).toBeGreaterThanOrEqual(16);
  for (const row of regrets.filter((r) => /^(Hedge$|fixed share|CBCE)/.test(r.peerName))) {
    expect(row.ratio, `${row.case} beside ${row.peerName}`).toBeGreaterThan(0.9);
  }
  expect(report.rows.every((row) => row.ours !== null)).toBe(true);
  expect(JSON.parse(JSON.stringify(report))).toEqual(report);
});
