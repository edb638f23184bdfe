import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { generatePool, loadRouter, readTable, selectModels, tableFiles, writeTable } from '../../route/index.ts';
import { quietIo } from '../_testing.ts';
import { parseCommand } from '../command.ts';
import type { Io } from '../io.ts';
import { route } from './route.ts';

const pool = generatePool({ seed: 3, prompts: 300, models: 5 });
const lines: string[] = [];
let folder: string;
let io: Io;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cairn-route-'));
  await writeTable(pool.table, join(folder, 'all'));
  await writeTable(selectModels(pool.table, [0, 1, 2, 3]), join(folder, 'four'));
  io = quietIo(folder, { progress: (line) => void lines.push(line), status: (line) => void lines.push(line) });
});
afterAll(() => rm(folder, { recursive: true }));

const run = (...argv: string[]) => route.run(parseCommand(route, argv), io);
const at = (name: string): string => join(folder, name);

describe('cairn route', () => {
  it('fits a router on a table and writes its card', async () => {
    const result = await run('fit', at('four'), '--out', at('router'), '--seed', '5');
    const card = JSON.parse(await readFile(join(at('router'), 'router.json'), 'utf8')) as {
      models: { id: string }[];
      nVal: number;
    };
    expect(card.models.map((m) => m.id)).toEqual(['model-a', 'model-b', 'model-c', 'model-d']);
    expect(card.nVal).toBe(120);
    expect(result.value).toMatchObject({
      out: at('router'),
      labelled: 120,
      best: { model: expect.any(String) as string },
    });
    expect(result.text).toContain('Routed: error');
    expect(lines.some((line) => line.startsWith('Features from 180 prompts'))).toBe(true);
    const router = await loadRouter(at('router'));
    expect(router.route(pool.table.prompts[0]!.text).ranking).toHaveLength(4);
    expect(router.parts.provenance['tasksTold']).toBeGreaterThan(1);
    await run('fit', at('four'), '--out', at('untold'), '--seed', '5', '--ignore-tasks');
    expect((await loadRouter(at('untold'))).parts.provenance['tasksTold']).toBe(0);
  }, 60_000);

  it('makes a table of answers, line by line, that can be fitted', async () => {
    const { prompts, models, score } = pool.table;
    const lines = prompts.flatMap((p, j) =>
      models.map((m, i) =>
        JSON.stringify({ id: p.id, prompt: p.text, model: m.id, score: score[j * models.length + i] }),
      ),
    );
    await writeFile(at('answers.jsonl'), lines.join('\n'));
    const names = ['--models', join(at('all'), 'models.json'), '--out', at('made')];
    const result = await run('import', at('answers.jsonl'), ...names);
    expect(result.value).toMatchObject({ prompts: 300, scored: 1500, missing: 0 });
    const made = await readTable(at('made'));
    expect([...made.score]).toEqual([...score]);
    expect(made.prompts.map((p) => p.text)).toEqual(prompts.map((p) => p.text));
    await expect(run('import', at('nothing.csv'), ...names)).rejects.toThrow('got none that can be read');
    await expect(run('import', at('answers.jsonl'))).rejects.toThrow(
      'Expected files of answers, --models FILE and --out TABLE',
    );
  });

  it('adds a scored model without fitting again', async () => {
    const before = await loadRouter(at('router'));
    const result = await run('add', 'model-e', at('all'), '--router', at('router'));
    expect(result.value).toMatchObject({ model: 'model-e', prompts: 120 });
    const after = await loadRouter(at('router'));
    expect(after.arms.map((a) => a.id)).toEqual(['model-a', 'model-b', 'model-c', 'model-d', 'model-e']);
    expect(after.estimates.slice(0, 4)).toEqual(before.estimates);
    await expect(run('add', 'nobody', at('all'), '--router', at('router'))).rejects.toThrow(
      'Expected a model of the table, got "nobody".',
    );
  });

  it('measures methods over trials, with ZeroRouter as the comparison', async () => {
    const result = await run(
      'eval',
      at('all'),
      '--trials',
      '2',
      '--unseen',
      '3',
      '--methods',
      'default,zero,shrunk,oracle',
    );
    const { rows } = result.value as { rows: { method: string; area: number; gain?: number; wins?: number }[] };
    expect(rows.map((r) => r.method)).toEqual(['default', 'zero', 'shrunk', 'oracle']);
    const area = Object.fromEntries(rows.map((r) => [r.method, r.area]));
    expect(area['oracle']!).toBeGreaterThan(area['default']!);
    expect(rows[0]!.gain).toBeCloseTo(area['default']! - area['zero']!, 12);
    expect(result.text).toContain('above ZeroRouter');
  }, 60_000);

  it.each([
    [['fit'], 'Expected a folder with a table, got none.'],
    [['fit', 'nowhere'], 'Expected prompts.jsonl in'],
    [['guess'], 'Expected import, fit, eval or add, got "guess".'],
    [['eval', 'a', 'b'], 'Expected one folder, got 1 more words.'],
  ])('%j is refused with a reason', async (argv, text) => {
    await expect(run(...argv)).rejects.toThrow(text);
  });

  it('takes one operating point only', async () => {
    const both = ['--quality', '0.5', '--budget', '1'];
    await expect(run('fit', at('all'), ...both)).rejects.toThrow('Expected one of --quality, --max-error-increase');
  });

  it('names faults by file and line, and leaves incomplete models out only when asked to', async () => {
    const { mkdir, writeFile } = await import('node:fs/promises');
    await mkdir(at('holes'), { recursive: true });
    const files = tableFiles(selectModels(pool.table, [0, 1]));
    for (const [name, text] of Object.entries(files)) {
      await writeFile(join(at('holes'), name), name === 'scores.csv' ? text.replace(/^(p5,[^,]*),.*$/m, '$1,') : text);
    }
    await expect(run('fit', at('holes'), '--out', at('r2'))).rejects.toThrow(
      'got none for prompt "p5" and model "model-b"',
    );
    const result = await run('fit', at('holes'), '--out', at('r2'), '--drop-incomplete');
    expect(result.value).toMatchObject({ models: [{ id: 'model-a' }] });
    expect(lines).toContain('Left out, not scored on every prompt: model-b.');
    await writeFile(join(at('holes'), 'scores.csv'), files['scores.csv']!.replace(/^p7,/m, 'p8,'));
    await expect(run('fit', at('holes'))).rejects.toThrow('scores.csv:9: Expected row 8 to hold id p7, got "p8".');
  }, 60_000);
});
