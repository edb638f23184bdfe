// What every benchmark is given and returns: one row per case and peer, with the ratio of their times.
export type { BenchOptions, BenchReport, BenchRow, Spread } from 'cairn/cli';
