// The predictability meter: does it cover the truth, find what is there and keep silent on fair bits; and real series.
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fairBits, fractalBits, fractalMoments, predictability } from 'cairn/online';
import type { Rng } from 'cairn/tensor';
import type { LabOptions, Part } from '../report.ts';

export function meter(rng: Rng, runs: number): Part {
  const levels = 13;
  const rows = [0, 0.1, 0.3, 0.5].map((q) => {
    const exact = fractalMoments(levels, q);
    let [covered, bands, alarms, hurst] = [0, 0, 0, 0];
    for (let k = 0; k < runs; k++) {
      const own = rng.fork(`${q}`).fork(k);
      const bits = q === 0 ? fairBits(own, 2 ** levels) : fractalBits(levels, q, own);
      const read = predictability(bits, { rng: own.fork('bootstrap'), resamples: 400 });
      for (const [j, scale] of read.scales.entries()) {
        bands++;
        if (scale.low <= exact.kappas[j]! && scale.high >= exact.kappas[j]!) covered++;
      }
      if (read.predictable) alarms++;
      hurst += read.hurst.value / runs;
    }
    return { q, coverage: covered / bands, found: alarms / runs, hurst };
  });
  const [fair, , q3, q5] = rows as [(typeof rows)[0], (typeof rows)[0], (typeof rows)[0], (typeof rows)[0]];
  return {
    claims: [
      {
        id: 'meter-covers',
        says: 'The bands of the meter contain the exact correlation of every scale about as often as they say.',
        kind: 'measured',
        value: Math.min(...rows.map((r) => r.coverage)),
        baseline: 0.95,
        target: 'at least 0.88 for four q, nominal 0.95',
        holds: rows.every((r) => r.coverage >= 0.88),
      },
      {
        id: 'meter-finds',
        says: 'It finds what can be predicted, and nothing in fair bits.',
        kind: 'measured',
        value: q3.found,
        baseline: fair.found,
        target: `found in at least 95 % at q = 0.3 and 0.5, alarms on fair bits in at most 25 % of ${runs} series of 8,192`,
        holds: q3.found >= 0.95 && q5.found >= 0.95 && fair.found <= 0.25,
      },
    ],
    tables: [
      {
        title: `The meter on ${runs} series of 8,192 bits`,
        columns: ['q', 'coverage of kappa', 'called predictable', 'mean Hurst exponent'],
        rows: rows.map((r) => [r.q, r.coverage, r.found, r.hurst]),
      },
    ],
  };
}

/** Readings of the signs of changes of real series; no claims, they are what they are. */
export function series(rng: Rng, data: string | undefined, log: LabOptions['log']): Part {
  const files = data === undefined ? [] : csvFiles(data);
  if (files.length === 0) {
    log('real series: skipped, no nab/ folder found (give --data DIR)');
    return { claims: [], tables: [] };
  }
  const rows = files.map((file) => {
    const values = readFileSync(file, 'utf8')
      .trim()
      .split(/\r?\n/)
      .slice(1)
      .map((line) => Number.parseFloat(line.split(',')[1] ?? ''))
      .filter(Number.isFinite);
    const signs = values.slice(1).map((v, i) => Math.sign(v - values[i]!));
    const read = predictability(signs, { rng: rng.fork(basename(file)) });
    const seen = read.scales.filter((s) => s.predictable).map((s) => `${s.block}:${s.value.toFixed(2)}`);
    const { value, low, high } = read.hurst;
    return [basename(file, '.csv'), read.steps, value, low, high, seen.join(' ') || 'none'];
  });
  return {
    claims: [],
    tables: [
      {
        title: 'Signs of the changes of real series: Hurst exponent, and the block lengths at which halves are related',
        columns: ['series', 'steps', 'H', 'low', 'high', 'block: kappa'],
        rows,
      },
    ],
  };
}

function csvFiles(data: string): string[] {
  const root = [join(data, 'series', 'nab'), join(data, 'nab')].find((d) => existsSync(d));
  if (root === undefined) return [];
  const walk = (dir: string): string[] =>
    readdirSync(dir)
      .sort()
      .flatMap((entry) => {
        const path = join(dir, entry);
        if (statSync(path).isDirectory()) return walk(path);
        return entry.endsWith('.csv') ? [path] : [];
      });
  return walk(root);
}
