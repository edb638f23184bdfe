// Data of this experiment: linear tasks chosen by a noisy code, by a tree over the bits of a code, or by their parity.
import type { TaskData } from 'cairn/grow';
import type { Rng } from 'cairn/tensor';

export const WIDTH = 10;
export const CODE_WIDTH = 32;
const CODE_NOISE = 0.05;

function linearMap(rng: Rng): Float64Array {
  const w = new Float64Array(WIDTH);
  rng.fillNormal(w, 1 / Math.sqrt(WIDTH));
  return w;
}

function inputs(rng: Rng, n: number): Float32Array {
  const xs = new Float32Array(n * WIDTH);
  rng.fillNormal(xs);
  return xs;
}

function product(w: Float64Array, xs: Float32Array, row: number): number {
  let s = 0;
  for (let k = 0; k < WIDTH; k++) s += w[k]! * xs[row * WIDTH + k]!;
  return s;
}

/** Tasks with a Gaussian code each. */
export interface CodedTasks {
  draw(rng: Rng, n: number): TaskData;
  /** The task of a code by its true centres: what nobody has in practice. */
  oracle(code: ArrayLike<number>): number;
}

/** `count` linear functions of 10 inputs; examples carry the code of their task with noise. */
export function codedTasks(rng: Rng, count: number): CodedTasks {
  const maps = Array.from({ length: count }, (_, t) => linearMap(rng.fork('map').fork(t)));
  const centres = new Float64Array(count * CODE_WIDTH);
  rng.fork('codes').fillNormal(centres);
  return {
    draw(from, n) {
      const xs = inputs(from, n);
      const codes = new Float32Array(n * CODE_WIDTH);
      const ys = new Float32Array(n);
      for (let i = 0; i < n; i++) {
        const t = from.integer(count);
        ys[i] = product(maps[t]!, xs, i);
        for (let k = 0; k < CODE_WIDTH; k++) {
          codes[i * CODE_WIDTH + k] = centres[t * CODE_WIDTH + k]! + CODE_NOISE * from.normal();
        }
      }
      return { xs, codes, ys, width: WIDTH, codeWidth: CODE_WIDTH };
    },
    oracle(code) {
      let best = 0;
      let least = Infinity;
      for (let t = 0; t < count; t++) {
        let d = 0;
        for (let k = 0; k < CODE_WIDTH; k++) d += (code[k]! - centres[t * CODE_WIDTH + k]!) ** 2;
        if (d < least) [best, least] = [t, d];
      }
      return best;
    },
  };
}

/** Bits of a code of 16, as -1 and 1. */
export const CODE_BITS = 16;

/** Examples whose task is a function of the bits of their code. */
export function bitTasks(maps: readonly Float64Array[], taskOf: (bits: readonly number[]) => number) {
  return (rng: Rng, n: number): TaskData => {
    const xs = inputs(rng, n);
    const codes = new Float32Array(n * CODE_BITS);
    const ys = new Float32Array(n);
    for (let i = 0; i < n; i++) {
      const bits = Array.from({ length: CODE_BITS }, () => (rng.bernoulli() ? 1 : 0));
      bits.forEach((bit, k) => (codes[i * CODE_BITS + k] = 2 * bit - 1));
      ys[i] = product(maps[taskOf(bits)]!, xs, i);
    }
    return { xs, codes, ys, width: WIDTH, codeWidth: CODE_BITS };
  };
}

/** A complete random tree of decisions on bits of the code, no bit twice on a path; leaves are linear tasks. */
export function treeTasks(rng: Rng, depth: number): (rng: Rng, n: number) => TaskData {
  const maps = Array.from({ length: 2 ** depth }, (_, leaf) => linearMap(rng.fork('leaf').fork(leaf)));
  const asked = new Map<string, number>();
  const attribute = (path: string): number => {
    let k = asked.get(path);
    if (k === undefined) {
      const used = Array.from(path, (_, i) => asked.get(path.slice(0, i))!);
      const free = [...Array(CODE_BITS).keys()].filter((bit) => !used.includes(bit));
      asked.set(path, (k = free[rng.fork('ask').fork(path).integer(free.length)]!));
    }
    return k;
  };
  return bitTasks(maps, (bits) => {
    let path = '';
    while (path.length < depth) path += bits[attribute(path)];
    return path === '' ? 0 : Number.parseInt(path, 2);
  });
}

/**
 * Two linear tasks at right angles and of equal size, chosen by the parity of the first `count` bits: whoever cannot read
 * the parity explains exactly half of the variance.
 */
export function parityTasks(rng: Rng, count: number): (rng: Rng, n: number) => TaskData {
  const [even, odd] = [linearMap(rng.fork('even')), linearMap(rng.fork('odd'))];
  const dot = (a: Float64Array, b: Float64Array): number => a.reduce((s, v, k) => s + v * b[k]!, 0);
  const along = dot(even, odd) / dot(even, even);
  const across = odd.map((v, k) => v - along * even[k]!);
  const scale = Math.sqrt(dot(even, even) / dot(across, across));
  const maps = [even, across.map((v) => v * scale)];
  return bitTasks(maps, (bits) => bits.slice(0, count).reduce((s, v) => s ^ v, 0));
}
