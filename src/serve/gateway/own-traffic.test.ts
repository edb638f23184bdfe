import { describe, expect, test } from 'vitest';
import { Rng } from '../../tensor/index.ts';
import type { DecisionRecord } from './explain.ts';
import { ownCurve } from './own-traffic.ts';

function record(i: number, rng: Rng): DecisionRecord {
  const easy = i % 2 === 0;
  const arms = [
    { id: 'small', expectedError: easy ? 0.05 : 0.6, expectedCost: 0.001 },
    { id: 'large', expectedError: easy ? 0.04 : 0.1, expectedCost: 0.01 + 0.001 * rng.uniform() },
  ];
  return {
    id: String(i),
    at: i,
    asked: 'cairn/auto',
    model: easy ? 'small' : 'large',
    by: 'uniroute',
    arms,
    removed: {},
    fellBack: false,
    attempts: [],
    stream: false,
    status: 200,
    ms: 1,
    overheadMs: 1,
  };
}

describe('the curve of one’s own traffic', () => {
  const rng = new Rng(3);
  const records = Array.from({ length: 200 }, (_, i) => record(i, rng));

  test('says why not below fifty decisions', () => {
    expect(ownCurve(records.slice(0, 20))).toMatchObject({ ready: false, decisions: 20 });
  });

  test('its ends are the best and the cheapest; cost falls and error rises with lambda; bands hold the means', () => {
    const curve = ownCurve(records);
    if (!curve.ready) throw new Error(curve.reason);
    const { points, single, actual } = curve;
    const of = (model: string) => single.find((s) => s.model === model)!;
    expect(points[0]!.error).toBeCloseTo((0.04 + 0.1) / 2, 12);
    expect(points.at(-1)!.cost).toBeCloseTo(of('small').cost, 12);
    for (const [i, point] of points.entries()) {
      if (i > 0) {
        expect(point.cost).toBeLessThanOrEqual(points[i - 1]!.cost + 1e-12);
        expect(point.error).toBeGreaterThanOrEqual(points[i - 1]!.error - 1e-12);
      }
      expect(point.errorBand[0]).toBeLessThanOrEqual(point.error);
      expect(point.errorBand[1]).toBeGreaterThanOrEqual(point.error);
    }
    expect(actual.error).toBeCloseTo((0.05 + 0.1) / 2, 12);
    expect(actual.cost).toBeLessThan(of('large').cost);
    expect(ownCurve(records)).toEqual(curve);
  });
});
