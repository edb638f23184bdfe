// What a table says about its prompts besides scores: the task each comes from. Named tasks help the map to find kinds; a prompt
// that is routed later needs no name.
import type { SideLabels } from '../learned-map.ts';

/** Tasks of fewer prompts say too little, and more tasks than this are topics rather than tasks: the most frequent count. */
const LEAST_PROMPTS = 10;
const MOST_TASKS = 64;

/** Weight of the tasks' log loss beside that of the models' errors. */
const WEIGHT = 0.2;

/**
 * Side labels of prompts from their tasks; undefined where fewer than two tasks are named often enough.
 * @example
 * taskLabels(table.prompts)?.count;
 */
export function taskLabels(prompts: readonly { readonly task?: string }[]): SideLabels | undefined {
  const counts = new Map<string, number>();
  for (const { task } of prompts) if (task !== undefined) counts.set(task, (counts.get(task) ?? 0) + 1);
  const tasks = [...counts]
    .filter(([, n]) => n >= LEAST_PROMPTS)
    .sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1))
    .slice(0, MOST_TASKS)
    .map(([task]) => task);
  if (tasks.length < 2) return undefined;
  const label = Int32Array.from(prompts, ({ task }) => (task === undefined ? -1 : tasks.indexOf(task)));
  return { label, count: tasks.length, weight: WEIGHT };
}
