import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { Encoder } from '../route/index.ts';
import { Rng } from '../tensor/index.ts';
import { Mind } from './mind.ts';
import type { Module } from './module.ts';

const dirs: string[] = [];
async function folder(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'cairn-mind-'));
  dirs.push(dir);
  return dir;
}
afterAll(async () => {
  for (const dir of dirs) await rm(dir, { recursive: true, force: true });
});

interface Reader {
  readonly limit: number;
  readonly flop: number;
}

/** Says whether a number is above zero; sure and right where the number is far from zero. */
function sign(id: string, { limit, flop }: Reader): Module<number, boolean> {
  return {
    id,
    task: 'sign',
    cost: { unit: 'flop', amount: flop },
    run: async (x) => {
      const output = x < -limit || x > limit ? x > 0 : x < 0;
      return {
        output,
        attributes: Float32Array.from(output ? [0, 1] : [1, 0]),
        groups: [{ start: 0, size: 2 }],
        confidence: Math.min(1, 0.5 + Math.abs(x) / 2 - (Math.abs(x) > limit ? 0 : 0.4)),
        usage: { flop },
      };
    },
  };
}

const pair: Module<readonly [number, number], boolean> = {
  id: 'pair/both',
  task: 'pair',
  cost: { unit: 'flop', amount: 0 },
  async run(inputs, call) {
    const replies = await call.askAll<boolean>('sign', inputs);
    return {
      output: replies.every((r) => r.output === true),
      attributes: new Float32Array(1),
      usage: { flop: 0 },
      receipt: Uint8Array.of(9),
    };
  },
};

const encoder: Encoder<number> = { id: 'number', dim: 1, flop: 1, embed: (x, out, offset) => (out[offset] = x) };

async function open(dataDir: string): Promise<Mind> {
  let now = 1_000;
  const mind = await Mind.open({ dataDir, seed: 3, clock: () => ++now, sketch: { dim: 256 } });
  mind.add(sign('sign/small', { limit: 0.5, flop: 10 }));
  mind.add(sign('sign/large', { limit: 0, flop: 1000 }));
  mind.add(pair);
  return mind;
}

const inputs = Array.from({ length: 600 }, (_, i) => new Rng(1).fork(i).normal());

describe('mind', () => {
  it('remembers an answer with its route, cost and parts, and explains it from what is stored', async () => {
    await using mind = await open(':memory:');
    const reply = await mind.ask<boolean>('pair', [2, -2] as const, {
      minConfidence: 0.9,
      provenance: { source: 'test', ordinal: 4 },
    });
    expect(reply.output).toBe(false);
    expect(reply.event).toMatch(/^[0-9a-f]{32}$/);
    expect(reply.remembered).toMatchObject({ ordinal: 1, at: 1001 });
    const { event, receipt, unrolled } = await mind.explain(reply.event!);
    expect(event.provenance).toEqual({ source: 'test', ordinal: 4 });
    expect(receipt!.call.inputs.map((i) => i.call.module)).toEqual(['sign/small', 'sign/small']);
    expect([...receipt!.payload]).toEqual([9]);
    expect(unrolled.outputs[0]!.inputs.map((o) => o.groups[0]!.chosen)).toEqual([1, 0]);
    expect((await mind.recall({ event: reply.event! }, 1))[0]!.id).toBe(reply.event);
  });

  it('remembers nothing on request, and nothing when nobody answers', async () => {
    await using mind = await open(':memory:');
    expect((await mind.ask('sign', 1, { remember: false })).event).toBeUndefined();
    expect((await mind.ask('sign', 1, { deny: ['sign/small', 'sign/large'] })).event).toBeUndefined();
    expect((await mind.stats()).events).toBe(0);
  });

  it('fills its own evaluation table, routes by it, and keeps the router', async () => {
    const dir = await folder();
    const mind = await open(dir);
    const { table, router } = await mind.calibrate('sign', inputs, (x, output) => (output === x > 0 ? 1 : 0), {
      encoder,
      k: 5,
      maxLoss: 0.001,
    });
    expect(table.models).toEqual(['sign/small', 'sign/large']);
    expect(router.fitted.error).toBeLessThanOrEqual(router.fitted.bestError + 0.001);
    expect(router.fitted.cost).toBeLessThan(700);
    const far = await mind.ask('sign', 2.5);
    expect([far.module, far.trace.route.by]).toEqual(['sign/small', 'router']);
    expect((await mind.ask('sign', 0.1)).output).toBe(true);
    await mind.close();
    const again = await open(dir);
    expect(again.useRouter('sign', encoder)).toBe(true);
    expect((await again.ask('sign', 2.5)).trace.route).toEqual(far.trace.route);
    expect(again.useRouter('sign', { ...encoder, id: 'other' })).toBe(false);
    await again.close();
  });

  it('feedback moves the router, and survives a restart', async () => {
    const dir = await folder();
    const mind = await open(dir);
    await mind.calibrate('sign', inputs, (x, output) => (output === x > 0 ? 1 : 0), { encoder, k: 3 });
    const before = await mind.ask('sign', 2.5);
    const both = await mind.ask('pair', [2.5, 2.6] as const);
    for (let i = 0; i < 30; i++) await mind.feedback(both.event!, { nested: { sign: [false, null] } });
    await mind.feedback(before.event!, { right: true });
    const after = await mind.ask('sign', 2.5, { remember: false });
    expect(
      after.trace.route.chosen !== before.trace.route.chosen ||
        after.trace.route.expectedError! > before.trace.route.expectedError!,
    ).toBe(true);
    await mind.close();
    const again = await open(dir);
    again.useRouter('sign', encoder);
    expect((await again.ask('sign', 2.5, { remember: false })).trace.route).toEqual(after.trace.route);
    await expect(again.feedback(both.event!, { nested: { sign: [true, true, true] } })).rejects.toThrow(
      'Expected at most 2 verdicts',
    );
    await again.close();
  });

  it('forgets: by shortening, then entirely', async () => {
    await using mind = await open(':memory:');
    const { event } = await mind.ask('pair', [1, 1] as const);
    const cut = await mind.forget(event!, { keep: 64 });
    expect([cut.keptAfter, (await mind.get(event!)).sketch.kept]).toEqual([64, 64]);
    await mind.forget(event!);
    await expect(mind.get(event!)).rejects.toThrow('Expected an event of this memory');
    await expect(mind.get('../x')).rejects.toThrow('Expected 32 hexadecimal digits');
  });

  it('damaged routers are named, and a directory that cannot be made too', async () => {
    const dir = await folder();
    const mind = await open(dir);
    await mind.memory.store.write([{ kind: 'stat', name: 'mind/routers', bytes: Uint8Array.of(123) }]);
    await mind.close();
    await expect(open(dir)).rejects.toThrow('Expected the fitted routers as JSON in the store');
    await writeFile(join(dir, 'file'), '');
    await expect(open(join(dir, 'file', 'sub'))).rejects.toThrow('Expected a directory that can be written');
  });

  it('the same seed gives the same events', async () => {
    const run = async (): Promise<string[]> => {
      await using mind = await open(':memory:');
      const replies = await mind.askAll('pair', [
        [1, 2],
        [2, 3],
        [-1, 1],
      ]);
      return replies.map((r) => r.event!);
    };
    expect(await run()).toEqual(await run());
  });
});
