// How often a pair of a given cosine shares a bucket: measured on real signatures beside the formula; and what probing
// neighbouring buckets in the order of their score adds.
import { candidateRate, probeKeys, Signer } from 'cairn/memory';
import type { Rng } from 'cairn/tensor';
import type { LabOptions, Part } from '../report.ts';
import { deviation } from './scenes.ts';

const DIM = 256;
const COSINES = [0.95, 0.9, 0.8, 0.7, 0.32, 0] as const;
const SETTINGS = [
  { bits: 10, tables: 8 },
  { bits: 12, tables: 16 },
  { bits: 16, tables: 16 },
] as const;
const PROBES = [1, 8, 16, 32] as const;

export function rates(rng: Rng, seed: number, pairs: number, plot: LabOptions['plot']): Part {
  const found = SETTINGS.map(() => COSINES.map(() => 0));
  const probed = PROBES.map(() => COSINES.map(() => 0));
  let disorder = 0;
  for (let p = 0; p < pairs; p++) {
    // Fresh maps for every pair: with one set of maps the pairs would not be independent.
    const signer = new Signer(DIM, `lab:${seed}:${p}`);
    for (const [c, cosine] of COSINES.entries()) {
      const [a, b] = pairOf(rng, cosine);
      const query = signer.sign(a);
      const item = signer.sign(b).projections;
      SETTINGS.forEach(({ bits, tables }, s) => {
        if (sharesBucket(query.projections, item, bits, tables)) found[s]![c]!++;
      });
      for (const [k, probes] of PROBES.entries()) if (probeFinds(query.projections, item, probes)) probed[k]![c]!++;
    }
    if (p < 200) disorder += disorderOf(signer.sign(pairOf(rng, 0)[0]).projections.subarray(0, 16));
  }
  const rows = SETTINGS.flatMap(({ bits, tables }, s) =>
    COSINES.map((cosine, c) => {
      const expected = candidateRate(cosine, bits, tables);
      const measured = found[s]![c]! / pairs;
      // Half a pair for the steps of a count: at small rates only a few pairs are expected at all.
      const off = Math.abs(measured - expected) / (deviation(expected, pairs) + 0.5 / pairs);
      return { bits, tables, cosine, expected, measured, off };
    }),
  );
  const worst = Math.max(...rows.map(({ off }) => off));
  const at = (probes: number, cosine: number): number => {
    return probed[PROBES.indexOf(probes as 16)]![COSINES.indexOf(cosine as 0.8)]! / pairs;
  };
  const plain32 = candidateRate(0.8, 16, 32);
  const margin = 3 * deviation(plain32, pairs);
  plot('candidate-rates', {
    title: 'Pairs that share a bucket: formula (lines) and signatures (dots)',
    x: { label: 'cosine of the pair' },
    y: { label: 'share of pairs' },
    curves: SETTINGS.flatMap(({ bits, tables }, s) => [
      {
        name: `${bits} bits, ${tables} tables`,
        points: Array.from({ length: 96 }, (_, i) => [i / 100, candidateRate(i / 100, bits, tables)] as const),
      },
      {
        name: `measured, ${bits} bits, ${tables} tables`,
        kind: 'dots' as const,
        points: COSINES.map((cosine, c) => [cosine, found[s]![c]! / pairs] as const),
      },
    ]),
  });
  plot('multi-probe', {
    title: 'Pairs found by 8 tables of 16 bits when neighbouring buckets are probed too',
    y: { label: 'share of pairs' },
    note: 'Probes come in the order of how unsure their flipped bits are.',
    columns: {
      labels: COSINES.map((cosine) => `cosine ${cosine}`),
      series: PROBES.map((probes, k) => ({ name: `${probes} probes`, values: probed[k]!.map((n) => n / pairs) })),
    },
  });
  return {
    claims: [
      {
        id: 'candidate-rates',
        says: 'The share of pairs that share a bucket is 1 - (1 - p^k)^L with p = 1 - arccos(cosine)/pi.',
        kind: 'measured',
        value: worst,
        target: `within 4 standard deviations at all ${rows.length} settings (${pairs} pairs each)`,
        holds: worst <= 4,
      },
      {
        id: 'multi-probe',
        says: 'Eight tables with 16 probes find more pairs of cosine 0.8 than 32 tables without: a quarter of the memory.',
        kind: 'measured',
        value: at(16, 0.8),
        baseline: plain32,
        target: 'more than the formula gives for 32 tables, by 3 standard deviations',
        holds: at(16, 0.8) > plain32 + margin,
      },
      {
        id: 'probe-order',
        says: 'Probes never repeat a key, and come in the order of the sum of squares of the flipped projections.',
        kind: 'identity',
        value: disorder,
        target: '0 keys out of order or repeated, among 64 probes of each of 200 tables',
        holds: disorder === 0,
      },
    ],
    tables: [
      {
        title: 'Share of pairs in a common bucket',
        columns: ['bits', 'tables', 'cosine', 'formula', 'measured', 'standard deviations off'],
        rows: rows.map(({ bits, tables, cosine, expected, measured, off }) => [
          bits,
          tables,
          cosine,
          expected,
          measured,
          off,
        ]),
      },
      {
        title: 'Share of pairs found by 8 tables of 16 bits',
        columns: ['probes a table', ...COSINES.map((cosine) => `cosine ${cosine}`)],
        rows: PROBES.map((probes, k) => [probes, ...probed[k]!.map((n) => n / pairs)]),
      },
    ],
  };
}

/** Two random vectors with exactly this cosine. */
function pairOf(rng: Rng, cosine: number): [Float64Array, Float64Array] {
  const a = Float64Array.from({ length: DIM }, () => rng.normal());
  const n = Float64Array.from({ length: DIM }, () => rng.normal());
  const dot = (x: Float64Array, y: Float64Array): number => x.reduce((sum, v, i) => sum + v * y[i]!, 0);
  const aa = dot(a, a);
  const an = dot(a, n) / aa;
  const side = n.map((v, i) => v - an * a[i]!);
  const scale = Math.sqrt(aa / dot(side, side)) * Math.sqrt(1 - cosine * cosine);
  return [a, a.map((v, i) => cosine * v + scale * side[i]!)];
}

function keyOf(projections: Float32Array, table: number, bits: number): number {
  let key = 0;
  for (let i = 0; i < bits; i++) if (projections[table * bits + i]! > 0) key |= 1 << i;
  return key;
}

function sharesBucket(a: Float32Array, b: Float32Array, bits: number, tables: number): boolean {
  for (let t = 0; t < tables; t++) if (keyOf(a, t, bits) === keyOf(b, t, bits)) return true;
  return false;
}

function probeFinds(query: Float32Array, item: Float32Array, probes: number): boolean {
  for (let t = 0; t < 8; t++) {
    if (probeKeys(query.subarray(t * 16, t * 16 + 16), probes).includes(keyOf(item, t, 16))) return true;
  }
  return false;
}

/** Probes that come too early for their score, or twice. */
function disorderOf(projections: Float32Array): number {
  const keys = probeKeys(projections, 64);
  const own = keys[0]!;
  const scores = keys.map((key) => {
    let score = 0;
    for (let i = 0; i < 16; i++) if (((key ^ own) >>> i) & 1) score += projections[i]! ** 2;
    return score;
  });
  const early = scores.filter((score, i) => i > 0 && score < scores[i - 1]! * (1 - 1e-6)).length;
  return early + keys.length - new Set(keys).size;
}
