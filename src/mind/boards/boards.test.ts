// Boards end to end on readers that are known to err: nothing wrong is ever called proved, and what is remembered comes back.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { solveUnique } from '../../reason/index.ts';
import { testDesk, testDigits } from './_testing.ts';
import { CELLS, PIXELS } from './cells.ts';
import type { Desk } from './desk.ts';
import { generateBoard } from './generated.ts';
import { checksumOf, decodePayload, encodePayload } from './payload.ts';
import type { BoardView } from './view.ts';

const dirs: string[] = [];
async function folder(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'cairn-boards-'));
  dirs.push(dir);
  return dir;
}
afterAll(async () => {
  for (const dir of dirs) await rm(dir, { recursive: true, force: true });
});

describe('generated boards', () => {
  it('are a pure function of seed and index, drawn from test images, with one solution even without any one clue', () => {
    const a = generateBoard(5, 3, testDigits());
    const b = generateBoard('5', 3, testDigits());
    expect(b).toEqual(a);
    expect(generateBoard(5, 4, testDigits()).puzzle).not.toEqual(a.puzzle);
    a.puzzle.forEach((digit, cell) => {
      expect(digit === 0 ? -1 : testDigits().labels[a.images[cell]!]).toBe(digit === 0 ? -1 : digit);
      if (digit === 0) return;
      const without = Uint8Array.from(a.puzzle, (d, i) => (i === cell ? 0 : d));
      expect(solveUnique(without)).toEqual(a.solution);
    });
  });
});

describe('a desk of boards', () => {
  let desk: Desk;
  const views: BoardView[] = [];
  beforeAll(async () => {
    desk = await testDesk();
    const stream = desk.stream();
    for (let i = 0; i < 25; i++) views.push(await stream.next());
  });
  afterAll(() => desk.close());

  it('proves most boards and never a wrong one', () => {
    const proved = views.filter((v) => v.status === 'proved');
    expect(proved.length).toBeGreaterThanOrEqual(20);
    for (const view of proved) {
      const { puzzle, solution } = generateBoard(7, view.ordinal - 1, testDigits());
      expect(view.cells.map((c) => c.digit)).toEqual([...puzzle]);
      expect(view.solution).toEqual([...solution]);
      expect(view.certificate?.checked).toBe(true);
    }
    expect(views.some((v) => v.repaired > 0)).toBe(true);
    expect(views.some((v) => v.escalated > 0)).toBe(true);
  });

  it('says who read every cell, at what cost', () => {
    const view = views[0]!;
    for (const cell of view.cells) {
      expect(cell.given).toBe(cell.digit !== 0);
      if (!cell.given) expect([cell.reader, cell.asked, cell.runnerUp]).toEqual(['ink', ['ink'], null]);
      else expect(cell.asked.length).toBeGreaterThan(0);
    }
    const inked = view.cells.filter((c) => c.given).length;
    expect(view.cost.alwaysLargeFlop).toBe(inked * 3_000_000);
    expect(view.cost.flop).toBeGreaterThan(inked * 11_000);
    const repaired = views.flatMap((v) => v.cells).filter((c) => c.reader === 'repair');
    for (const cell of repaired) expect(cell.repairedFrom).not.toBe(cell.digit);
    expect(view.sketch.bytes).toBeLessThanOrEqual(1280);
    expect(view.sketch.receiptBytes).toBeLessThan(700);
  });

  it('lists boards, newest first', async () => {
    const fresh = new Map(views.map((v) => [v.id, v]));
    for (const view of await desk.list({ limit: 100 })) expect(view).toEqual(fresh.get(view.id));
    expect((await desk.list({ limit: 2, before: 10 })).map((v) => v.ordinal)).toEqual([9, 8]);
  });

  it('has a page for every event: calls as a tree, the proof in words', async () => {
    const proved = views.find((v) => v.status === 'proved')!;
    const page = await desk.event(proved.id);
    expect(page.call.task).toBe('solve-board');
    const board = page.call.calls.find((c) => c.task === 'read-board')!;
    expect(board.calls.map((c) => c.cell)).toEqual(Array.from({ length: CELLS }, (_, i) => i));
    expect(page.call.calls.some((c) => c.task === 'solve-grid' && c.weight === 0)).toBe(true);
    expect(page.proof.filter((s) => s.place)).toHaveLength(81 - proved.cells.filter((c) => c.given).length);
    expect(page.proof[0]!.says).toMatch(/[Rr]ow \d, column \d/);
    expect(JSON.parse(JSON.stringify(page))).toEqual(page);
  });

  it('rebuilds a board from the first numbers of its sketch, and says what to expect', async () => {
    const { id } = views[1]!;
    const whole = await desk.erase(id, 1024);
    expect([whole.right, whole.solutionSurvives]).toEqual([1, true]);
    const quarter = await desk.erase(id, 256);
    expect([quarter.right, quarter.expectedRight, quarter.bytes < 310]).toEqual([1, 1, true]);
    const little = await desk.erase(id, 70);
    expect(little.kept).toBe(64);
    expect(little.right).toBeLessThan(1);
    expect(Math.abs(little.right - little.expectedRight)).toBeLessThan(0.25);
    await expect(desk.erase(id, 0)).rejects.toThrow('Expected at least 1 number to keep');
  });

  it('finds boards by a cell, by the whole and by some digits', async () => {
    const { id, cells } = views[2]!;
    const cell = cells.findIndex((c) => c.given);
    const same = await desk.related(id, cell);
    expect(same.digit).toBe(cells[cell]!.digit);
    for (const hit of same.hits) expect(hit.board!.cells[cell]!.digit).toBe(same.digit);
    expect((await desk.related(id, undefined, 3)).hits).toHaveLength(3);
    const digits = cells.map((c, i) => (i % 3 === 0 ? c.digit : 0));
    expect((await desk.recall({ digits }, 3))[0]!.id).toBe(id);
    await expect(desk.related(id, 81)).rejects.toThrow('Expected a cell from 0 to 80');
    await expect(desk.recall({ digits: [] })).rejects.toThrow('Expected 81 digits');
  });

  it('draws the handwriting again, shows the stored numbers, and counts', async () => {
    const { id } = views[0]!;
    const picture = await desk.picture(id);
    const bytes = Buffer.from(picture!.cells, 'base64');
    expect(bytes).toHaveLength(CELLS * PIXELS);
    const { picture: original } = generateBoard(7, 0, testDigits());
    expect(bytes.every((v, i) => Math.abs(v / 255 - original.cells[i]!) < 1e-6)).toBe(true);
    const numbers = await desk.sketch(id);
    expect([numbers.values.length, numbers.dims]).toEqual([1024, 1024]);
    const totals = await desk.totals();
    expect(totals).toMatchObject({ boards: 25, wrongProved: 0, events: 25, bytesPerEvent: views[0]!.sketch.bytes });
    expect(totals.proved + totals.withheld).toBe(25);
    expect(totals.flop).toBe(views.reduce((s, v) => s + v.cost.flop, 0));
  });

  it('takes a person’s picture; an empty or foreign one is answered in words', async () => {
    const grey = Uint8Array.from(generateBoard('other', 0, testDigits()).picture.cells, (v) => Math.round(v * 255));
    const view = await desk.askImage(grey, { name: 'mine.png' });
    expect([view.status, view.source]).toEqual(['proved', 'image']);
    expect(await desk.picture(view.id)).toBeNull();
    const blank = await desk.askImage(new Uint8Array(CELLS * PIXELS));
    expect([blank.status, blank.reason]).toEqual([
      'withheld',
      'only 0 digits were found, and no Sudoku with fewer than 17 has one solution',
    ]);
    await expect(desk.askImage(new Uint8Array(3))).rejects.toThrow('Expected a picture of a board');
  });

  it('takes feedback, and forgets', async () => {
    const { id, cells } = views[4]!;
    const cell = cells.findIndex((c) => c.given);
    await desk.feedback(id, { cells: [{ cell, digit: cells[cell]!.digit }] });
    await desk.feedback(id, { right: true });
    const shorter = await desk.forget(id, { keep: 64 });
    expect(shorter.bytesAfter).toBeLessThan(shorter.bytesBefore);
    const left = await desk.board(id);
    expect([left.exact, left.solution, left.sketch.kept]).toEqual([false, null, 64]);
    await desk.forget(id, 'subtract');
    await expect(desk.board(id)).rejects.toThrow('Expected an event of this memory');
  });
});

describe('what is not certain is withheld', () => {
  it('with the reason, and escalates before it gives up', async () => {
    await using desk = await testDesk({ errors: [0.5, 0.4, 0.35] });
    const stream = desk.stream();
    const seen: BoardView[] = [];
    for (let i = 0; i < 4; i++) seen.push(await stream.next());
    expect((await desk.totals()).wrongProved).toBe(0);
    const withheld = seen.filter((v) => v.status === 'withheld');
    expect(withheld.length).toBeGreaterThan(0);
    for (const view of withheld) {
      expect(view.reason).toMatch(/row \d, column \d/);
      expect([view.solution, view.certificate, view.solver]).toEqual([null, null, null]);
      expect(view.escalated).toBeGreaterThan(0);
    }
  });
});

describe('restarts', () => {
  it('a stream goes on where it stopped; totals are right after a crash', async () => {
    const dataDir = await folder();
    const first = await testDesk({ dataDir });
    const before = [];
    const stream = first.stream();
    for (let i = 0; i < 5; i++) before.push(await stream.next());
    const totals = await first.totals();
    await first.mind.memory.close(); // no goodbye: totals were never saved
    await using second = await testDesk({ dataDir });
    expect({ ...(await second.totals()), boardsPerSecond: 0 }).toEqual({ ...totals, boardsPerSecond: 0 });
    expect((await second.list()).reverse()).toEqual(before);
    const next = await second.stream().next();
    expect([next.ordinal, next.provenance]).toEqual([6, { source: 'generated/7', ordinal: 5 }]);
  });

  it('kill -9 in the middle of a stream loses nothing that was acknowledged', async () => {
    const dataDir = await folder();
    const script = fileURLToPath(new URL('./_stream-child.ts', import.meta.url));
    const child = spawn(process.execPath, ['--import', 'tsx', '--conditions=cairn-source', script, dataDir], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    // Its output ends before its files are closed.
    const gone = once(child, 'exit');
    const acknowledged: string[] = [];
    let rest = '';
    for await (const chunk of child.stdout) {
      const lines = (rest + String(chunk)).split('\n');
      rest = lines.pop()!;
      acknowledged.push(...lines);
      if (acknowledged.length >= 6) child.kill('SIGKILL');
    }
    await gone;
    expect(acknowledged.length).toBeGreaterThanOrEqual(6);
    await using desk = await testDesk({ dataDir });
    for (const id of acknowledged) expect((await desk.board(id)).exact).toBe(true);
    const [hit] = await desk.mind.recall({ event: acknowledged[0]! }, 1);
    expect(hit!.id).toBe(acknowledged[0]);
    expect((await desk.totals()).boards).toBeGreaterThanOrEqual(acknowledged.length);
  });
});

describe('payload', () => {
  it('comes back as it was, and refuses another version', () => {
    const runnerUp = Uint8Array.from({ length: CELLS }, (_, i) => (i % 3 === 0 ? 1 + (i % 9) : 0));
    const payload = {
      status: 'withheld',
      reason: 'because',
      solver: '',
      proof: 'none',
      proofSize: 0,
      checksum: checksumOf(runnerUp),
      alwaysLargeFlop: 123_456_789,
      runnerUp,
      runnerUpProbability: Float64Array.from(runnerUp, (d) => (d === 0 ? 0 : 0.25)),
      escalated: [3, 80],
      repairs: [{ cell: 4, from: 7, probability: 0.5 }],
      posterior: 1,
    } as const;
    const bytes = encodePayload(payload);
    expect(decodePayload(bytes)).toEqual(payload);
    expect(() => decodePayload(Uint8Array.of(9, ...bytes.subarray(1)))).toThrow(
      'Expected the receipt of a board of version 1, got 9.',
    );
  });
});
