// What the comparison runs on: gains of experts, made by switching generators or from the signs of changes of real series.
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fractalBits } from 'cairn/online';
import type { Rng } from 'cairn/tensor';

/** Gains in [-1,1] of every expert at every step. */
export interface Sequence {
  readonly name: string;
  /** [time][expert] */
  readonly gains: readonly Float64Array[];
}

/** The best of `experts` changes every `block` steps or, with a negative `block`, after geometric times of that mean. */
export function switching(rng: Rng, steps: number, experts: number, block: number, noise: number): Sequence {
  const period = Math.abs(block);
  let best = rng.integer(experts);
  const gains: Float64Array[] = [];
  for (let t = 0; t < steps; t++) {
    const change = block > 0 ? t % period === 0 : rng.bernoulli(1 / period);
    if (t > 0 && change) best = (best + 1 + rng.integer(experts - 1)) % experts;
    if (experts === 2) {
      const b = rng.bernoulli(noise) ? -1 : 1;
      gains.push(best === 0 ? Float64Array.of(b, -b) : Float64Array.of(-b, b));
    } else {
      gains.push(
        Float64Array.from({ length: experts }, (_, k) => (rng.bernoulli(k === best ? 1 - noise : 0.5) ? 1 : -1)),
      );
    }
  }
  const kind = block > 0 ? `every ${period}` : `about every ${period}`;
  return { name: `${experts} experts, change ${kind}, noise ${noise}`, gains };
}

/** Bits of the fractal adversary against the two constant bets. */
export function fractal(rng: Rng, levels: number, q: number): Sequence {
  const bits = fractalBits(levels, q, rng);
  return { name: `fractal, q ${q}`, gains: Array.from(bits, (b) => Float64Array.of(b, -b)) };
}

/** Experts on the sign of the next change: up, down, the last sign, and the sign a day (or a year) ago. */
export function ofSeries(name: string, values: readonly number[], lag: number): Sequence {
  const signs = values.slice(1).map((v, i) => Math.sign(v - values[i]!));
  const gains = signs.map((b, t) => Float64Array.of(b, -b, b * (signs[t - 1] ?? 0), b * (signs[t - lag] ?? 0)));
  return { name, gains };
}

/** All series below `dir`, or nothing where there are none. */
export function readSeries(dir: string): Sequence[] {
  const root = [join(dir, 'series'), dir].find(
    (d) => existsSync(join(d, 'nab')) || existsSync(join(d, 's-and-p-500.csv')),
  );
  if (root === undefined) return [];
  const found: Sequence[] = [];
  const prices = join(root, 's-and-p-500.csv');
  if (existsSync(prices)) found.push(ofSeries('s-and-p-500', column(prices, 'SP500'), 12));
  for (const file of csvFiles(join(root, 'nab')))
    found.push(ofSeries(basename(file, '.csv'), column(file, 'value'), 288));
  return found;
}

function csvFiles(dir: string): string[] {
  if (!existsSync(dir)) return [];
  return readdirSync(dir)
    .sort()
    .flatMap((entry) => {
      const path = join(dir, entry);
      if (statSync(path).isDirectory()) return csvFiles(path);
      return entry.endsWith('.csv') ? [path] : [];
    });
}

/** A numeric column; cells that are no number are left out. */
function column(file: string, name: string): number[] {
  const [header = '', ...rows] = readFileSync(file, 'utf8').trim().split(/\r?\n/);
  const index = header.split(',').indexOf(name);
  return rows.map((row) => Number.parseFloat(row.split(',')[index] ?? '')).filter(Number.isFinite);
}
