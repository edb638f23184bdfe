// Growth on remembered boards, with readers that are known to err: digits come out as concepts without labels, deductions as
// patterns; both survive a restart, and a forgotten board leaves them as if it had never been there.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { CircuitGrowth, ConceptGrowth } from '../../growth/index.ts';
import { testDesk } from '../_testing.ts';
import type { Desk } from '../desk.ts';
import { boardSeeds } from './seeds.ts';
import { conceptPurity } from './purity.ts';

const dirs: string[] = [];
afterAll(() => dirs.forEach((dir) => rmSync(dir, { recursive: true, force: true })));

async function filled(
  seed: string,
  boards: number,
  skip = -1,
  dataDir?: string,
): Promise<{ desk: Desk; ids: string[] }> {
  const desk = await testDesk({ seed, ...(dataDir === undefined ? {} : { dataDir }) });
  await desk.mind.plant(boardSeeds());
  const ids: string[] = [];
  for (let i = 0; i < boards; i++) if (i !== skip) ids.push((await desk.stream({ from: i }).next()).id);
  return { desk, ids };
}

const CONCEPTS = { kinds: ['concept'], minEvents: 12 } as const;
const CIRCUITS = { kinds: ['circuit'], minEvents: 12 } as const;

const digitConcepts = (desk: Desk): ConceptGrowth[] =>
  desk.mind.growths
    .list()
    .flatMap((g) => (g.kind === 'concept' && g.module === 'read-digit' && g.status === 'standing' ? [g] : []));

describe('concepts of digits', () => {
  it.each(['one', 'two'])('are found without labels and are pure (seed %s)', async (seed) => {
    const { desk } = await filled(`purity ${seed}`, 16);
    const grown = await desk.mind.grow(CONCEPTS);
    expect(grown.length).toBeGreaterThanOrEqual(10);
    expect(digitConcepts(desk)).toHaveLength(10);
    const purity = await conceptPurity(desk);
    expect(purity.concepts).toBe(10);
    expect(purity.digits).toBe(10);
    expect(purity.objects).toBe(16 * 81);
    // Withheld boards may keep a misread cell.
    expect(purity.purity).toBeGreaterThanOrEqual(0.99);
    expect(purity.inked).toBeGreaterThanOrEqual(0.98);
    await desk.close();
  });

  it('are the same after a restart; a forgotten board leaves no trace in them', async () => {
    const dataDir = mkdtempSync(join(tmpdir(), 'cairn-board-growth-'));
    dirs.push(dataDir);
    const first = await filled('forget', 16, -1, dataDir);
    await first.desk.mind.grow(CONCEPTS);
    const before = first.desk.mind.growths.list();
    const view = await first.desk.mind.growths.concept(digitConcepts(first.desk)[0]!.id);
    expect(view.members.length).toBeGreaterThan(0);
    expect(view.losses[0]).toMatchObject({
      similarity: expect.closeTo(1, 9),
      shift: expect.closeTo(0, 9),
      withdrawn: [],
    });
    expect(view.losses[0]!.left + view.losses[0]!.objects).toBe(view.growth.objects);
    await first.desk.close();

    const desk = await testDesk({ seed: 'forget', dataDir });
    expect(desk.mind.growths.list()).toEqual(before);
    expect(await desk.mind.growths.concept(view.growth.id)).toEqual(view);
    await desk.forget(first.ids[5]!, 'subtract');
    const never = await filled('forget', 16, 5);
    await never.desk.mind.grow(CONCEPTS);
    const told = (d: Desk): unknown[] =>
      digitConcepts(d)
        .map(({ concept: _c, node: _n, id: _i, at: _a, name: _m, bucket: _b, ...rest }) => rest)
        .sort((a, b) => (a.mean.join() < b.mean.join() ? -1 : 1));
    expect(told(desk)).toEqual(told(never.desk));
    for (const growth of digitConcepts(desk)) expect(desk.mind.growths.eventsOf(growth.id)).not.toContain(first.ids[5]);
    const equations = (d: Desk): number[][] =>
      d.mind.growths
        .book('read-digit')!
        .concepts()
        .sort((a, b) => (a.mean.join() < b.mean.join() ? -1 : 1))
        .map((c) => [c.count, ...c.mean, ...c.signature.projector.data]);
    expect(equations(desk)).toEqual(equations(never.desk));
    await desk.close();
    await never.desk.close();
  });
});

describe('patterns of deductions and calls', () => {
  it('save bits beyond what frequencies give, also on boards that took no part, and go with a forgotten board', async () => {
    const { desk, ids } = await filled('patterns', 13);
    const grown = (await desk.mind.grow(CIRCUITS)) as CircuitGrowth[];
    expect(grown.map((g) => [g.name, g.status])).toEqual([
      ['circuit/deductions', 'standing'],
      ['circuit/calls', 'standing'],
    ]);
    for (const g of grown) {
      expect(g.bitsAfter).toBeLessThan(g.bitsBefore);
      expect(g.bitsBefore - g.bitsAfter).toBeGreaterThan(g.savedShuffled);
      expect(g.heldOut.streams).toBeGreaterThan(0);
      expect(g.heldOut.bitsAfter).toBeLessThan(g.heldOut.bitsBefore);
      expect(g.nodes.length).toBeGreaterThan(0);
    }
    // Nothing new: nothing is looked for again.
    expect(await desk.mind.grow(CIRCUITS)).toEqual([]);
    await desk.forget(ids[3]!, 'subtract');
    for (const g of grown)
      expect(desk.mind.growths.get(g.id)).toMatchObject({ status: expect.stringMatching('withdrawn|standing') });
    expect(desk.mind.growths.get(grown[1]!.id)).toMatchObject({ status: 'withdrawn', nodes: [], bitsBefore: 0 });
    const anew = (await desk.mind.grow(CIRCUITS)) as CircuitGrowth[];
    const never = await filled('patterns', 13, 3);
    const clean = (await never.desk.mind.grow(CIRCUITS)) as CircuitGrowth[];
    const bare = ({ id: _i, at: _a, ...rest }: CircuitGrowth): unknown => rest;
    expect(bare(anew.find((g) => g.name === 'circuit/calls')!)).toEqual(
      bare(clean.find((g) => g.name === 'circuit/calls')!),
    );
    await desk.close();
    await never.desk.close();
  }, 60_000);
});
