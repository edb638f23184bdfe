// Recall through the graph, words, time, updates and contradictions; and that forgetting takes all of it back.
import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { Obj } from '../sketch/index.ts';
import { Rng } from '../tensor/index.ts';
import { InMemoryStore } from './in-memory-store.ts';
import { Memory } from './memory.ts';
import { dumpOf } from './_conformance-tools.ts';
import { oneHot, part, scene } from './_testing/scenes.ts';

const directory = mkdtempSync(join(tmpdir(), 'cairn-facts-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const spec = { dim: 512 } as const;
const open = (): Promise<Memory> => Memory.open({ store: new InMemoryStore(), seed: 'facts', spec });
const record = (
  ordinal: number,
  more: object = {},
): { task: string; provenance: { source: string; ordinal: number }; at: number } => ({
  task: 'see',
  provenance: { source: 'stream', ordinal },
  at: 1000 * ordinal,
  ...more,
});

/** Words as keys: any number stands for one. */
function terms(...keys: number[]): { keys: Float64Array; counts: Uint32Array; length: number } {
  const sorted = Float64Array.from(new Set(keys)).sort();
  return {
    keys: sorted,
    counts: Uint32Array.from(sorted, (key) => keys.filter((k) => k === key).length),
    length: keys.length,
  };
}

describe('recall over the graph', () => {
  it('reaches events that share nothing with the cue but a common neighbour, and tells the path', async () => {
    for (let seed = 0; seed < 5; seed++) {
      const rng = new Rng(seed).fork('paths');
      const memory = await open();
      const things = Array.from({ length: 40 }, (_, i) => part(`m${i}`, rng, 12));
      // a - b - c: b shares a thing with each; noise shares nothing with them.
      const a = await memory.remember(scene([things[0]!, things[1]!]), record(1));
      const b = await memory.remember(scene([things[1]!, things[2]!]), record(2));
      const c = await memory.remember(scene([things[2]!, things[3]!]), record(3));
      for (let i = 4; i < 38; i += 2) await memory.remember(scene([things[i]!, things[i + 1]!]), record(i));
      const hits = await memory.recall({ components: [{ object: things[0]! }] }, 3);
      expect(hits.map(({ id }) => id)).toEqual([a.id, b.id, c.id]);
      expect(hits[0]!.via).toEqual(['component', 'walk']);
      expect(hits[2]!.via).toEqual(['walk']);
      const ends = [things[2]!, things[3]!, scene([things[2]!, things[3]!])].map((o) => memory.nodeOf(o));
      expect(ends).toContain(hits[2]!.path.at(-1)!.to);
      const starts = [things[0]!, scene([things[0]!, things[1]!]), scene([things[1]!, things[2]!])];
      expect(starts.map((o) => memory.nodeOf(o))).toContain(hits[2]!.path[0]!.from);
      expect(hits[0]!.decoded[0]!.difference).toBeLessThan(Math.max(0.02, 4 * hits[0]!.decoded[0]!.err));
      for (const { score, parts } of hits)
        expect(Object.values(parts).reduce((s, v) => s + v, 0)).toBeCloseTo(score, 12);
      const without = await memory.recall({ components: [{ object: things[0]! }] }, 3, { walk: false });
      expect(without.map(({ id }) => id)).not.toContain(c.id);
      await memory.close();
    }
  });

  it('follows named links between events in either direction', async () => {
    const rng = new Rng(9);
    const memory = await open();
    const turns = Array.from({ length: 6 }, () => part('turn', rng, 12));
    const ids: string[] = [];
    for (const [i, turn] of turns.entries()) {
      const links = i === 0 ? [] : [{ kind: 'previous', to: memory.nodeOf(turns[i - 1]!) } as const];
      ids.push((await memory.remember(turn, record(i, { links }))).id);
    }
    const hits = await memory.recall({ event: ids[3]! }, 6);
    expect(hits[0]!.id).toBe(ids[3]);
    const walked = new Map(hits.map(({ id, parts }) => [id, parts.walk]));
    expect(walked.get(ids[2]!)!).toBeGreaterThan(walked.get(ids[1]!) ?? 0);
    expect(walked.get(ids[4]!)!).toBeGreaterThan(walked.get(ids[5]!) ?? 0);
    await memory.close();
  });

  it('joins words with sketches, and finds by words alone', async () => {
    const rng = new Rng(10);
    const memory = await open();
    const ids: string[] = [];
    for (let i = 0; i < 30; i++) {
      const words = [100 + (i % 3), 200 + i, 300];
      ids.push((await memory.remember(part('say', rng, 12), record(i, { terms: terms(...words) }))).id);
    }
    const [hit, ...rest] = await memory.recall({ words: { keys: [207, 101] } }, 5);
    expect(hit).toMatchObject({ id: ids[7], via: ['words'], cosine: undefined });
    expect(hit!.parts.words).toBe(1);
    expect(rest.every(({ parts }) => parts.words > 0 && parts.words < 1)).toBe(true);
    const both = await memory.recall({ event: ids[4]!, words: { keys: [212] } }, 2);
    expect(both.map(({ id }) => id).sort()).toEqual([ids[4], ids[12]].sort());
    await expect(memory.recall({ words: { keys: [] } }, 1)).rejects.toMatchObject({ code: 'bad_cue' });
    await memory.close();
  });

  it('counts likeness to an unwanted target against an event', async () => {
    const rng = new Rng(11);
    const memory = await open();
    const [liked, disliked, other] = [part('x', rng, 12), part('y', rng, 12), part('z', rng, 12)];
    const both = await memory.remember(scene([liked, disliked]), record(1));
    const only = await memory.remember(scene([liked, other]), record(2));
    for (let i = 3; i < 20; i++) await memory.remember(scene([part('x', rng, 12), part('q', rng, 12)]), record(i));
    const cue = { components: [{ object: liked }] };
    const [first] = await memory.recall({ ...cue, not: { components: [{ object: disliked }] } }, 2);
    expect(first!.id).toBe(only.id);
    const [last] = await memory.recall({ ...cue, not: { components: [{ object: other }] } }, 2);
    expect(last!.id).toBe(both.id);
    const byWhole = await memory.recall({ root: scene([liked, other]), not: { event: only.id } }, 2);
    expect(byWhole[0]!.id).toBe(both.id);
    await memory.close();
  });
});

describe('facts', () => {
  const lives = (who: number, where: number): Obj => ({
    module: 'lives-in',
    attributes: Float32Array.from({ length: 8 }, (_, i) => (i === where || i === 4 + who ? 1 : 0)),
    groups: [
      { start: 0, size: 4 },
      { start: 4, size: 4 },
    ],
  });
  const fact = (ordinal: number, validFrom: number): ReturnType<typeof record> =>
    record(ordinal, { provenance: { source: 's', ordinal, validFrom } });

  it('an update supersedes: both stay, each in its time; contradictions are flagged, nothing is dropped', async () => {
    const memory = await open();
    const first = await memory.remember(lives(1, 0), fact(1, 1000));
    const second = await memory.update(first.id, lives(1, 2), fact(2, 5000));
    const cue = { root: lives(1, 0) };
    const at = async (asOf: number): Promise<string[]> =>
      (await memory.recall({ ...cue, asOf }, 5)).map(({ id }) => id);
    expect(await at(500)).toEqual([]);
    expect(await at(3000)).toEqual([first.id]);
    expect(await at(5000)).toEqual([second.id]);
    const hits = await memory.recall(cue, 5);
    const byId = new Map(hits.map((hit) => [hit.id, hit]));
    expect(byId.get(first.id)).toMatchObject({ supersededBy: [second.id], contradicts: [], times: { validTo: 5000 } });
    expect(byId.get(second.id)).toMatchObject({ supersededBy: [], contradicts: [] });
    // Said without saying that the old one ended: two statements about one person at one time.
    const rival = await memory.remember(lives(1, 3), fact(3, 6000));
    const flagged = await memory.recall({ root: lives(1, 3), asOf: 7000 }, 5);
    expect(new Map(flagged.map(({ id, contradicts }) => [id, contradicts]))).toEqual(
      new Map([
        [rival.id, [second.id]],
        [second.id, [rival.id]],
      ]),
    );
    const elsewhere = await memory.remember(lives(2, 3), fact(4, 6000));
    const other = (await memory.recall({ root: lives(2, 3) }, 1))[0]!;
    // Another person in the same town: the town is a common value, so only the person block differs there.
    expect(other.id).toBe(elsewhere.id);
    await memory.retract(rival.id, 8000);
    expect((await memory.recall({ root: lives(1, 2), asOf: 9000 }, 5)).map(({ id }) => id)).not.toContain(rival.id);
    expect((await memory.recall({ root: lives(1, 3), known: 7000 }, 5)).map(({ id }) => id)).toContain(rival.id);
    const bare = await memory.remember(oneHot('bare', 1, 4), record(9));
    await expect(memory.update(bare.id, oneHot('bare', 2, 4), record(10))).rejects.toMatchObject({
      code: 'not_a_fact',
    });
    await expect(memory.update(first.id, lives(1, 1), fact(11, 10))).rejects.toMatchObject({ code: 'bad_time' });
    await memory.close();
  });

  it('forgetting an update opens the old fact again; forgetting everything leaves an empty dump', async () => {
    const memory = await open();
    const first = await memory.remember(lives(1, 0), fact(1, 1000));
    const before = await dumpOf(memory.store);
    const second = await memory.update(first.id, lives(1, 2), fact(2, 5000));
    await memory.forget(second.id);
    const after = (await dumpOf(memory.store)).filter((line) => !line.startsWith('{"stat"'));
    expect(after).toEqual(before.filter((line) => !line.startsWith('{"stat"')));
    await memory.forgetAll([first.id]);
    expect((await dumpOf(memory.store)).map((line) => JSON.parse(line).stat)).toEqual(['spec']);
    await memory.close();
  });
});

describe('forgetting', () => {
  it('takes edges of others that lead to what is gone, in one write for many events or one by one', async () => {
    const rng = new Rng(12);
    const turns = Array.from({ length: 12 }, () => scene([part('a', rng), part('b', rng), part('c', rng)]));
    const build = async (skip: ReadonlySet<number>): Promise<{ memory: Memory; ids: string[] }> => {
      const memory = await open();
      const ids: string[] = [];
      for (const [i, turn] of turns.entries()) {
        const before = i - 1;
        const links =
          i === 0 || skip.has(before) ? [] : [{ kind: 'previous', to: memory.nodeOf(turns[before]!) } as const];
        if (!skip.has(i)) ids[i] = (await memory.remember(turn, record(i, { links, terms: terms(i, i + 1) }))).id;
      }
      return { memory, ids };
    };
    const content = async (memory: Memory): Promise<string[]> =>
      (await dumpOf(memory.store)).filter((line) => !line.startsWith('{"stat"'));
    const control = await build(new Set([3, 4, 8]));
    for (const together of [true, false]) {
      const { memory, ids } = await build(new Set());
      const gone = [3, 4, 8].map((i) => ids[i]!);
      if (together) await memory.forgetAll(gone);
      else for (const id of gone) await memory.forget(id);
      expect(await content(memory)).toEqual(await content(control.memory));
      await memory.close();
    }
    await control.memory.close();
  });

  it('overwrites the bytes of an event in the kept text, but not those of events inside it', async () => {
    const path = join(directory, 'text.db');
    const memory = await Memory.open({ path, seed: 's', spec });
    const rng = new Rng(13);
    const noise = Array.from({ length: 4000 }, () => String.fromCharCode(97 + rng.integer(26))).join('');
    const text = new TextEncoder().encode(`${noise} the secret is hidden in here ${noise}`);
    const { source, sha256 } = await memory.putSource('notes.md', text);
    expect(sha256).toBe(createHash('sha256').update(text).digest('hex'));
    const put = (lo: number, hi: number): Promise<{ id: string }> =>
      memory.remember(part('line', rng), { task: 'read', provenance: { source, sha256, range: [lo, hi] }, at: 1 });
    const whole = await put(0, text.length);
    const secret = await put(4005, 4011);
    const near = await put(4012, 4014);
    const word = async (lo: number, hi: number): Promise<string> =>
      Buffer.from((await memory.texts([{ source, sha256, range: [lo, hi] }]))[0]!).toString();
    expect(await word(4005, 4011)).toBe('secret');
    expect((await memory.eventsOf(source, sha256)).toSorted()).toEqual([whole.id, secret.id, near.id].toSorted());
    const erasure = await memory.forget(secret.id);
    expect(erasure.aggregates).toContain('source text');
    expect(await word(4001, 4014)).toBe('the        is');
    await memory.forget(whole.id);
    expect(await word(4001, 4014)).toBe('           is');
    expect(await word(0, 5)).toBe('     ');
    await memory.forget(near.id);
    expect(await memory.texts([{ source, sha256, range: [0, 5] }])).toEqual([undefined]);
    await memory.close();
    const files = readdirSync(directory).map((name) => readFileSync(join(directory, name)));
    for (const probe of ['secret', 'notes.md', sha256, noise.slice(0, 40)]) {
      expect([probe, files.some((file) => file.includes(probe))]).toEqual([probe, false]);
    }
  });
});
