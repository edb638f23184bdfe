// The Prometheus page: every family has help and type, every line parses, strange labels cannot break it.
import { expect, test } from 'vitest';
import type { TotalsView } from '../mind/index.ts';
import { toMetrics } from './metrics.ts';

const totals: TotalsView = {
  boards: 12,
  proved: 11,
  withheld: 1,
  readers: { small: 200, 'la"rge\n': 3 },
  escalated: 2,
  repaired: 1,
  solvers: { propagation: 11 },
  flop: 5e6,
  alwaysLargeFlop: 5e7,
  costRatio: 0.1,
  wrongProved: 0,
  events: 12,
  sketchBytes: 12_432,
  bytesPerEvent: 1_208,
  boardsPerSecond: 0.5,
};
const state = { running: true, paused: false, speed: 1, watchers: 2, boards: 12 } as const;
const figures = { uptimeSeconds: 3.2, residentBytes: 1e8, heapBytes: 5e7, requests: new Map([['2xx', 40]]) };

test('every line is a comment or a sample of a declared family', () => {
  const text = toMetrics(totals, state, figures);
  const declared = new Set<string>();
  for (const line of text.trimEnd().split('\n')) {
    const type = /^# TYPE (\w+) (counter|gauge)$/.exec(line);
    if (type) declared.add(type[1]!);
    else if (!/^# HELP \w+ \S/.test(line)) {
      const sample = /^(\w+)(\{(\w+="[^"\\\n]*",?)+\})? (NaN|-?[\d.e+]+)$/.exec(line);
      expect(sample, line).not.toBeNull();
      expect(declared.has(sample![1]!)).toBe(true);
    }
  }
  expect(text).toContain('cairn_boards_total{outcome="proved"} 11\n');
  expect(text).toContain('cairn_flop_total{policy="always_large"} 50000000\n');
  expect(text).toContain('cairn_up 1\n');
});

test('says that it is not up while the memory opens', () => {
  const text = toMetrics(undefined, state, figures);
  expect(text).toContain('cairn_up 0\n');
  expect(text).not.toContain('cairn_boards_total');
});
