// Growth on a mind small enough to be checked by hand: two modules, a composition of both, and a module that learns where to
// draw the line. Exact identities first: what is forgotten leaves nothing; what was frozen stays.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { StoredEvent } from '../../memory/index.ts';
import type { Encoder } from '../../route/index.ts';
import { Rng } from '../../tensor/index.ts';
import { Mind } from '../mind.ts';
import type { Answer, Module } from '../module.ts';
import type { Distiller } from './distil.ts';
import type { ModuleGrowth } from './types.ts';

const dirs: string[] = [];
afterAll(() => dirs.forEach((dir) => rmSync(dir, { recursive: true, force: true })));
function folder(): string {
  const dir = mkdtempSync(join(tmpdir(), 'cairn-growth-'));
  dirs.push(dir);
  return dir;
}

const LINE = 0.47;
const inputOf = (ordinal: number): number => new Rng('inputs').fork(ordinal).uniform();

function answer(x: number, line: number, reach: number, flop: number): Answer<number> {
  const sure = Math.abs(x - line) >= reach;
  // Near the line a rough module is as often wrong as right, and knows it.
  const side = (x > line ? 1 : 0) ^ (!sure && Math.floor(x * 1e4) % 2 === 0 ? 1 : 0);
  const attributes = new Float32Array(2);
  attributes[side] = 1;
  const confidence = sure ? 0.999 : 0.5;
  return { output: side, attributes, groups: [{ start: 0, size: 2 }], confidence, usage: { flop } };
}

function sideModule(id: string, flop: number, reach: number, line = LINE): Module<number, number> {
  return { id, task: 'side', cost: { unit: 'flop', amount: flop }, run: async (x) => answer(x, line, reach, flop) };
}

const encoder: Encoder<number> = {
  id: 'plain/1',
  dim: 1,
  flop: 0,
  embed: (x, out, offset) => {
    out[offset] = x;
  },
};

/** Learns the line between the largest 0 and the smallest 1; frozen as eight bytes. */
function lineDistiller(flop: number): Distiller & { asked: number } {
  const restore = (id: string, bytes: Uint8Array): Module<unknown, unknown> =>
    sideModule(id, flop, 0, new DataView(bytes.buffer, bytes.byteOffset).getFloat64(0)) as Module<
      never,
      unknown
    > as Module<unknown, unknown>;
  const self: Distiller & { asked: number } = {
    asked: 0,
    task: 'side',
    examplesOf: (event: StoredEvent) => {
      const x = inputOf(event.provenance.ordinal!);
      return [{ input: x, output: x > LINE ? 1 : 0, key: `${x}` }];
    },
    distil: async (examples, { id }) => {
      self.asked++;
      let [low, high] = [0, 1];
      for (const { input, output } of examples) {
        if (output === 0) low = Math.max(low, input as number);
        else high = Math.min(high, input as number);
      }
      const bytes = new Uint8Array(8);
      new DataView(bytes.buffer).setFloat64(0, (low + high) / 2);
      return { bytes, module: restore(id, bytes) };
    },
    restore: async (id, bytes) => restore(id, bytes),
    trial: async (engine, event) => {
      const x = inputOf(event.provenance.ordinal!);
      const [reply] = await engine.ask('side', [x]);
      const right = reply!.output === (x > LINE ? 1 : 0);
      return { cost: reply!.usage.flop, errors: right ? 0 : 1, of: 1, answered: right };
    },
    calibration: async () => ({
      inputs: Array.from({ length: 200 }, (_, i) => (i + 0.5) / 200),
      judge: (x, side) => (side === ((x as number) > LINE ? 1 : 0) ? 1 : 0),
      options: { encoder: encoder as Encoder<unknown>, maxLoss: 0.02, k: 2 },
    }),
  };
  return self;
}

async function open(dataDir: string, distiller: Distiller, faults: string[] = []): Promise<Mind> {
  let now = 1_700_000_000_000;
  const mind = await Mind.open({ dataDir, seed: 'growth', clock: () => now++, timer: () => 0 });
  mind.add(sideModule('side/rough', 1, 0.2));
  mind.add(sideModule('side/exact', 1000, 0));
  await mind.plant({ streams: [], distillers: [distiller] }, (fault) => faults.push(fault.code));
  mind.useRouter('side', encoder as Encoder<unknown>);
  return mind;
}

async function calibrate(mind: Mind, distiller: Distiller): Promise<void> {
  const { inputs, judge, options } = await distiller.calibration();
  await mind.calibrate('side', inputs, judge, options);
}

async function fill(mind: Mind, ordinals: readonly number[]): Promise<string[]> {
  const ids: string[] = [];
  for (const ordinal of ordinals) {
    const reply = await mind.ask<number>('side', inputOf(ordinal), { provenance: { source: 'line', ordinal } });
    ids.push(reply.event!);
  }
  return ids;
}

const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i);
const MODULES = { kinds: ['module'], minEvents: 30, maxLoss: 0.05 } as const;

async function weightsIn(mind: Mind): Promise<string[]> {
  const names = (await mind.memory.store.statNames()).filter((name) => name.startsWith('growth/module/'));
  return Promise.all(names.map(async (name) => Buffer.from((await mind.memory.store.stat(name))!).toString('hex')));
}

describe('a module grown from a composition', () => {
  it('is taken where it is cheaper at equal quality, frozen, routed to, there after a restart, and gone with its event', async () => {
    const dataDir = folder();
    const distiller = lineDistiller(10);
    const mind = await open(dataDir, distiller);
    await calibrate(mind, distiller);
    const before = mind.router('side')!.toState();
    const ids = await fill(mind, range(160));
    const [grown] = (await mind.grow(MODULES)) as ModuleGrowth[];
    expect(grown).toMatchObject({ kind: 'module', status: 'standing', module: 'side/grown-1', task: 'side', flop: 10 });
    expect(grown!.composition.path).toEqual(['side/rough', 'side/exact']);
    expect(grown!.costRatio.high).toBeLessThan(0.5);
    expect(grown!.heldOut.events).toBe(24);
    expect(grown!.learned).toBe(136);
    expect(mind.growths.eventsOf(grown!.id)).toEqual(ids);
    // Near the line only the dear module was sure; now the grown one answers.
    const reply = await mind.ask<number>('side', LINE + 0.05, { remember: false });
    expect(reply.module).toBe('side/grown-1');
    const [weights] = await weightsIn(mind);
    for (let i = 0; i < 20; i++) await mind.ask('side', i / 20, { remember: false });
    expect(await weightsIn(mind)).toEqual([weights]);
    await mind.close();

    const again = await open(dataDir, distiller);
    expect(again.modules('side')).toEqual(['side/rough', 'side/grown-1', 'side/exact']);
    expect((await again.ask<number>('side', LINE + 0.05, { remember: false })).module).toBe('side/grown-1');
    expect(again.growths.list()).toEqual([grown]);
    await again.forget(ids[7]!);
    expect(again.modules('side')).toEqual(['side/rough', 'side/exact']);
    expect(await weightsIn(again)).toEqual([]);
    expect(again.growths.get(grown!.id)).toMatchObject({ status: 'withdrawn', events: 0, hash: '', learned: 0 });
    expect(again.router('side')!.toState()).toEqual(before);
    expect((await again.ask<number>('side', LINE + 0.05, { remember: false })).module).toBe('side/exact');
    const [anew] = (await again.grow(MODULES)) as ModuleGrowth[];
    expect(anew).toMatchObject({ status: 'standing', module: 'side/grown-2', events: 159 });
    const after = await weightsIn(again);
    await again.close();

    // The same memory without ever having seen that event: the same weights, bit for bit.
    const never = await open(folder(), distiller);
    await calibrate(never, distiller);
    await fill(
      never,
      range(160).filter((i) => i !== 7),
    );
    await never.grow(MODULES);
    expect(await weightsIn(never)).toEqual(after);
    await never.close();
  });

  it('is declined with its figures where nothing is cheaper, and asked for again only when twice as much is there', async () => {
    const distiller = lineDistiller(5000);
    const mind = await open(':memory:', distiller);
    await calibrate(mind, distiller);
    await fill(mind, range(130));
    const [grown] = (await mind.grow(MODULES)) as ModuleGrowth[];
    expect(grown).toMatchObject({ status: 'declined', hash: '', bytes: 0 });
    expect(grown!.because).toMatch(/would cost \d+\.\d % of before/);
    expect(grown!.costRatio.high).toBeGreaterThan(0.95);
    expect(mind.modules('side')).toEqual(['side/rough', 'side/exact']);
    expect(await weightsIn(mind)).toEqual([]);
    await fill(mind, range(200).slice(130));
    expect(await mind.grow(MODULES)).toEqual([]);
    expect(distiller.asked).toBe(1);
    expect(await mind.grow({ ...MODULES, again: true })).toHaveLength(1);
    expect(distiller.asked).toBe(2);
    await mind.close();
  });

  it('is left out when its frozen bytes were changed', async () => {
    const dataDir = folder();
    const distiller = lineDistiller(10);
    const mind = await open(dataDir, distiller);
    await calibrate(mind, distiller);
    await fill(mind, range(130));
    const [grown] = (await mind.grow(MODULES)) as ModuleGrowth[];
    expect(grown!.status).toBe('standing');
    const name = `growth/module/${grown!.module}`;
    await mind.memory.store.write([{ kind: 'stat', name, bytes: new Uint8Array(8) }]);
    await mind.close();
    const faults: string[] = [];
    const again = await open(dataDir, distiller, faults);
    expect(faults).toEqual(['grown_changed']);
    expect(again.modules('side')).toEqual(['side/rough', 'side/exact']);
    await again.close();
  });

  it('needs events; one growth at a time; an abort leaves nothing', async () => {
    const distiller = lineDistiller(10);
    const mind = await open(':memory:', distiller);
    await calibrate(mind, distiller);
    expect(await mind.grow(MODULES)).toEqual([]);
    await fill(mind, range(130));
    const first = mind.grow(MODULES);
    await expect(mind.grow(MODULES)).rejects.toThrow('Expected to grow once at a time');
    expect(await first).toHaveLength(1);
    const stop = new AbortController();
    stop.abort();
    await expect(mind.grow({ ...MODULES, again: true, signal: stop.signal })).rejects.toThrow('abort');
    expect(mind.growths.list()).toHaveLength(1);
    await mind.close();
  });
});

describe('the ledger', () => {
  it('refuses a record of other software', async () => {
    const dataDir = folder();
    const mind = await Mind.open({ dataDir, seed: 1 });
    await mind.memory.store.write([{ kind: 'stat', name: 'growth/ledger', bytes: new TextEncoder().encode('[]') }]);
    await mind.close();
    await expect(Mind.open({ dataDir, seed: 1 })).rejects.toThrow('Expected the ledger of growth');
  });
});
