// Two tasks in one bucket: when no model fits, the context may still tell them apart by one of its numbers. The best axis
// and threshold is taken when two models describe the samples in fewer bits than one by more than ln n.
import { Rng } from '../../tensor/index.ts';
import { candidatesFor } from './candidates.ts';
import { fitLadder } from './ladder.ts';
import type { Library } from './library.ts';
import type { Samples } from './samples.ts';
import type { Branch, Certified, Task, TaskOptions } from './task.ts';

/** A split, and which of its halves can be frozen at once. */
export interface Split {
  readonly branch: Branch;
  readonly certified: readonly [Task, Certified][];
}

const MAX_SPLITS = 6;
const MAX_ATTRIBUTES = 256;

/** Splits a parked task by its contexts, or returns nothing when that gains too little. */
export function splitTask(
  task: Task,
  library: Library,
  options: TaskOptions,
  create: (name: string, options: Partial<TaskOptions>) => Task,
): Split | undefined {
  const { samples } = task;
  const n = samples.count;
  const width = samples.context(0)?.length ?? 0;
  if (width === 0 || width > MAX_ATTRIBUTES || task.splits >= MAX_SPLITS || task.fit === undefined) return undefined;
  const describe = (part: Samples): number => {
    const fit = fitLadder(part, candidatesFor(library, part, options), task.kind, {
      tolerance: options.tolerance,
      epsilon: options.epsilon,
      networks: false,
      rng: new Rng(0),
    });
    return fit?.bits ?? 0;
  };
  const whole = describe(samples);
  let best: { attribute: number; threshold: number; low: number[]; high: number[]; gain: number } | undefined;
  for (let attribute = 0; attribute < width; attribute++) {
    const threshold = widestGap(Array.from({ length: n }, (_, i) => samples.context(i)?.[attribute] ?? 0));
    if (threshold === undefined) continue;
    const low: number[] = [];
    const high: number[] = [];
    for (let i = 0; i < n; i++) ((samples.context(i)?.[attribute] ?? 0) < threshold ? low : high).push(i);
    if (Math.min(low.length, high.length) < n / 8) continue;
    const gain = whole - describe(samples.pick(low)) - describe(samples.pick(high)) - Math.log2(width);
    if (best === undefined || gain > best.gain) best = { attribute, threshold, low, high, gain };
  }
  if (best === undefined || best.gain <= Math.log(n)) return undefined;
  // The axis was chosen on the same samples, so the halves share one delta over all axes.
  const stricter = { delta: options.delta / (2 * width) };
  const certified: [Task, Certified][] = [];
  const [low, high] = ([best.low, best.high] as const).map((indices, side) => {
    const child = create(`${task.name}/${side === 0 ? 'low' : 'high'}`, stricter);
    child.splits = task.splits + 1;
    for (const i of indices) {
      const passed = child.learn(samples.x(i), samples.targets[i]!, samples.context(i));
      if (passed === undefined) continue;
      certified.push([child, passed]);
      break;
    }
    return child;
  }) as [Task, Task];
  return { branch: { attribute: best.attribute, threshold: best.threshold, low, high }, certified };
}

/** The middle of the widest gap between values that leaves an eighth on either side. */
function widestGap(values: number[]): number | undefined {
  const sorted = values.sort((a, b) => a - b);
  const n = sorted.length;
  let width = 0;
  let at: number | undefined;
  for (let i = Math.max(1, n >> 3); i <= n - Math.max(1, n >> 3); i++) {
    const gap = sorted[i]! - sorted[i - 1]!;
    if (gap > width) {
      width = gap;
      at = (sorted[i]! + sorted[i - 1]!) / 2;
    }
  }
  return at;
}
