import type { Worker } from 'node:worker_threads';
import * as ort from 'onnxruntime-node';
import { afterEach, expect, test } from 'vitest';
import { defineProgram, encodeModel, ModelState, Rng, writeOnnx } from '../../tensor/index.ts';
import { createLockstep, createStage, type Lockstep, type StageSpec } from './index.ts';

const ROWS = 8;
const WIDTH = 4;
/** Block: rows 0..8 of a (row 0 stays zero), then rows of b. */
const B = 4 * WIDTH * (ROWS + 1);

/** `out[i] = in[i - lag] * factor + (sum of all inputs so far)`, the sum carried. */
function stage(from: number, to: number, factor: number): StageSpec {
  const def = defineProgram((b) => {
    const x = b.input('x', [1, WIDTH]);
    const rows = b.input('rows', [1, b.symbol('past'), WIDTH]);
    const all = rows.sum(1).add(x);
    b.output('y', x.mul(factor).add(all));
    b.output('sum', all.unsqueeze(1));
  });
  return {
    programs: [
      {
        bytes: encodeModel(writeOnnx(def.graph, { target: 'train', weights: (name) => new ModelState().borrow(name) })),
        feeds: [{ name: 'x', type: 'f32', offset: from, width: WIDTH, shift: 0, rows: 'all', shape: [1, WIDTH] }],
        fetches: [{ name: 'y', offset: to, width: WIDTH, perPosition: true, shift: 1 }],
        carries: [{ name: 'sum', input: 'rows', output: 'sum', empty: [1, 0, WIDTH] }],
      },
    ],
  };
}

const open: Lockstep[] = [];
afterEach(async () => {
  for (const pool of open.splice(0)) {
    await pool.dispose();
    expect(pool.alive).toBe(0);
  }
});

async function start(specs: readonly StageSpec[], memory: SharedArrayBuffer): Promise<Lockstep> {
  const pool = await createLockstep(specs, memory);
  open.push(pool);
  return pool;
}

function block(): SharedArrayBuffer {
  const memory = new SharedArrayBuffer(2 * B);
  new Rng(3).fillNormal(new Float32Array(memory, 0, WIDTH));
  return memory;
}

const specs = [stage(0, 0, 0.5), stage(0, B, 0.25)];

test('workers write what the same stages write one after another, bit for bit', async () => {
  const [serial, parallel] = [block(), block()];
  const pool = await start(specs, parallel);
  const stages = [];
  for (const spec of specs) stages.push(await createStage(ort, spec, serial));
  for (let position = 0; position < ROWS; position++) {
    await pool.round({ program: 0, position, length: 1 });
    for (const s of stages) await s.run(0, position, 1);
  }
  for (const s of stages) await s.dispose();
  expect(new Uint32Array(parallel)).toEqual(new Uint32Array(serial));
  expect(new Float32Array(serial).filter((x) => x !== 0).length).toBeGreaterThan(ROWS * WIDTH);
});

test('only those that take part in a round write', async () => {
  const memory = block();
  const pool = await start(specs, memory);
  await pool.round({ program: 0, position: 0, length: 1, workers: [1] });
  const words = new Float32Array(memory);
  expect(words.subarray(WIDTH, B / 4).every((x) => x === 0)).toBe(true);
  expect(words.subarray(B / 4).some((x) => x !== 0)).toBe(true);
});

test('a thousand rounds of nothing much: none is lost', async () => {
  const memory = block();
  const pool = await start([stage(0, B, 1)], memory);
  for (let i = 0; i < 1000; i++) await pool.round({ program: 0, position: 0, length: 1 });
  expect(pool.alive).toBe(1);
});

test('a program that fails is named, and the others go on', async () => {
  const memory = block();
  const pool = await start(specs, memory);
  await expect(pool.round({ program: 1, position: 0, length: 1, workers: [1] })).rejects.toThrow(/worker 1/);
  await pool.round({ program: 0, position: 0, length: 1 });
});

test('a thread that dies ends its round with an error, and all later ones', async () => {
  const threads: Worker[] = [];
  const note = (worker: Worker): void => void threads.push(worker);
  process.on('worker', note);
  const pool = await start(specs, block());
  process.off('worker', note);
  const rounds = async (): Promise<void> => {
    for (let i = 0; ; i++) {
      if (i === 50) void threads[1]!.terminate();
      await pool.round({ program: 0, position: 0, length: 1 });
    }
  };
  await expect(rounds()).rejects.toMatchObject({
    code: 'worker_died',
    message: expect.stringContaining('worker 1 of 2'),
  });
  await expect(pool.round({ program: 0, position: 1, length: 1 })).rejects.toThrow(/worker 1 of 2/);
});

test('a worker that does not start is an error, and leaves no thread', async () => {
  const bad: StageSpec = { programs: [{ bytes: new Uint8Array(8), feeds: [], fetches: [], carries: [] }] };
  await expect(createLockstep([specs[0]!, bad], block())).rejects.toMatchObject({ code: 'worker_died' });
});
