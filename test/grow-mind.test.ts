// Growth on the real mind: networks, solvers, a store on disk. A reader is distilled from remembered boards with little
// training, tried on boards that took no part, and taken or declined by what that shows; both ends are checked.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { afterAll, expect, test } from 'vitest';
import { openBoards, type ModuleGrowth } from '../src/mind/index.ts';

const dataDir = mkdtempSync(join(tmpdir(), 'cairn-grow-mind-'));
afterAll(() => rmSync(dataDir, { recursive: true, force: true }));

// More of everything for figures; the test holds for any.
const BOARDS = Number(process.env['CAIRN_GROW_BOARDS'] ?? 100);
const TRAINING = BOARDS > 200 ? {} : { minExamples: 500, copies: 2, epochs: 3 };
const open = (): ReturnType<typeof openBoards> => openBoards({ dataDir, seed: 'grow-mind', growth: TRAINING });

test('boards become concepts, patterns and a reader that is taken only where it pays', async () => {
  const boards = await open();
  const stream = boards.stream();
  for (let i = 0; i < BOARDS; i++) await stream.next();
  const readers = boards.mind.modules('read-digit');
  const delay = monitorEventLoopDelay({ resolution: 2 });
  delay.enable();
  const grown = await boards.growths.grow({ minEvents: 25 });
  delay.disable();
  expect(grown.filter((g) => g.kind === 'concept' && g.module === 'read-digit')).toHaveLength(10);
  expect(grown.filter((g) => g.kind === 'circuit').map((g) => g.status)).toEqual(['standing', 'standing']);
  const module = grown.find((g): g is ModuleGrowth => g.kind === 'module')!;
  console.log(JSON.stringify({ ...module, longestStallMs: Math.round(delay.max / 1e6) }));
  expect(module.composition.path.at(-1)).toBe('read-digit/large');
  expect(module.learned).toBeGreaterThan(500);
  expect(module.heldOut.events).toBeGreaterThan(10);
  expect(module.flop).toBeLessThan(2e6);
  expect(module.cost.before).toBeGreaterThan(0);
  const name = `growth/module/${module.module}`;
  if (module.status === 'declined') {
    expect(module.because).toMatch(/%|answered/);
    expect(boards.mind.modules('read-digit')).toEqual(readers);
    expect(await boards.mind.memory.store.stat(name)).toBeUndefined();
    await boards.close();
    return;
  }
  expect(module.costRatio.high).toBeLessThanOrEqual(0.95);
  expect(module.errorChange.high).toBeLessThanOrEqual(0.003);
  expect(module.answered.after).toBeGreaterThanOrEqual(module.answered.before);
  const seen = new Set<string>();
  for (let i = 0; i < 10; i++) for (const cell of (await stream.next()).cells) cell.asked.forEach((a) => seen.add(a));
  expect(seen.has('grown-1')).toBe(true);
  const weights = await boards.mind.memory.store.stat(name);
  await boards.close();

  const again = await open();
  expect(again.mind.modules('read-digit')).toContain('read-digit/grown-1');
  expect(await again.mind.memory.store.stat(name)).toEqual(weights);
  expect((await again.stream().next()).cells.some((cell) => cell.asked.includes('grown-1'))).toBe(true);
  const [event] = again.growths.eventsOf(module.id);
  await again.forget(event!, 'subtract');
  expect(again.mind.modules('read-digit')).toEqual(readers);
  expect(await again.mind.memory.store.stat(name)).toBeUndefined();
  await again.close();
}, 900_000);
