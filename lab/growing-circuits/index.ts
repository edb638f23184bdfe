// The Mind Grows Circuits (arXiv 1203.0088): nodes are added when they shorten the code of everything seen. Periodic, random
// and grammatical streams; SCAN commands and English text when a data folder is given.
import { Rng } from 'cairn/tensor';
import { type LabOptions, type LabReport, type Part, runParts } from '../report.ts';
import { beside, type Sample } from './beside.ts';
import { extremes, functions, watched } from './growth.ts';
import { command, english, scanCommands, sentences } from './streams.ts';

/** Runs every part; `ci` takes well under a minute on two cores. */
export async function run(options: LabOptions): Promise<LabReport> {
  const { seed, scale, plot, data } = options;
  const rng = new Rng(seed).fork('growing-circuits');
  const full = scale === 'full';
  const parts: [string, () => Part][] = [
    ['periodic and random streams', () => extremes(rng.fork('extremes'), full ? 20 : 5, plot)],
    ['growth in doublings', () => watched(rng.fork('watched'), full ? 8000 : 2000, full ? 120_000 : 30_000, plot)],
    ['functions with holes', () => functions(rng.fork('functions'))],
    ['beside compressors', () => compared(rng.fork('beside'), full, data)],
  ];
  return runParts(
    options,
    { slug: 'growing-circuits', paper: { title: 'The Mind Grows Circuits', arxiv: '1203.0088' } },
    parts,
  );
}

function compared(rng: Rng, full: boolean, data: string | undefined): Part {
  const size = full ? 200_000 : 30_000;
  const lines = (name: string, commands: string[][]): Sample => ({
    name,
    text: commands.map((c) => c.join(' ')).join('\n'),
    streams: commands,
  });
  const text = (name: string, characters: string): Sample => ({
    name,
    text: characters,
    streams: [characters.split('')],
  });
  const scan = scanCommands(data, rng.fork('scan'), full ? 20_910 : 3000);
  const prose = english(data, rng.fork('english'), size);
  const samples = [
    lines(
      'made-up commands',
      Array.from({ length: full ? 10_000 : 2000 }, () => command(rng)),
    ),
    text('made-up sentences', sentences(rng, size)),
    ...(scan === undefined ? [] : [lines('SCAN commands', scan)]),
    ...(prose === undefined ? [] : [text('English text', prose)]),
  ];
  return beside(samples, [
    ...(scan === undefined ? ['memory/scan/tasks.txt'] : []),
    ...(prose === undefined ? ['text/tinyshakespeare.txt'] : []),
  ]);
}
