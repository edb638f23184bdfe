// Scenes of parts for the experiment, and what one part of it contributes to the report.
import type { Obj } from 'cairn/sketch';
import type { Rng } from 'cairn/tensor';

/** A part with random non-negative attributes of norm 1. */
export function part(module: string, rng: Rng, size = 8): Obj {
  const x = Float64Array.from({ length: size }, () => rng.uniform());
  const norm = Math.sqrt(x.reduce((sum, v) => sum + v * v, 0)) * (1 + 1e-6);
  return { module, attributes: Float32Array.from(x, (v) => v / norm) };
}

/** Four parts of four modules. */
export function parts(rng: Rng): Obj[] {
  return Array.from({ length: 4 }, (_, i) => part(`thing-${i}`, rng));
}

/** A scene of parts with equal weights. */
export function scene(inputs: readonly Obj[]): Obj {
  return {
    module: 'scene',
    attributes: new Float32Array(2),
    inputs: inputs.map((object) => ({ object, weight: 1 / inputs.length })),
  };
}

/** Standard deviation of a share p measured in n trials. */
export function deviation(p: number, n: number): number {
  return Math.sqrt((p * (1 - p)) / n);
}
