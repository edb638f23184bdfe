// A tree of decisions on single attributes of the task code with a linear module at every leaf, for codes that are read like
// a program and do not fall into clusters. Grown greedily with one step of looking ahead; not pruned.
import { CairnError } from '../../errors.ts';
import { linearAnswer, LinearSums } from './ridge.ts';
import { type Fitted, type Formulation, rowsOf, type TaskData } from './task-data.ts';

export interface CodeTreeOptions {
  readonly ridge?: number;
  /** Most decisions on a path. Default 9. */
  readonly maxDepth?: number;
  /** Least rows of a leaf per trained number. Default 3. */
  readonly rowsPerParameter?: number;
  /** Share of what a node leaves that a split must remove. Default 0.005. */
  readonly gain?: number;
  /** Attributes that are tried with the best decision below them; 1 is plain greed. Default 4. */
  readonly ahead?: number;
}

type TreeNode =
  | { readonly weights: Float64Array; readonly rows: number }
  | { readonly attribute: number; readonly threshold: number; readonly low: TreeNode; readonly high: TreeNode };

/** Rows of a node with their sums. */
interface Part {
  readonly rows: readonly number[];
  readonly sums: LinearSums;
}

interface Split {
  readonly attribute: number;
  readonly threshold: number;
  readonly low: Part;
  readonly high: Part;
  /** Squares left by both sides. */
  readonly left: number;
}

/**
 * The tree as a formulation.
 * @throws CairnError `bad_option`
 * @example
 * const fitted = await codeTree().fit(data, rng);
 * fitted.sizes.length; // leaves
 */
export function codeTree(options: CodeTreeOptions = {}): Formulation {
  const { ridge = 1e-6, maxDepth = 9, rowsPerParameter = 3, gain = 0.005, ahead = 4 } = options;
  if (!Number.isInteger(maxDepth) || maxDepth < 0) {
    throw new CairnError('bad_option', `Expected a whole depth of at least 0, got ${maxDepth}.`);
  }
  return {
    name: 'tree of code attributes',
    async fit(data): Promise<Fitted> {
      const parameters = data.width + 1;
      const leftOf = (part: Part): number => part.sums.solve(ridge).left;
      /** Splits of a part in the middle of each attribute, best first. */
      const splits = (part: Part): Split[] =>
        Array.from({ length: data.codeWidth }, (_, k) => splitAt(data, part, k))
          .filter((s) => s !== undefined)
          .filter(({ low, high }) => Math.min(low.rows.length, high.rows.length) >= rowsPerParameter * parameters)
          .map((s) => ({ ...s, left: leftOf(s.low) + leftOf(s.high) }))
          .sort((a, b) => a.left - b.left || a.attribute - b.attribute);
      /** What a part leaves after the best single decision. */
      const leftBelow = (part: Part): number => Math.min(leftOf(part), splits(part)[0]?.left ?? Infinity);
      const choose = (list: readonly Split[]): Split | undefined => {
        if (list.length < 2 || ahead < 2) return list[0];
        const scored = list
          .slice(0, ahead)
          .map((split) => ({ split, score: leftBelow(split.low) + leftBelow(split.high) }));
        return scored.reduce((best, s) => (s.score < best.score ? s : best)).split;
      };
      const grow = (part: Part, depth: number): TreeNode => {
        const { weights, left } = part.sums.solve(ridge);
        const list = depth < maxDepth && left > 1e-9 * part.rows.length ? splits(part) : [];
        // A split of noise removes about as many degrees of freedom as it adds; ask for clearly more.
        const needed = gain + (4 * parameters) / part.rows.length;
        const split = 1 - (list[0]?.left ?? Infinity) / left < needed ? undefined : choose(list);
        if (split === undefined) return { weights, rows: part.rows.length };
        const { attribute, threshold } = split;
        return { attribute, threshold, low: grow(split.low, depth + 1), high: grow(split.high, depth + 1) };
      };
      const rows = [...Array(rowsOf(data)).keys()];
      const root = grow({ rows, sums: sumsOf(data, rows) }, 0);
      return {
        sizes: leavesOf(root),
        parameters,
        predict: async (asked) =>
          Float32Array.from({ length: rowsOf(asked) }, (_, i) => linearAnswer(leafOf(root, asked, i), asked, i)),
      };
    },
  };
}

function codeAt(data: TaskData, row: number, attribute: number): number {
  return data.codes[row * data.codeWidth + attribute]!;
}

function sumsOf(data: TaskData, rows: readonly number[]): LinearSums {
  const sums = new LinearSums(data.width);
  for (const i of rows) sums.add(data, i);
  return sums;
}

/** A split between the smallest and the largest value of an attribute; nothing when there is only one. */
function splitAt(data: TaskData, part: Part, attribute: number): Omit<Split, 'left'> | undefined {
  let [least, most] = [Infinity, -Infinity];
  for (const i of part.rows) {
    const v = codeAt(data, i, attribute);
    if (v < least) least = v;
    if (v > most) most = v;
  }
  if (!(most > least)) return undefined;
  const threshold = (least + most) / 2;
  const low: number[] = [];
  const high: number[] = [];
  for (const i of part.rows) (codeAt(data, i, attribute) < threshold ? low : high).push(i);
  const [fewer, more] = low.length < high.length ? [low, high] : [high, low];
  const sums = sumsOf(data, fewer);
  const parts = { fewer: { rows: fewer, sums }, more: { rows: more, sums: part.sums.without(sums) } };
  return low === fewer
    ? { attribute, threshold, low: parts.fewer, high: parts.more }
    : { attribute, threshold, low: parts.more, high: parts.fewer };
}

function leafOf(root: TreeNode, data: TaskData, row: number): Float64Array {
  let node = root;
  while (!('weights' in node)) node = codeAt(data, row, node.attribute) < node.threshold ? node.low : node.high;
  return node.weights;
}

/** Rows of each leaf. */
function leavesOf(node: TreeNode): number[] {
  return 'weights' in node ? [node.rows] : [...leavesOf(node.low), ...leavesOf(node.high)];
}
