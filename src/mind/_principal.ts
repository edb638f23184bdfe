// The first principal components of many rows, by subspace iteration. For pictures: the directions come from a sample of the
// rows, evenly spread, which is enough to lay them out.
import { Rng } from '../tensor/index.ts';

export interface PrincipalOptions {
  /** [n, width] rows; centred in place. */
  readonly data: Float64Array;
  readonly width: number;
  readonly components: number;
  readonly pause: () => Promise<void>;
}

const ROUNDS = 7;
/** Rows that the directions are found from. */
const SAMPLE = 1024;

/** [n, components] scores of the centred rows, and the share of the variance that they hold. */
export async function principalScores(options: PrincipalOptions): Promise<{ scores: Float64Array; explained: number }> {
  const { data, width, components, pause } = options;
  const n = data.length / width;
  const variance = await centre(data, width, pause);
  const rng = new Rng('memory-map');
  let basis = Array.from({ length: components }, () => Float64Array.from({ length: width }, () => rng.normal()));
  const sample = Math.min(n, SAMPLE);
  for (let round = 0; round < ROUNDS; round++) {
    orthonormalise(basis);
    const next = basis.map(() => new Float64Array(width));
    for (let k = 0; k < sample; k++) {
      const row = data.subarray(Math.floor((k * n) / sample) * width).subarray(0, width);
      for (let c = 0; c < components; c++) addScaled(next[c]!, row, dot(basis[c]!, row));
      if (k % 64 === 63) await pause();
    }
    basis = next;
  }
  orthonormalise(basis);
  const scores = new Float64Array(n * components);
  let shown = 0;
  for (let i = 0; i < n; i++) {
    const row = data.subarray(i * width, (i + 1) * width);
    for (let c = 0; c < components; c++) {
      const score = dot(basis[c]!, row);
      scores[i * components + c] = score;
      shown += score * score;
    }
    if (i % 64 === 63) await pause();
  }
  return { scores, explained: shown / (variance || 1) };
}

/** Takes the mean away; returns the sum of squares that is left. */
async function centre(data: Float64Array, width: number, pause: () => Promise<void>): Promise<number> {
  const n = data.length / width;
  const mean = new Float64Array(width);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < width; j++) mean[j]! += data[i * width + j]! / n;
    if (i % 1024 === 1023) await pause();
  }
  let power = 0;
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < width; j++) {
      const v = (data[i * width + j]! -= mean[j]!);
      power += v * v;
    }
    if (i % 1024 === 1023) await pause();
  }
  return power;
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let j = 0; j < a.length; j++) sum += a[j]! * b[j]!;
  return sum;
}

function addScaled(to: Float64Array, row: Float64Array, factor: number): void {
  for (let j = 0; j < to.length; j++) to[j]! += factor * row[j]!;
}

/** Gram-Schmidt, with signs fixed by the largest entry so that the same memory gives the same map. */
function orthonormalise(basis: readonly Float64Array[]): void {
  basis.forEach((v, k) => {
    for (const u of basis.slice(0, k)) addScaled(v, u, -dot(v, u));
    let largest = 0;
    for (let j = 1; j < v.length; j++) if (Math.abs(v[j]!) > Math.abs(v[largest]!)) largest = j;
    const norm = Math.sqrt(dot(v, v)) * Math.sign(v[largest]! || 1);
    for (let j = 0; j < v.length; j++) v[j]! /= norm || 1;
  });
}
