// How pure the concepts of digits are: after they were found without labels, they are compared with what the generated boards
// really show. A measurement; nothing in growth uses it.
import type { Desk } from '../desk.ts';
import { objectsOf } from '../../growth/concepts.ts';
import { CLASSES } from '../cells.ts';

export interface PurityFigures {
  readonly concepts: number;
  /** Different digits (0: blank) that are the majority of some concept. */
  readonly digits: number;
  /** Cells in a concept whose truth is known. */
  readonly objects: number;
  /** Share of them that are of their concept's majority. */
  readonly purity: number;
  /** The same without blank cells. */
  readonly inked: number;
}

/** Reads every remembered generated board and counts, per concept, what its cells really show. */
export async function conceptPurity(desk: Desk): Promise<PurityFigures> {
  const { memory, growths } = desk.mind;
  const book = growths.book('read-digit');
  const counts = new Map<number, number[]>();
  for (let before: number | undefined; ;) {
    const page = await memory.list({ limit: 100, ...(before === undefined ? {} : { before }) });
    if (page.length === 0) break;
    before = page.at(-1)!.ordinal;
    for (const event of page) {
      const truth = 'quarantined' in event ? undefined : desk.truthOf(event.provenance);
      if ('quarantined' in event || truth === undefined) continue;
      for (const { module, path } of objectsOf(event)) {
        const concept = module === 'read-digit' ? book?.conceptOf(`${event.id}/${path}`) : undefined;
        if (concept === undefined) continue;
        const row = counts.get(concept) ?? Array.from({ length: CLASSES }, () => 0);
        const digit = truth[Number(path.slice(path.lastIndexOf('/') + 1))]!;
        row[digit] = row[digit]! + 1;
        counts.set(concept, row);
      }
    }
  }
  const rows = [...counts.values()];
  const majority = rows.map((row) => row.indexOf(Math.max(...row)));
  const sum = (of: (row: number[], i: number) => number): number => rows.reduce((s, row, i) => s + of(row, i), 0);
  const all = (row: readonly number[]): number => row.reduce((s, n) => s + n, 0);
  const inked = (row: readonly number[]): number => all(row) - row[0]!;
  return {
    concepts: rows.length,
    digits: new Set(majority).size,
    objects: sum(all),
    purity: sum((row, i) => row[majority[i]!]!) / sum(all),
    inked: sum((row, i) => (majority[i] === 0 ? 0 : row[majority[i]!]!)) / sum(inked),
  };
}
