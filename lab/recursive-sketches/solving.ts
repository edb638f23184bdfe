// Decoding all objects jointly: exact up to rounding, with an error that is known before any data.
import { encode, eraseRandom, expectedError, quantise, truncate, unroll, type UnrolledObject } from 'cairn/sketch';
import type { Rng } from 'cairn/tensor';
import type { Cell, Part } from '../report.ts';
import { largest, mean, objectsOf, OBJECTS, PARTS, scene, specOf, squared, UNBALANCED } from './scenes.ts';

/** Joint solving at 8 and 4 bits and under erasure, with the error that is returned and the one expected beforehand. */
export function solving(rng: Rng, seed: number, scenes: number): Part {
  const spec = specOf(1024, seed);
  const rows: Cell[][] = [];
  const ratios: number[] = [];
  const top = new Map<string, { one: number; two: number; common: number }>();
  let exact = 0;
  let foreign = 0;
  const cases = [
    ['i8', 1024, 'prefix'],
    ['i8', 512, 'prefix'],
    ['i8', 256, 'prefix'],
    ['i8', 512, 'random'],
    ['i4', 1024, 'prefix'],
  ] as const;
  const events = Array.from({ length: scenes }, (_, s) => {
    const objects = scene(rng.fork(s));
    return { objects, event: encode(objects, spec, UNBALANCED) };
  });
  for (const [store, kept, order] of cases) {
    const bits = store === 'i8' ? 8 : 4;
    const before = expectedError(spec, events[0]!.event.structure, { kept, bits });
    const power: [number, number] = [0, 0];
    const said: [number, number] = [0, 0];
    const foreseen: [number, number] = [0, 0];
    const worst: [number[], number[]] = [[], []];
    for (const { objects, event } of events) {
      const stored = quantise(event, { store });
      const cut = order === 'prefix' ? truncate(stored, kept) : eraseRandom(stored, kept, seed);
      const found = flatten(unroll(cut, event.structure).outputs);
      const scenePeak: [number, number] = [0, 0];
      for (const { path, depth, object } of objectsOf(objects)) {
        const read = found.get(path)!;
        power[depth - 1]! += squared(read.attributes, object.attributes);
        said[depth - 1]! += read.err ** 2;
        foreseen[depth - 1]! += before.get(path)! ** 2;
        scenePeak[depth - 1] = Math.max(scenePeak[depth - 1]!, largest(read.attributes, object.attributes));
      }
      worst[0].push(scenePeak[0]);
      worst[1].push(scenePeak[1]);
    }
    for (const level of [0, 1] as const) {
      ratios.push(Math.sqrt(said[level] / power[level]), Math.sqrt(foreseen[level] / power[level]));
      rows.push([
        bits,
        kept,
        order,
        level + 1,
        Math.sqrt(power[level] / (scenes * (level === 0 ? OBJECTS : OBJECTS * PARTS))),
        Math.sqrt(said[level] / power[level]),
        Math.sqrt(foreseen[level] / power[level]),
        mean(worst[level]),
        Math.max(...worst[level]),
      ]);
    }
    top.set(`${store}:${kept}:${order}`, {
      one: Math.max(...worst[0]),
      two: Math.max(...worst[1]),
      // All but one scene in twenty.
      common: worst[0].toSorted((a, b) => a - b)[Math.ceil(0.95 * scenes) - 1]!,
    });
  }
  for (const { objects, event } of events) {
    const found = flatten(unroll(event, event.structure).outputs);
    exact = Math.max(
      exact,
      ...objectsOf(objects).map((o) => largest(found.get(o.path)!.attributes, o.object.attributes)),
    );
    const wrong = { ...quantise(event), spec: specOf(1024, `${seed}:wrong`) };
    if (unroll(wrong, event.structure).consistent) foreign++;
  }
  const whole = top.get('i8:1024:prefix')!;
  const quarter = top.get('i8:256:prefix')!;
  const within = Math.max(...ratios.map((r) => Math.max(r, 1 / r)));
  return {
    claims: [
      {
        id: 'solve-exact',
        says: 'Without rounding, solving for all objects jointly returns every attribute.',
        kind: 'identity',
        value: exact,
        target: 'largest error <= 1e-6 (attributes are f32)',
        holds: exact <= 1e-6,
      },
      {
        id: 'solve-8-bit-depth-1',
        says: 'At 8 bits and d = 1,024 the largest error over all objects of depth 1 of all scenes stays small.',
        kind: 'bound',
        value: whole.one,
        target: '<= 5e-3',
        holds: whole.one <= 5e-3,
      },
      {
        id: 'solve-8-bit-depth-2',
        says: 'The same for objects of depth 2.',
        kind: 'bound',
        value: whole.two,
        target: '<= 5e-2',
        holds: whole.two <= 5e-2,
      },
      {
        id: 'quarter-kept',
        says: 'With three quarters of the bytes erased, the largest error at depth 1 is still small.',
        kind: 'measured',
        value: quarter.common,
        baseline: quarter.one,
        target: '<= 1e-2 in 95 of 100 scenes (baseline: the worst scene)',
        holds: quarter.common <= 1e-2,
      },
      {
        id: 'error-is-stated',
        says: 'The returned error, and the one computed before any data, agree with the true one.',
        kind: 'measured',
        value: within,
        target: 'within a factor 2 at every depth, size and bit width',
        holds: within <= 2,
      },
      {
        id: 'wrong-seed-noticed',
        says: 'A sketch read with the wrong seed is reported as inconsistent.',
        kind: 'identity',
        value: foreign,
        target: '0 scenes pass',
        holds: foreign === 0,
      },
    ],
    tables: [
      {
        title: `Joint solving, d = 1,024, ${scenes} scenes of 12 objects (ratios: stated error over true error)`,
        columns: ['bits', 'kept', 'erased', 'depth', 'true rms', 'returned', 'foreseen', 'mean largest', 'largest'],
        rows,
      },
    ],
  };
}

function flatten(outputs: readonly UnrolledObject[]): Map<string, UnrolledObject> {
  const out = new Map<string, UnrolledObject>();
  const walk = (o: UnrolledObject): void => {
    out.set(o.path, o);
    o.inputs.forEach(walk);
  };
  outputs.forEach(walk);
  return out;
}
