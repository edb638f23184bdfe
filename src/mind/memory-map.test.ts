// The map of a memory: near means alike, shared components are tied, what is everywhere is listed apart, the same memory gives
// the same map.
import { expect, test } from 'vitest';
import { Memory } from '../memory/index.ts';
import { Rng } from '../tensor/index.ts';
import { memoryMap } from './memory-map.ts';

async function twoKinds(n: number): Promise<{ memory: Memory; kind: Map<string, number> }> {
  const memory = await Memory.open({ path: ':memory:', seed: 'map' });
  const rng = new Rng(5);
  const kind = new Map<string, number>();
  const part = (module: string, at: number) => {
    const attributes = new Float32Array(8);
    attributes[at] = 1;
    return { module, attributes };
  };
  for (let i = 0; i < n; i++) {
    const k = i % 2;
    const attributes = Float32Array.from({ length: 8 }, (_, j) =>
      Math.floor(j / 4) === k ? 0.3 + 0.1 * rng.uniform() : 0.02,
    );
    const root = {
      module: 'scene',
      attributes,
      inputs: [
        { object: part('common', 0), weight: 0.4 },
        { object: part(`kind-${k}`, Math.floor(rng.uniform() * 8)), weight: 0.6 },
      ],
    };
    const { id } = await memory.remember(root, { task: 'see', provenance: { source: 'test', ordinal: i }, at: i });
    kind.set(id, k);
  }
  return { memory, kind };
}

test('two kinds of events lie apart, neighbours are of one kind, and shared components are tied', async () => {
  const { memory, kind } = await twoKinds(120);
  const map = await memoryMap(memory, { label: (key) => `#${key}` });
  expect(map.total).toBe(120);
  expect(map.events).toHaveLength(120);
  const same = map.alike.filter(([a, b]) => kind.get(map.events[a]!.id) === kind.get(map.events[b]!.id));
  expect(same.length / map.alike.length).toBeGreaterThan(0.95);
  const mean = (k: number): number[] => {
    const own = map.events.filter((e) => kind.get(e.id) === k);
    return [own.reduce((s, e) => s + e.x, 0) / own.length, own.reduce((s, e) => s + e.y, 0) / own.length];
  };
  const [a, b] = [mean(0), mean(1)];
  expect(Math.hypot(a[0]! - b[0]!, a[1]! - b[1]!)).toBeGreaterThan(0.5);
  expect(map.everywhere.map((c) => c.module)).toContain('common');
  expect(map.components.length).toBeGreaterThan(8);
  for (const component of map.components) expect(component.events).toBeGreaterThanOrEqual(2);
  const ties = map.has.filter(([, c]) => c === 0);
  expect(ties).toHaveLength(map.components[0]!.events);
  expect(map.explained).toBeGreaterThan(0.5);
  expect(map.explained).toBeLessThanOrEqual(1 + 1e-9);
  expect(await memoryMap(memory, { label: (key) => `#${key}` })).toEqual(map);
  await memory.close();
});

test('a large memory is sampled, its latest events among them; an empty one is an empty map', async () => {
  const { memory } = await twoKinds(90);
  const map = await memoryMap(memory, { limit: 40 });
  expect(map.events.length).toBeLessThanOrEqual(41);
  expect(map.events.slice(-10).map((e) => e.ordinal)).toEqual([81, 82, 83, 84, 85, 86, 87, 88, 89, 90]);
  await memory.close();
  const empty = await Memory.open({ path: ':memory:', seed: 'none' });
  expect(await memoryMap(empty)).toMatchObject({ total: 0, events: [], alike: [], has: [] });
  await empty.close();
});

test('it stops when it is told to', async () => {
  const { memory } = await twoKinds(20);
  await expect(memoryMap(memory, { signal: AbortSignal.abort(new Error('enough')) })).rejects.toThrow('enough');
  await memory.close();
});
