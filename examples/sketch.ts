// One kilobyte holds a scene; three quarters of it can be erased and the parts still come back, with a stated error.
import assert from 'node:assert/strict';
import { encode, type Obj, quantise, storedBytes, toBytes, truncate, unroll } from 'cairn/sketch';

const part = (module: string, ...attributes: number[]): Obj => ({ module, attributes: Float32Array.from(attributes) });

export async function main(): Promise<void> {
  const scene: Obj = {
    module: 'scene',
    attributes: Float32Array.of(0.5),
    inputs: [
      { object: part('cube', 0.8, 0.1, 0.3), weight: 0.5 },
      { object: part('sphere', 0.2, 0.7, 0.6), weight: 0.5 },
    ],
  };
  const encoded = encode(scene, { dim: 1024, seed: 'demo', family: 'hd3', store: 'i8', signatures: false });
  const stored = quantise(encoded);
  assert.equal(toBytes(stored).length, storedBytes('i8', 1024));

  for (const kept of [1024, 256]) {
    const [root] = unroll(truncate(stored, kept), encoded.structure).outputs;
    const sphere = root!.inputs[1]!;
    assert.equal(sphere.module, 'sphere');
    assert.ok(
      Math.abs(sphere.attributes[1]! - 0.7) < 5 * sphere.err + 1e-3,
      `${kept} numbers: ${sphere.attributes[1]}`,
    );
  }
}
