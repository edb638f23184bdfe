// Concepts formed by a memory together with a book, on a file: found, kept in one transaction with the book, the same after
// opening again, and without members of events that were forgotten in between.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { ConceptBook } from './concepts/index.ts';
import { Memory } from './memory.ts';

const dir = mkdtempSync(join(tmpdir(), 'cairn-form-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const DIM = 6;
const KINDS = 3;
const STAT = 'test/book';

/** Three kinds of parts, each in a direction of its own; which is which is known only here. */
async function fill(memory: Memory, events: number): Promise<string[]> {
  const ids: string[] = [];
  for (let i = 0; i < events; i++) {
    const inputs = Array.from({ length: KINDS }, (_, kind) => {
      const attributes = new Float32Array(DIM);
      attributes[2 * kind] = 0.75;
      attributes[2 * kind + 1] = 0.25;
      return { object: { module: 'part', attributes }, weight: 1 / KINDS };
    });
    const root = { module: 'scene', attributes: Float32Array.of(1), inputs };
    ids.push((await memory.remember(root, { task: 'see', provenance: { source: 'scenes', ordinal: i }, at: i })).id);
  }
  return ids;
}

const options = { minCount: 12, maxSpread: 0.1, at: 7 } as const;

describe('a memory and a book of concepts', () => {
  it.each(['a', 'b', 'c'])('agree on what belongs together, before and after opening again (seed %s)', async (seed) => {
    const path = join(dir, `${seed}.db`);
    let memory = await Memory.open({ path, seed });
    await fill(memory, 24);
    const book = new ConceptBook({ features: { dim: DIM }, noise: 0.01, seed });
    const bookOf = (module: string): ConceptBook | undefined => (module === 'part' ? book : undefined);
    const formed = await memory.formConcepts(bookOf, {
      ...options,
      also: () => [{ kind: 'stat', name: STAT, bytes: book.toBytes() }],
    });
    expect(formed).toHaveLength(KINDS);
    for (const { concept } of formed) expect(book.concept(concept).count).toBe(24);
    // Every part of one kind is in one concept, and no other kind is in it.
    const kindOf = (mean: Float64Array): number => Math.floor(mean.indexOf(Math.max(...mean)) / 2);
    expect(new Set(book.concepts().map((c) => kindOf(c.mean))).size).toBe(KINDS);
    await memory.close();

    memory = await Memory.open({ path });
    const kept = ConceptBook.fromBytes((await memory.store.stat(STAT))!);
    expect(kept.toBytes()).toEqual(book.toBytes());
    expect(await memory.concepts()).toEqual(formed.toSorted((a, b) => a.concept - b.concept));
    const again = await memory.formConcepts((module) => (module === 'part' ? kept : undefined), options);
    expect(again).toEqual(formed);
    expect(kept.toBytes()).toEqual(book.toBytes());
    await memory.close();
  });

  it('leave out what was forgotten after the buckets were read', async () => {
    const memory = await Memory.open({ path: join(dir, 'late.db'), seed: 'late' });
    const ids = await fill(memory, 20);
    const buckets = await memory.buckets(options);
    await memory.forget(ids[4]!);
    const book = new ConceptBook({ features: { dim: DIM }, noise: 0.01 });
    const formed = await memory.formConcepts((module) => (module === 'part' ? book : undefined), {
      ...options,
      buckets,
    });
    expect(formed).toHaveLength(KINDS);
    for (const { concept } of formed) expect(book.concept(concept).count).toBe(19);
    expect(book.conceptOf(`${ids[4]!}/0/0`)).toBeUndefined();
    expect(book.conceptOf(`${ids[5]!}/0/0`)).toBeDefined();
    await memory.close();
  });
});
