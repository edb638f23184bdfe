// A process that remembers events until it is killed, and prints each id after it was acknowledged. Run by durability.test.ts.
import { writeSync } from 'node:fs';
import { Rng } from '../../tensor/index.ts';
import { Memory } from '../memory.ts';
import { board, randomDigits } from './scenes.ts';

async function main(path: string, seed: string): Promise<void> {
  const memory = await Memory.open({ path, seed: 'durability', spec: { dim: 256 } });
  const rng = new Rng(seed);
  for (let n = 0; ; n += 4) {
    const batch = Array.from({ length: 4 }, (_, i) => ({ n: n + i, digits: randomDigits(rng, 16, 5) }));
    await Promise.all(
      batch.map(async ({ n, digits }) => {
        const provenance = { source: seed, ordinal: n };
        const { id } = await memory.remember(board(digits, 5), { task: 'solve-board', provenance, meta: { n }, at: n });
        writeSync(1, `${id} ${digits.join('')}\n`);
      }),
    );
  }
}

void main(process.argv[2]!, process.argv[3]!);
