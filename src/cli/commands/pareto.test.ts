import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { quietIo } from '../_testing.ts';
import { parseCommand } from '../command.ts';
import type { Io } from '../io.ts';
import { pareto } from './pareto.ts';

let folder: string;
let io: Io;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cairn-pareto-'));
  io = quietIo(folder);
});
afterAll(() => rm(folder, { recursive: true }));

const run = (...argv: string[]) => pareto.run(parseCommand(pareto, argv), io);

it('reads points from a file: table, verdicts, drawing', async () => {
  const file = join(folder, 'points.json');
  const points = [
    { id: 'small', cost: 1, quality: 0.7, ciLow: 0.68, ciHigh: 0.72 },
    { id: 'middle', cost: 2, quality: 0.75 },
    { id: 'large', cost: 4, quality: 0.9, ciLow: 0.88, ciHigh: 0.92 },
    { id: 'waste', cost: 5, quality: 0.6, ciLow: 0.55, ciHigh: 0.65 },
    { id: 'unlucky', cost: 5, quality: 0.89, ciLow: 0.85, ciHigh: 0.93 },
  ];
  await writeFile(file, JSON.stringify({ points }));
  const svg = join(folder, 'out.svg');
  const { value, text } = await run(file, '--svg', svg);
  expect(value).toMatchObject({
    front: ['small', 'middle', 'large'],
    hull: ['small', 'large'],
    ties: [],
    dominated: { waste: 'small' },
  });
  expect((value as { hypervolume: number }).hypervolume).toBeCloseTo(4 * 0.1 + 3 * 0.05 + 0.15, 12);
  expect(text).toContain('beaten by small with confidence');
  expect(text).toContain('beaten, within the intervals');
  expect(await readFile(svg, 'utf8')).toContain('<svg');
});

it('reads the runs of a folder', async () => {
  const runs = join(folder, 'data', 'runs');
  for (const [name, validLoss, parameters] of [
    ['one', 2, 1000],
    ['two', 1.5, 5000],
    ['three', 1.8, 9000],
  ] as const) {
    await mkdir(join(runs, name), { recursive: true });
    const training = { seconds: 10, report: { validLoss, parameters, tokensPerSecond: 500 } };
    await writeFile(join(runs, name, 'training.json'), JSON.stringify(training));
    await writeFile(join(runs, name, 'model.safetensors'), new Uint8Array(parameters * 4));
  }
  await mkdir(join(runs, 'unfinished'));
  expect((await run()).value).toMatchObject({ front: ['one', 'two'], cost: 'parameters', dominated: { three: 'two' } });
  expect((await run(runs, '--cost', 'ms')).value).toMatchObject({ front: ['two'] });
  expect((await run(runs, '--cost', 'bytes')).value).toMatchObject({ front: ['one', 'two'] });
});

it('names what is wrong', async () => {
  await expect(run(join(folder, 'absent'))).rejects.toThrow('got nothing at');
  await expect(run(folder)).rejects.toThrow('runs of language models');
  await writeFile(join(folder, 'bad.json'), '[{ "id": "a", "cost": "1", "quality": 2 }]');
  await expect(run(join(folder, 'bad.json'))).rejects.toThrow('points with id, cost and quality');
  await writeFile(join(folder, 'twice.json'), '[{"id":"a","cost":1,"quality":2},{"id":"a","cost":1,"quality":2}]');
  await expect(run(join(folder, 'twice.json'))).rejects.toThrow('`a` twice');
  await expect(run(join(folder, 'twice.json'), '--cost', 'money')).rejects.toThrow('Expected --cost');
});
