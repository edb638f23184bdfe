import { describe, expect, it } from 'vitest';
import { encode, fromBytes, toBytes, unroll } from '../sketch/index.ts';
import { Rng } from '../tensor/index.ts';
import { InMemoryStore } from './in-memory-store.ts';
import { LshIndex } from './lsh.ts';
import { Memory } from './memory.ts';
import { Signer } from './signature.ts';
import { board, oneHot, part, randomDigits, scene } from './_testing/scenes.ts';

const at = 1_700_000_000_000;
const CELLS = 27;
const record = (
  ordinal: number,
  source = 'stream',
): { task: string; provenance: { source: string; ordinal: number }; at: number } => ({
  task: 'solve-board',
  provenance: { source, ordinal },
  at: at + ordinal,
});

async function withBoards(n: number, rng: Rng): Promise<{ memory: Memory; ids: string[]; digits: number[][] }> {
  const memory = await Memory.open({ path: ':memory:', seed: 'boards', spec: { dim: 512 } });
  const digits = Array.from({ length: n }, () => randomDigits(rng, CELLS));
  const results = await Promise.all(digits.map((d, i) => memory.remember(board(d), { ...record(i), meta: { i } })));
  return { memory, ids: results.map((r) => r.id), digits };
}

describe('remember and get', () => {
  it('gives back what was kept: sketch, structure, provenance, meta', async () => {
    const { memory, ids, digits } = await withBoards(3, new Rng(1));
    const event = (await memory.get(ids[1]!))!;
    expect(event).toMatchObject({ id: ids[1], ordinal: 2, task: 'solve-board', at: at + 1, meta: { i: 1 }, count: 1 });
    expect(event.provenance).toEqual({ source: 'stream', ordinal: 1 });
    const cells = unroll(event.sketch, event.structure).outputs[0]!.inputs[0]!.inputs;
    expect(cells.map((c) => c.groups[0]!.chosen)).toEqual(digits[1]);
    expect(toBytes(fromBytes(toBytes(event.sketch), memory.spec))).toEqual(toBytes(event.sketch));
    expect(await memory.get('0'.repeat(32))).toBeUndefined();
    await memory.close();
  });

  it('keeps every kind of provenance and meta', async () => {
    const memory = await Memory.open({ path: ':memory:', seed: 's', spec: { dim: 256 } });
    const provenance = {
      source: 'file:///notes.txt',
      ordinal: 2 ** 40,
      range: [10, 99] as const,
      sha256: 'ab'.repeat(32),
      validFrom: 5,
      validTo: 6,
    };
    const root = oneHot('read', 1, 4);
    const a = await memory.remember(root, { task: 't', provenance, meta: Uint8Array.of(0, 255), at: -5 });
    expect(await memory.get(a.id)).toMatchObject({ provenance, meta: Uint8Array.of(0, 255), at: -5 });
    const b = await memory.remember(root, { task: 't', provenance: { source: 'x' }, meta: 'ä', at: 0 });
    expect(await memory.get(b.id)).toMatchObject({ provenance: { source: 'x' }, meta: 'ä' });
    const c = await memory.remember(root, { task: 't', provenance: { source: 'y' }, at: 0 });
    expect((await memory.get(c.id))!.meta).toBeUndefined();
    await memory.close();
  });

  it('recognises a duplicate by content, provenance and ordinal', async () => {
    const memory = await Memory.open({ path: ':memory:', seed: 's', spec: { dim: 256 } });
    const first = await memory.remember(board([1, 2, 0]), record(1));
    const again = await memory.remember(board([1, 2, 0]), { ...record(1), at: 99 });
    expect(again).toEqual({ ...first, duplicate: true, count: 2 });
    const others = await Promise.all([
      memory.remember(board([1, 2, 0]), record(2)),
      memory.remember(board([1, 2, 0]), record(1, 'other')),
      memory.remember(board([1, 2, 3]), record(1)),
      memory.remember(board([1, 2, 0]), { ...record(1), task: 'other' }),
    ]);
    expect(new Set([first.id, ...others.map((o) => o.id)]).size).toBe(5);
    expect((await memory.stats()).events).toBe(5);
    await memory.close();
  });

  it('gives equal ids and sketches for equal seeds, in any store', async () => {
    const ids = await Promise.all(
      [{ path: ':memory:' }, { store: new InMemoryStore() }].map(async (where) => {
        const memory = await Memory.open({ ...where, seed: 'same', spec: { dim: 256 } });
        const { id } = await memory.remember(board([1, 2, 0]), record(1));
        const event = await memory.get(id);
        await memory.close();
        return [id, Buffer.from(toBytes(event!.sketch)).toString('hex')];
      }),
    );
    expect(ids[0]).toEqual(ids[1]);
  });

  it('lists the latest first', async () => {
    const { memory } = await withBoards(5, new Rng(2));
    const first = await memory.list({ limit: 2 });
    expect(first.map((e) => e.ordinal)).toEqual([5, 4]);
    expect((await memory.list({ before: 4, limit: 10 })).map((e) => e.ordinal)).toEqual([3, 2, 1]);
    await memory.close();
  });
});

describe('recall', () => {
  it('by the sketch alone, best first, as whole events are compared, for a root and for an event, within times', async () => {
    const { memory, ids, digits } = await withBoards(150, new Rng(31));
    const altered = digits[77]!.map((d, i) => (i % 9 === 0 ? (d + 1) % 10 : d));
    const hits = await memory.recall({ root: board(altered), by: 'sketch' }, 5);
    expect(hits[0]!.id).toBe(ids[77]);
    expect(hits[0]).toMatchObject({ via: ['signature'], shared: [], overlap: 0 });
    for (const hit of hits) expect(hit.score).toBe(hit.centred);
    const all = await memory.recall({ root: board(altered), by: 'sketch' }, 150);
    expect(all.length).toBe(150);
    expect(all.map((h) => h.centred!)).toEqual(all.map((h) => h.centred!).sort((a, b) => b - a));
    // Of five only the nearest signatures are compared: the relative is first, the others are among all.
    expect(all[0]!.id).toBe(ids[77]);
    expect(hits.every((h) => all.some((a) => a.id === h.id && a.centred === h.centred))).toBe(true);
    const whole = new Map((await memory.recall({ root: board(altered) }, 150)).map((h) => [h.id, h.centred!]));
    for (const hit of hits) expect(hit.centred).toBeCloseTo(whole.get(hit.id)!, 9);
    const [self] = await memory.recall({ event: ids[77]!, by: 'sketch' }, 1);
    expect(self!.id).toBe(ids[77]);
    expect(self!.cosine).toBeCloseTo(1, 9);
    const first = all.find((h) => h.ordinal <= 20)!;
    const early = await memory.recall({ root: board(altered), by: 'sketch', between: [0, first.at] }, 3);
    expect(early.every((h) => h.at <= first.at)).toBe(true);
    expect(early.length).toBeGreaterThan(0);
    const cell = { object: board(altered).inputs![0]!.object };
    await expect(memory.recall({ components: [cell], by: 'sketch' }, 1)).rejects.toMatchObject({ code: 'bad_cue' });
    await memory.close();
  });

  it('finds a whole event, and by an altered copy, with reasons', async () => {
    const { memory, ids, digits } = await withBoards(150, new Rng(3));
    const altered = digits[42]!.map((d, i) => (i % 9 === 0 ? (d + 1) % 10 : d));
    const [hit] = await memory.recall({ root: board(altered) }, 3);
    expect(hit!.id).toBe(ids[42]);
    expect(hit!.via).toEqual(['signature', 'component']);
    expect(hit!.centred!).toBeGreaterThan(0.7);
    expect(hit!.shared.filter((s) => s.place === 'same').length).toBe(24);
    // A rare digit explains more than a blank.
    const weightOf = (digit: number): number =>
      hit!.shared.find((s) => altered[Number(s.path.slice(4))] === digit)!.weight;
    expect(weightOf(7)).toBeGreaterThan(weightOf(0));
    const [self] = await memory.recall({ event: ids[42]! }, 1);
    expect(self).toMatchObject({ id: ids[42], overlap: 1 });
    // The signature was taken before rounding to 8 bits.
    expect(self!.hamming).toBeLessThan(8);
    expect(self!.cosine!).toBeCloseTo(1, 6);
    await memory.close();
  });

  it('by component: every event that has it, none that has it elsewhere', async () => {
    const { memory, ids, digits } = await withBoards(200, new Rng(4));
    for (const [cell, digit] of [
      [20, 7],
      [0, 1],
      [26, 0],
    ] as const) {
      const hits = await memory.component(oneHot('read-digit', digit, 10), 200, { position: `0/0/${cell}` });
      const expected = ids.filter((_, i) => digits[i]![cell] === digit);
      expect(hits.map((h) => h.id).sort()).toEqual(expected.sort());
      expect(hits.every((h) => h.score === 1 && h.shared[0]!.place === 'same')).toBe(true);
      expect(hits[0]!.shared[0]).toMatchObject({ module: 'read-digit', path: `0/0/${cell}`, events: expected.length });
    }
    const anywhere = await memory.component(oneHot('read-digit', 7, 10), 200);
    expect(anywhere.length).toBe(digits.filter((d) => d.includes(7)).length);
    await memory.close();
  });

  it('by several components, and by a part of a board that no single event need have', async () => {
    const { memory, ids, digits } = await withBoards(200, new Rng(5));
    const components = [3, 11, 15, 22, 26].map((cell) => ({
      object: oneHot('read-digit', digits[9]![cell]!, 10),
      position: `0/0/${cell}`,
    }));
    const hits = await memory.recall({ components }, 5);
    expect(hits[0]!.score).toBe(1);
    expect(hits.map((h) => h.id)).toContain(ids[9]);
    const most = digits[9]!.map((d, i) => (i < 4 ? (d + 1) % 10 : d));
    const [near] = await memory.component(board(most).inputs![0]!.object, 3, { position: '0/0' });
    expect(near!.id).toBe(ids[9]);
    expect(near!.shared.length).toBe(CELLS - 4);
    await memory.close();
  });

  it('an event that shares exactly one component is found through components: 1.0, through whole sketches below 0.1', async () => {
    const rng = new Rng(6);
    const memory = await Memory.open({ path: ':memory:', seed: 'scenes', spec: { dim: 512 } });
    const signer = new Signer(512, 'whole');
    const index = new LshIndex({ scanBelow: 0, shortKeysBelow: 0, probes: 1 });
    const scenes = Array.from({ length: 200 }, () => Array.from({ length: 4 }, (_, i) => part(`thing-${i}`, rng)));
    const results = await Promise.all(
      scenes.map((parts, i) =>
        memory.remember(scene(parts), { task: 'see', provenance: { source: 's', ordinal: i }, at }),
      ),
    );
    const contents = scenes.map((parts) => encode(scene(parts), memory.spec).content);
    const mean = contents[0]!.map((_, j) => contents.reduce((sum, c) => sum + c[j]!, 0) / contents.length);
    contents.forEach((content, i) => index.add(i, signer.sign(content, mean).bits));
    // The tables are built when 8,192 items wait; the rest is filled with noise.
    for (let i = 200; i < 8400; i++)
      index.add(
        i,
        Uint32Array.from({ length: 8 }, () => rng.u32()),
      );
    let byComponent = 0;
    let anywhere = 0;
    let bySketch = 0;
    const queries = 32;
    for (let q = 0; q < queries; q++) {
      const place = q % 4;
      const fresh = scenes[0]!.map((_, i) => (i === place ? scenes[q]![place]! : part(`thing-${i}`, rng)));
      const [single, ...more] = await memory.component(scenes[q]![place]!, 5);
      if (single?.id === results[q]!.id && single.score === 1) byComponent++;
      expect(more.every((hit) => hit.score < 1)).toBe(true);
      const here = await memory.component(scenes[q]![place]!, 1, { position: `0/${place}` });
      const elsewhere = await memory.component(scenes[q]![place]!, 1, { position: `0/${(place + 1) % 4}` });
      expect([here[0]?.id, elsewhere[0]?.id]).toEqual([results[q]!.id, undefined]);
      const all = await memory.recall({ root: scene(fresh) }, 200);
      const shared = all.find((hit) => hit.id === results[q]!.id)?.shared ?? [];
      if (shared.length === 1 && shared[0]!.path === `0/${place}`) anywhere++;
      const signed = signer.sign(encode(scene(fresh), memory.spec).content, mean);
      if (index.candidates([{ centre: 0, signed }]).includes(q)) bySketch++;
    }
    expect(byComponent / queries).toBe(1);
    expect(anywhere / queries).toBe(1);
    expect(bySketch / queries).toBeLessThanOrEqual(0.1);
    await memory.close();
  });

  it('by attributes: the nearest part leads to its events', async () => {
    const rng = new Rng(7);
    const memory = await Memory.open({ path: ':memory:', seed: 'parts', spec: { dim: 1024 } });
    const parts = Array.from({ length: 100 }, () => [part('left', rng, 12), part('right', rng, 12)]);
    const ids: string[] = [];
    for (const [i, p] of parts.entries()) {
      ids.push((await memory.remember(scene(p), { task: 'see', provenance: { source: 's', ordinal: i }, at })).id);
    }
    const wanted = parts[31]![0]!.attributes.map((v) => v * 0.97 + 0.005);
    const [hit] = await memory.recall({ module: 'left', attributes: wanted }, 3);
    expect(hit!.id).toBe(ids[31]);
    expect(hit!.shared[0]!.module).toBe('left');
    await memory.close();
  });

  it('does not depend on the order of recording', async () => {
    const rng = new Rng(8);
    const boards = Array.from({ length: 60 }, () => randomDigits(rng, 20, 6));
    const cue = board(
      boards[17]!.map((d, i) => (i < 4 ? (d + 1) % 6 : d)),
      6,
    );
    const lists: unknown[] = [];
    for (const order of [boards.map((_, i) => i), [...rng.permutation(60)]]) {
      const memory = await Memory.open({ path: ':memory:', seed: 'order', spec: { dim: 512 } });
      for (const i of order) await memory.remember(board(boards[i]!, 6), record(i));
      const hits = await memory.recall({ root: cue }, 10);
      lists.push(hits.map((h) => [h.id, h.score, h.overlap, h.shared]));
      const found = await memory.component(oneHot('read-digit', 2, 6), 5, { position: '0/0/3' });
      lists.push(found.map((h) => h.id));
      await memory.close();
    }
    expect(lists[2]).toEqual(lists[0]);
    expect(lists[3]).toEqual(lists[1]);
  });

  it('keeps to a time: validity if there is one, else when it was recorded', async () => {
    const memory = await Memory.open({ path: ':memory:', seed: 's', spec: { dim: 256 } });
    const root = board([1, 2, 3]);
    const put = (source: string, time: number, validFrom?: number, validTo?: number): Promise<{ id: string }> =>
      memory.remember(root, { task: 't', provenance: { source, validFrom, validTo }, at: time });
    await put('a', 100);
    await put('b', 200);
    await put('c', 999, 90, 120);
    await put('d', 999, 300);
    const sources = async (from: number, to: number): Promise<string[]> =>
      (await memory.recall({ root, between: [from, to] }, 10)).map((h) => h.provenance.source).sort();
    expect(await sources(95, 150)).toEqual(['a', 'c']);
    expect(await sources(150, 250)).toEqual(['b']);
    expect(await sources(400, 500)).toEqual(['d']);
    await memory.close();
  });

  it('finds a shortened event by its stored signature', async () => {
    const { memory, ids, digits } = await withBoards(120, new Rng(9));
    await memory.forget(ids[30]!, { keep: 256 });
    const [hit] = await memory.recall({ root: board(digits[30]!) }, 1);
    expect(hit).toMatchObject({ id: ids[30], hamming: 0 });
    await memory.close();
  });
});

describe('what is refused', () => {
  const open = (): Promise<Memory> => Memory.open({ path: ':memory:', seed: 's', spec: { dim: 256 } });
  const root = board([1, 2, 3]);

  it.each([
    '',
    'x',
    '../../../etc/passwd',
    "'; DROP TABLE event; --",
    'A'.repeat(32),
    `${'0'.repeat(31)}\n`,
    '0'.repeat(1_000_000),
    '\0'.repeat(32),
    '０'.repeat(32),
  ])('a hostile event id: %#', async (id) => {
    const memory = await open();
    for (const call of [() => memory.get(id), () => memory.forget(id), () => memory.recall({ event: id }, 1)]) {
      await expect(call()).rejects.toMatchObject({ code: 'bad_event_id' });
    }
    await expect(memory.get(id)).rejects.toThrow(/^Expected 32 hexadecimal digits as event id, got .{1,300}\.$/s);
    await memory.close();
  });

  it('ids that are not even text', async () => {
    const memory = await open();
    for (const id of [undefined, null, 7, {}, ['0'.repeat(32)]]) {
      // @ts-expect-error A caller without types.
      await expect(memory.get(id)).rejects.toMatchObject({ code: 'bad_event_id' });
    }
    await memory.close();
  });

  it.each([
    ['a fraction of a millisecond', { at: 0.5 }, 'bad_time'],
    ['no time', { at: Number.NaN }, 'bad_time'],
    ['no task', { task: '' }, 'bad_task'],
    ['no source', { provenance: { source: '' } }, 'bad_provenance'],
    ['a negative ordinal', { provenance: { source: 's', ordinal: -1 } }, 'bad_provenance'],
    ['a hash that is none', { provenance: { source: 's', sha256: 'no' } }, 'bad_provenance'],
    ['too much meta', { meta: new Uint8Array(2 ** 20 + 1) }, 'meta_too_large'],
  ])('a bad record: %s', async (_, change, code) => {
    const memory = await open();
    await expect(memory.remember(root, { ...record(1), ...change })).rejects.toMatchObject({ code });
    expect((await memory.stats()).events).toBe(0);
    await memory.close();
  });

  it('bad events, counts, positions, unknown events', async () => {
    const memory = await open();
    const bad = { module: 'm', attributes: Float32Array.of(Number.NaN) };
    await expect(memory.remember(bad, record(1))).rejects.toMatchObject({ code: 'sketch_attributes' });
    await expect(memory.recall({ root }, 0)).rejects.toMatchObject({ code: 'bad_count' });
    await expect(memory.recall({ root }, 1e9)).rejects.toMatchObject({ code: 'bad_count' });
    await expect(memory.component(root, 1, { position: '0/../1' })).rejects.toMatchObject({ code: 'bad_position' });
    await expect(memory.forget('0'.repeat(32))).rejects.toMatchObject({ code: 'event_not_found' });
    await expect(memory.recall({ event: '0'.repeat(32) }, 1)).rejects.toMatchObject({ code: 'event_not_found' });
    await memory.remember(root, record(1));
    await expect(memory.forget((await memory.list())[0]!.ordinal === 1 ? 'x' : 'y')).rejects.toMatchObject({
      code: 'bad_event_id',
    });
    await memory.close();
    await expect(memory.recall({ root }, 1)).rejects.toMatchObject({ code: 'memory_closed' });
  });

  it('another specification than the memory was made with, and a new memory without a seed', async () => {
    const store = new InMemoryStore();
    await (await Memory.open({ store, seed: 'a', spec: { dim: 256 } })).close();
    await expect(Memory.open({ store, seed: 'b' })).rejects.toThrow(
      'Expected the seed that this memory was made with, got another.',
    );
    await expect(Memory.open({ store, spec: { dim: 512 } })).rejects.toMatchObject({ code: 'memory_spec' });
    expect((await Memory.open({ store })).spec).toMatchObject({ dim: 256, seed: 'a', store: 'i8' });
    await expect(Memory.open({ path: ':memory:' })).rejects.toMatchObject({ code: 'memory_seed' });
  });
});
