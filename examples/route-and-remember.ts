// Two modules compete for one task; the cheap one answers what it can; every answer is remembered and can be explained.
import assert from 'node:assert/strict';
import { Mind, type Module } from 'cairn/mind';

const capitals: Record<string, string> = { france: 'Paris', japan: 'Tokyo' };

const table: Module<string, string> = {
  id: 'capital/table',
  task: 'capital',
  cost: { unit: 'flop', amount: 1 },
  run: async (country) => ({
    output: capitals[country.toLowerCase()],
    attributes: new Float32Array([1, 0]),
    usage: { flop: 1 },
  }),
};
const slow: Module<string, string> = {
  id: 'capital/slow',
  task: 'capital',
  cost: { unit: 'flop', amount: 1000 },
  run: async (country) => ({
    output: `the capital of ${country}`,
    attributes: new Float32Array([0, 1]),
    usage: { flop: 1000 },
  }),
};

export async function main(): Promise<void> {
  const mind = await Mind.open({ dataDir: ':memory:', seed: 7 });
  mind.add(table);
  mind.add(slow);

  const easy = await mind.ask<string>('capital', 'Japan');
  assert.deepEqual([easy.output, easy.module], ['Tokyo', 'capital/table']);

  const hard = await mind.ask<string>('capital', 'Atlantis'); // the table abstains, the next module answers
  assert.equal(hard.module, 'capital/slow');
  assert.equal(hard.usage.flop, 1001); // every attempt is charged

  const { receipt } = await mind.explain(hard.event!);
  assert.deepEqual(
    receipt!.call.attempts.map((a) => [a.module, a.outcome]),
    [
      ['capital/table', 'abstained'],
      ['capital/slow', 'answered'],
    ],
  );
  await mind.close();
}
