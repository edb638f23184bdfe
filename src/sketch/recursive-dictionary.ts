// The recursable form of dictionary learning: objects are only ever seen through the block matrix of their parent, and both
// levels are found from sums alone. A parent multiplies every block by one word of signs and every block row by one sign,
// so a child's pattern u appears as D ∘ u; in signs that is an exclusive or, and all patterns below one parent differ from
// those below another by one constant word. After section 1.14 of the construction of arXiv 1905.12730.
import { Rng } from '../tensor/index.ts';
import {
  type BlockFamily,
  learnDictionary,
  type LearnedColumn,
  type LearnedMatrix,
  type LearnOptions,
} from './block-dictionary.ts';

/** What a parent does to a vector of blocks. */
export interface ParentMap {
  /** [size] ±1, the same in every block; the first is +1. */
  readonly word: Int8Array;
  /** [blocks] ±1; of a learned parent +1 where no common column shows it. */
  readonly rows: Int8Array;
}

/** The map of a parent of a family, by name. */
export function parentMap(family: BlockFamily, parent: string): ParentMap {
  const stream = new Rng(`block:${family.seed}`).fork('parent').fork(parent);
  const draw = (n: number): Int8Array => Int8Array.from({ length: n }, () => stream.rademacher());
  const word = draw(family.size);
  word[0] = 1;
  return { word, rows: draw(family.blocks) };
}

/** A vector of a child as it appears in the sketch of its parent. @param vector [d] @returns [d] */
export function seenThrough({ word, rows }: ParentMap, vector: Float64Array): Float64Array {
  return vector.map((v, i) => v * word[i % word.length]! * rows[Math.floor(i / word.length)]!);
}

/** A parent that was found. */
export interface LearnedParent extends ParentMap {
  /** Columns it was seen with. */
  readonly seen: number;
}

/**
 * Both levels. Only products of the two can be seen, so everything is relative to the first parent: its map is all +1, and
 * the columns are as they appear through it.
 */
export interface RecursiveDictionary {
  readonly parents: readonly LearnedParent[];
  readonly matrices: readonly LearnedMatrix[];
  /** Views that cannot be placed: through two of several parents it is undecidable which is which. */
  readonly unsettled: readonly LearnedMatrix[];
}

/** What was seen of one matrix through one parent, and what leads from the view it was grouped with. */
interface View {
  readonly columns: readonly LearnedColumn[];
  /** [size] word from the group's first view to this one. */
  readonly word: Int8Array;
}

/** Share of the columns that must fit a word before two views count as the same matrix. */
const AGREEMENT = 0.75;

/**
 * Finds the matrices of children and the maps of their parents from sums y = Σ P_p (R e_c) x with sparse x ≥ 0. A matrix
 * must be seen through all parents or at least three: a product of signs does not say which of two came first.
 * @param samples each [d]
 * @throws CairnError `sketch_block` as `learnDictionary` does
 * @example
 * const { parents, matrices } = learnRecursive(samples, { size: 64, noise: 1e-3, least: 0.01 });
 */
export function learnRecursive(samples: readonly Float64Array[], options: LearnOptions): RecursiveDictionary {
  // A view is what learning takes for a matrix: all its columns share the first half of their patterns.
  const views = learnDictionary(samples, options).filter(({ columns }) => columns.length >= 2);
  const groups = groupViews(views.toSorted((a, b) => b.columns.length - a.columns.length));
  if (groups.length === 0) return { parents: [], matrices: [], unsettled: [] };
  const parents = settleParents(groups);
  const settled = groups.filter((group) => parents.of(group[0]!, group) !== undefined);
  const matrices = settled.map((group) => {
    const columns = new Map<string, LearnedColumn[]>();
    for (const view of group) {
      const through = parents.of(view, group)!;
      for (const column of view.columns) {
        const own = undo(column, through);
        const key = own.pattern.join();
        columns.set(key, [...(columns.get(key) ?? []), own]);
      }
    }
    return { columns: [...columns.values()].map(merge) };
  });
  const unsettled = groups.filter((group) => !settled.includes(group)).flat();
  return { parents: parents.list, matrices, unsettled: unsettled.map(({ columns }) => ({ columns })) };
}

/** Views of one matrix through several parents: those whose columns differ by one constant word. */
function groupViews(views: readonly LearnedMatrix[]): View[][] {
  const groups: View[][] = [];
  for (const { columns } of views) {
    const home = groups
      .map((group) => ({ group, word: constantWord(group[0]!.columns, columns) }))
      .find(({ word }) => word !== undefined);
    if (home === undefined) groups.push([{ columns, word: new Int8Array(columns[0]!.pattern.length).fill(1) }]);
    else home.group.push({ columns, word: home.word! });
  }
  return groups;
}

/** The word w with w ∘ a ∈ B for most columns a of A, if there is one. */
function constantWord(a: readonly LearnedColumn[], b: readonly LearnedColumn[]): Int8Array | undefined {
  const known = new Set(b.map((column) => column.pattern.join()));
  const needed = Math.max(2, Math.ceil(AGREEMENT * Math.min(a.length, b.length)));
  // Any common column gives the word; trying as many as may be missing, and one more, meets a common one.
  for (const first of a.slice(0, 1 + Math.max(0, a.length - needed))) {
    for (const column of b) {
      const word = times(first.pattern, column.pattern);
      if (a.filter(({ pattern }) => known.has(times(pattern, word).join())).length >= needed) return word;
    }
  }
  return undefined;
}

/** Parents by their word relative to the first one; groups that share two parents fix each other's reference. */
function settleParents(groups: readonly (readonly View[])[]): {
  readonly list: readonly LearnedParent[];
  of(view: View, group: readonly View[]): ParentMap | undefined;
} {
  const order = groups.toSorted((a, b) => b.length - a.length);
  const parents = new Map<string, { word: Int8Array; views: View[] }>();
  const bases = new Map<readonly View[], Int8Array>();
  const waiting = [...order];
  while (waiting.length > 0) {
    // The next group that has enough in common with what is settled; the largest one starts.
    const at = parents.size === 0 ? 0 : waiting.findIndex((group) => baseOf(group, parents) !== undefined);
    if (at < 0) break;
    const [group] = waiting.splice(at, 1);
    const ones = new Int8Array(group![0]!.word.length).fill(1);
    const base = parents.size === 0 ? ones : baseOf(group!, parents)!;
    bases.set(group!, base);
    for (const view of group!) {
      const word = times(view.word, base);
      const known = parents.get(word.join()) ?? { word, views: [] };
      known.views.push(view);
      parents.set(word.join(), known);
    }
  }
  const rows = settleRows([...bases.keys()], bases, parents);
  const list = [...parents].map(([key, { word, views }]) => ({
    word,
    rows: rows.get(key)!,
    seen: views.reduce((n, view) => n + view.columns.length, 0),
  }));
  const byKey = new Map([...parents.keys()].map((key, i) => [key, list[i]!] as const));
  return {
    list,
    of: (view, group) => {
      const base = bases.get(group);
      return base === undefined ? undefined : byKey.get(times(view.word, base).join());
    },
  };
}

/**
 * The word of a group's first view among the known parents: the one under which most of its views are known parents. Two
 * such words are as good as each other only if the group has all parents, for then they name the same products.
 */
function baseOf(
  group: readonly View[],
  parents: ReadonlyMap<string, { readonly word: Int8Array }>,
): Int8Array | undefined {
  let best: { word: Int8Array; fits: number; ties: number } | undefined;
  for (const { word } of parents.values()) {
    const fits = group.filter((view) => parents.has(times(view.word, word).join())).length;
    if (best === undefined || fits > best.fits) best = { word, fits, ties: 0 };
    else if (fits === best.fits) best.ties++;
  }
  if (best === undefined) return undefined;
  const complete = best.fits === parents.size && group.length === parents.size;
  return complete || (best.fits >= 3 && best.ties === 0) ? best.word : undefined;
}

/** Row signs of every parent relative to the first: a majority over the columns that both were seen with. */
function settleRows(
  order: readonly (readonly View[])[],
  bases: ReadonlyMap<readonly View[], Int8Array>,
  parents: ReadonlyMap<string, unknown>,
): Map<string, Int8Array> {
  const blocks = order[0]![0]!.columns[0]!.entries.length;
  const keys = [...parents.keys()];
  const rows = new Map([[keys[0]!, new Int8Array(blocks).fill(1)]]);
  for (let before = 0; rows.size < keys.length && rows.size > before;) {
    before = rows.size;
    const votes = new Map<string, Int32Array>();
    for (const group of order) {
      const keyOf = (view: View): string => times(view.word, bases.get(group)!).join();
      const settled = group.filter((view) => rows.has(keyOf(view)));
      for (const view of group) {
        if (rows.has(keyOf(view))) continue;
        const vote = votes.get(keyOf(view)) ?? new Int32Array(blocks);
        votes.set(keyOf(view), vote);
        for (const other of settled) addVotes(vote, view, other, rows.get(keyOf(other))!);
      }
    }
    for (const [key, vote] of votes) {
      if (vote.some((v) => v !== 0))
        rows.set(
          key,
          Int8Array.from(vote, (v) => (v < 0 ? -1 : 1)),
        );
    }
  }
  for (const key of keys) if (!rows.has(key)) rows.set(key, new Int8Array(blocks).fill(1));
  return rows;
}

function addVotes(vote: Int32Array, view: View, other: View, otherRows: Int8Array): void {
  const between = times(view.word, other.word);
  const byPattern = new Map(other.columns.map((column) => [column.pattern.join(), column]));
  for (const column of view.columns) {
    const twin = byPattern.get(times(column.pattern, between).join());
    if (twin === undefined) continue;
    for (let r = 0; r < vote.length; r++) {
      vote[r] = vote[r]! + column.entries[r]! * twin.entries[r]! * otherRows[r]!;
    }
  }
}

/** A column as it is before its parent. */
function undo({ pattern, entries, seen }: LearnedColumn, { word, rows }: ParentMap): LearnedColumn {
  return { pattern: times(pattern, word), entries: entries.map((e, r) => e * rows[r]!), seen };
}

/** One column from all its views: entries by majority, and a row that any view has seen is present. */
function merge(views: readonly LearnedColumn[]): LearnedColumn {
  const { pattern, entries } = views[0]!;
  const sum = Int32Array.from(entries, (_, r) => views.reduce((s, view) => s + view.entries[r]!, 0));
  return { pattern, entries: Int8Array.from(sum, Math.sign), seen: views.reduce((s, view) => s + view.seen, 0) };
}

function times(a: Int8Array, b: Int8Array): Int8Array {
  return a.map((v, i) => v * b[i]!);
}
