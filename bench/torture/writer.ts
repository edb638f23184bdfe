// A process that remembers, repeats and forgets events until it is killed. It prints a line for each after it was
// acknowledged: `+ id`, `= id count`, `? id` and `- id`. Started by index.ts and meant to die in the middle of anything.
import { writeSync } from 'node:fs';
import { Memory } from 'cairn/memory';
import { Rng } from 'cairn/tensor';
import { board, CLASSES, digitsOf } from './board.ts';

async function main(path: string, seed: string): Promise<void> {
  const memory = await Memory.open({ path, seed: 'torture', spec: { dim: 256 } });
  const rng = new Rng(seed);
  const own: { id: string; n: number; digits: readonly number[] }[] = [];
  const say = (line: string): number => writeSync(1, `${line}\n`);
  const remember = async (n: number, digits: readonly number[]): Promise<{ id: string; count: number }> => {
    const provenance = { source: seed, ordinal: n };
    return memory.remember(board(digits, CLASSES), { task: 'solve-board', provenance, meta: { n }, at: n });
  };
  for (let n = 0; ; n += 4) {
    const batch = Array.from({ length: 4 }, (_, i) => ({ n: n + i, digits: digitsOf(seed, n + i) }));
    await Promise.all(
      batch.map(async ({ n: at, digits }) => {
        const { id } = await remember(at, digits);
        say(`+ ${id}`);
        own.push({ id, n: at, digits });
      }),
    );
    if (own.length > 8 && rng.bernoulli(0.3)) {
      const { n: at, digits } = own[rng.integer(own.length)]!;
      const { id, count } = await remember(at, digits);
      say(`= ${id} ${count}`);
    }
    if (own.length > 8 && rng.bernoulli(0.25)) {
      const [gone] = own.splice(rng.integer(own.length), 1);
      // Whether it is gone may be unknown when the process dies here; that it was asked for is not.
      say(`? ${gone!.id}`);
      await memory.forget(gone!.id, 'subtract', { at: n });
      say(`- ${gone!.id}`);
    }
  }
}

void main(process.argv[2]!, process.argv[3]!);
