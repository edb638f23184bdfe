// Tasks learned one after another: what is certain is frozen, later tasks read it, and nothing is forgotten.
import assert from 'node:assert/strict';
import { describeModel, Lifelong } from 'cairn/grow';
import { Rng } from 'cairn/tensor';

const tasks: Readonly<Record<string, (x: number[]) => number>> = {
  'left differs': (x) => x[0]! ^ x[1]!,
  'right differs': (x) => x[4]! ^ x[5]!,
  'exactly one differs': (x) => x[0]! ^ x[1]! ^ x[4]! ^ x[5]!,
};

export async function main(): Promise<void> {
  const features = ['a', 'b', 'c', 'd', 'e', 'f'];
  const learner = new Lifelong({ features, seed: 7, epsilon: 0.25, delta: 0.01 });
  const rng = new Rng(7);
  const draw = (): number[] => features.map(() => (rng.bernoulli() ? 1 : 0));

  for (const [name, task] of Object.entries(tasks)) {
    for (let k = 0; k < 60; k++) {
      const x = draw();
      learner.step(name, x, task(x));
    }
  }
  const { name, model, certificate } = learner.frozen().at(-1)!;
  assert.equal(name, 'exactly one differs');
  assert.ok(model.kind !== 'adopted');
  assert.equal(
    describeModel(model, (r) => learner.library.nameOf(r)),
    'xor(left differs, right differs)',
  );
  assert.equal(certificate?.how, 'exact'); // wrong with a chance of at most one in a hundred

  for (const [name, task] of Object.entries(tasks)) {
    for (let k = 0; k < 100; k++) {
      const x = draw();
      assert.equal(learner.call(name, x), task(x));
    }
  }
  learner.verify(); // every frozen module still is what was frozen
}
