// What each part of this experiment returns, and the tasks several parts share.
import type { Rng } from 'cairn/tensor';

/** A task over the bits of an example. */
export interface BitTask {
  readonly name: string;
  readonly of: (x: readonly number[]) => number;
}

/** Inputs that no task depends on. */
export const DISTRACTORS = 8;

/** Names of `bits` inputs and the distractors. */
export function bitNames(bits: number): string[] {
  return [
    ...Array.from({ length: bits }, (_, i) => `bit ${i}`),
    ...Array.from({ length: DISTRACTORS }, (_, i) => `distractor ${i}`),
  ];
}

/** Uniform bits. */
export function drawBits(rng: Rng, count: number): number[] {
  return Array.from({ length: count }, () => (rng.bernoulli() ? 1 : 0));
}

/** Every inner node of the binary tree over `bits` inputs, children before parents: parities of neighbouring stretches. */
export function parityTasks(bits: number): BitTask[] {
  const tasks: BitTask[] = [];
  for (let width = 2; width <= bits; width *= 2) {
    for (let from = 0; from < bits; from += width) {
      const to = from + width;
      tasks.push({
        name: `parity of bits ${from} to ${to - 1}`,
        of: (x) => x.slice(from, to).reduce((s, v) => s ^ v, 0),
      });
    }
  }
  return tasks;
}

/** Share of `count` fresh examples on which two functions agree. */
export function agreement(
  rng: Rng,
  width: number,
  count: number,
  a: (x: number[]) => number | undefined,
  b: (x: number[]) => number,
): number {
  let same = 0;
  for (let i = 0; i < count; i++) {
    const x = drawBits(rng, width);
    if (a(x) === b(x)) same++;
  }
  return same / count;
}
