// The server on the real mind: networks, solvers, sketches and a store on disk behind the HTTP API. Slower than the fixture's
// tests, so it only walks the main path once: stream, event, erasure, recall, a picture of one's own, forgetting, starting again.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PNG } from 'pngjs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openBoards, type BoardView, type EventView } from '../src/mind/index.ts';
import { createServer, type CairnServer } from '../src/serve/index.ts';

const dataDir = mkdtempSync(join(tmpdir(), 'cairn-serve-'));
const faults: string[] = [];
let server: CairnServer;

function start(): Promise<CairnServer> {
  return createServer({
    boards: () => openBoards({ dataDir }),
    port: 0,
    seed: 'serve-test',
    prime: 4,
    studio: false,
    onFault: (error, where) => faults.push(`${where}: ${String(error)}`),
  });
}

beforeAll(async () => {
  server = await start();
  await server.ready;
});
afterAll(async () => {
  await server.close();
  rmSync(dataDir, { recursive: true, force: true });
});

async function json(path: string, init?: RequestInit): Promise<ReturnType<JSON['parse']>> {
  const response = await fetch(new URL(path, server.url), init);
  const body = await response.json();
  if (!response.ok) throw new Error(JSON.stringify(body));
  return body;
}

async function boardsNow(): Promise<BoardView[]> {
  return (await json('/api/events?limit=50')).events;
}

/** The handwriting of an event as a PNG: cells `scale` times as large, black lines between them. */
async function pngOf(id: string, scale: number): Promise<Buffer> {
  const { cells } = await json(`/api/events/${id}/picture`);
  const grey = Buffer.from(cells, 'base64');
  const cell = 28 * scale;
  const side = 9 * cell + 10 * scale;
  const png = new PNG({ width: side, height: side });
  png.data.fill(255);
  const at = (line: number): number => line * (cell + scale);
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      const column = Math.floor(x / (cell + scale));
      const row = Math.floor(y / (cell + scale));
      const [dx, dy] = [x - at(column) - scale, y - at(row) - scale];
      const inside = dx >= 0 && dy >= 0 && row < 9 && column < 9;
      const ink = inside ? grey[(row * 9 + column) * 784 + Math.floor(dy / scale) * 28 + Math.floor(dx / scale)]! : 255;
      png.data.fill(255 - ink, (y * side + x) * 4, (y * side + x) * 4 + 3);
    }
  }
  return PNG.sync.write(png);
}

test('boards are read, solved and proved; no proved one is wrong', async () => {
  await expect.poll(async () => (await json('/api/totals')).boards).toBeGreaterThanOrEqual(4);
  const totals = await json('/api/totals');
  expect(totals.proved).toBeGreaterThanOrEqual(1);
  expect(totals.wrongProved).toBe(0);
  expect(totals.costRatio).toBeGreaterThan(0);
  expect(totals.bytesPerEvent).toBeLessThanOrEqual(1_280);
});

test('the whole sketch gives every cell back; a part says what to expect and what came', async () => {
  const board = (await boardsNow()).find((b) => b.status === 'proved')!;
  const whole = await json(`/api/events/${board.id}/erase?keep=1024`);
  expect(whole.right).toBe(1);
  expect(whole.cells.map((c: { digit: number }) => c.digit)).toEqual(board.cells.map((c) => c.digit));
  const part = await json(`/api/events/${board.id}/erase?keep=96`);
  expect(part.kept).toBe(96);
  expect(part.bytes).toBeLessThan(whole.bytes / 4);
  expect(Math.abs(part.right - part.expectedRight)).toBeLessThan(0.5);
  expect((await json(`/api/events/${board.id}/sketch`)).values).toHaveLength(1_024);
});

test('an event explains itself: nested calls, route, a checked proof that fills the board', async () => {
  const board = (await boardsNow()).find((b) => b.status === 'proved' && b.certificate?.kind === 'trace')!;
  const event: EventView = await json(`/api/events/${board.id}`);
  const read = event.call.calls.find((c) => c.task === 'read-board')!;
  expect(read.calls).toHaveLength(81);
  expect(new Set(read.calls.map((c) => c.cell)).size).toBe(81);
  expect(board.certificate?.checked).toBe(true);
  const filled = board.cells.map((c) => c.digit);
  for (const { place } of event.proof) if (place) filled[place.cell] = place.digit;
  expect(filled).toEqual(board.solution);
});

test('a board is recalled by half of its digits', async () => {
  const [board] = await boardsNow();
  const digits = board!.cells.map((c, i) => (i % 2 === 0 ? c.digit : 0));
  const { hits } = await json('/api/recall', { method: 'POST', body: JSON.stringify({ digits, k: 3 }) });
  expect(hits[0].id).toBe(board!.id);
});

test('a picture of a board is read at another scale, solved, and remembered without the picture', async () => {
  const known = (await boardsNow()).find((b) => b.status === 'proved' && b.repaired === 0)!;
  const answer: BoardView = await json('/api/ask?name=own.png', {
    method: 'POST',
    headers: { 'content-type': 'image/png' },
    body: new Uint8Array(await pngOf(known.id, 2)),
  });
  expect(answer.source).toBe('image');
  expect(answer.solution).toEqual(known.solution);
  expect((await fetch(new URL(`/api/events/${answer.id}/picture`, server.url))).status).toBe(404);
});

test.each([
  ['a truncated PNG', (png: Buffer) => png.subarray(0, png.length >> 1)],
  ['a PNG with a flipped byte', (png: Buffer) => png.map((v, i) => (i === 60 ? v ^ 0x55 : v))],
  ['text', () => Buffer.from('no picture at all')],
  ['a PNG that claims to be huge', (png: Buffer) => png.map((v, i) => (i >= 16 && i < 24 ? 0x7f : v))],
])('%s is refused with a coded error and a hint', async (_what, spoil) => {
  const board = (await boardsNow()).find((b) => b.source !== 'image');
  const png = await pngOf(board!.id, 1);
  const response = await fetch(new URL('/api/ask', server.url), {
    method: 'POST',
    headers: { 'content-type': 'image/png' },
    body: new Uint8Array(spoil(png)),
  });
  const { error } = (await response.json()) as { error: { message: string; hint?: string } };
  expect(response.status).toBeGreaterThanOrEqual(400);
  expect(response.status).toBeLessThan(500);
  expect(error.message).toMatch(/^Expected /);
  expect(error.hint).toMatch(/\S/);
});

test('after a restart every event is still there; a forgotten one is not', async () => {
  const before = await boardsNow();
  const gone = before.at(-1)!;
  await json('/api/forget', { method: 'POST', body: JSON.stringify({ id: gone.id }) });
  await server.close();
  server = await start();
  await server.ready;
  const ids = (await boardsNow()).map((b) => b.id);
  for (const { id } of before) expect(ids.includes(id), id).toBe(id !== gone.id);
});

test('nothing above was a fault of the server', () => {
  expect(faults).toEqual([]);
});
