// Run by a test in a process of its own: streams boards into a data directory and prints every id after it was acknowledged.
import { writeSync } from 'node:fs';
import { testDesk } from './_testing.ts';

async function main(dataDir: string): Promise<void> {
  const desk = await testDesk({ dataDir });
  for await (const board of desk.stream()) writeSync(1, `${board.id}\n`);
}

void main(process.argv[2]!);
