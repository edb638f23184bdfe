import { describe, expect, it } from 'vitest';
import { Rng } from '../tensor/index.ts';
import { compareShares, DriftWatch } from './drift.ts';

const shares = [0.4, 0.3, 0.2, 0.1];
const reference = shares.map((s) => s * 4000);

function watchOf(draw: (rng: Rng) => number, seed: number): DriftWatch {
  const watch = new DriftWatch(reference);
  const rng = new Rng(seed);
  for (let i = 0; i < 1500; i++) watch.learnOne(draw(rng));
  return watch;
}

describe('drift', () => {
  it('is silent on traffic like the fitting set and before the window is full', () => {
    for (let seed = 0; seed < 30; seed++) {
      expect(watchOf((rng) => rng.categorical(shares), seed).state().alarm).toBe(false);
    }
    const short = new DriftWatch(reference);
    for (let i = 0; i < 999; i++) short.learnOne(3);
    expect(short.state()).toMatchObject({ alarm: false, requests: 999 });
    short.learnOne(3);
    expect(short.state().alarm).toBe(true);
  });

  it('needs a large difference, not only a certain one', () => {
    const slight = watchOf((rng) => rng.categorical([0.3, 0.38, 0.22, 0.1]), 3).state();
    expect(slight.probability).toBeLessThan(1e-4);
    expect(slight.alarm).toBe(false);
    expect(watchOf((rng) => rng.categorical([0.1, 0.2, 0.3, 0.4]), 3).state().alarm).toBe(true);
  });

  it('forgets what has left the window', () => {
    const watch = new DriftWatch(reference, { window: 200 });
    for (let i = 0; i < 500; i++) watch.learnOne(3);
    expect(watch.state().alarm).toBe(true);
    const rng = new Rng(1);
    for (let i = 0; i < 200; i++) watch.learnOne(rng.categorical(shares));
    expect(watch.state().alarm).toBe(false);
  });

  it('has the chi-square of a table by hand', () => {
    const test = compareShares([10, 20, 0], [20, 10, 0]);
    expect(test.chiSquare).toBeCloseTo(4 * (25 / 15), 12);
    expect(test).toMatchObject({ degrees: 1, variation: 1 / 3 });
    expect(() => new DriftWatch([0, 0])).toThrow('Expected counts of kinds');
  });
});
