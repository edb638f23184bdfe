// The exact answer: the cosine of every stored sketch with every cue, both after the mean was taken away, one by one.
import type { Memory } from 'cairn/memory';

/** All stored sketches in one block, in the order of their ordinals. */
export interface Stored {
  readonly dim: number;
  readonly count: number;
  readonly codes: Int8Array; // [count, dim]
  readonly steps: Float64Array; // [count]
  readonly ordinals: Float64Array; // [count]
  /** [dim] what the structure alone says; the value of item i is base + step_i · codes_i. */
  readonly base: Float64Array;
  readonly mean: Float64Array; // [dim]
}

/** Reads all sketches of a memory of one structure. */
export async function readAll(memory: Memory, base: Float64Array): Promise<Stored> {
  const { events: count } = await memory.stats();
  const { dim } = memory.spec;
  const codes = new Int8Array(count * dim);
  const steps = new Float64Array(count);
  const ordinals = new Float64Array(count);
  const mean = new Float64Array(dim);
  let at = count;
  for (let before: number | undefined; at > 0;) {
    const page = await memory.list({ limit: 10_000, ...(before === undefined ? {} : { before }) });
    if (page.length === 0) break;
    for (const event of page) {
      if ('quarantined' in event) throw new Error(`event ${event.ordinal} is damaged`);
      at--;
      codes.set(event.sketch.codes as Int8Array, at * dim);
      steps[at] = event.sketch.step;
      ordinals[at] = event.ordinal;
      for (let i = 0; i < dim; i++) mean[i] = mean[i]! + (event.sketch.step * event.sketch.codes[i]!) / count;
      before = event.ordinal;
    }
  }
  for (let i = 0; i < dim; i++) mean[i] = mean[i]! + base[i]!;
  return { dim, count, codes, steps, ordinals, base, mean };
}

/** Ordinals of the k items of largest centred cosine, for every cue [dim]. */
export function exactNearest(stored: Stored, cues: readonly Float64Array[], k: number): number[][] {
  const { dim, count, codes, steps, base, mean } = stored;
  const shift = base.map((v, i) => v - mean[i]!);
  const shiftPower = shift.reduce((s, v) => s + v * v, 0);
  const queries = cues.map((cue) => Float32Array.from(cue, (v, i) => v - mean[i]!));
  const shiftDots = queries.map((q) => q.reduce((s, v, i) => s + v * shift[i]!, 0));
  const best = queries.map(() => new Best(k));
  const shift32 = Float32Array.from(shift);
  for (let item = 0; item < count; item++) {
    const row = codes.subarray(item * dim, (item + 1) * dim);
    const step = steps[item]!;
    let power = 0;
    let cross = 0;
    for (let i = 0; i < dim; i++) {
      power += row[i]! * row[i]!;
      cross += row[i]! * shift32[i]!;
    }
    const norm = Math.sqrt(step * step * power + 2 * step * cross + shiftPower);
    queries.forEach((q, c) => best[c]!.offer(item, (step * dot(q, row) + shiftDots[c]!) / norm));
  }
  return best.map((b) => b.items.map((item) => stored.ordinals[item]!));
}

/** Centred sketches as 8-bit vectors of their own: what a vector index is given. */
export function centredCodes(stored: Stored, item: number): Int8Array {
  const { dim, codes, steps, base, mean } = stored;
  const values = Float64Array.from({ length: dim }, (_, i) => {
    return base[i]! - mean[i]! + steps[item]! * codes[item * dim + i]!;
  });
  return toCodes(values);
}

/** A vector in 8 bits: 127 stands for its largest entry. */
export function toCodes(values: Float64Array): Int8Array {
  let max = 0;
  for (const v of values) max = Math.max(max, Math.abs(v));
  return Int8Array.from(values, (v) => Math.round((127 * v) / (max || 1)));
}

function dot(q: Float32Array, row: Int8Array): number {
  let [a, b, c, d] = [0, 0, 0, 0];
  for (let i = 0; i < q.length; i += 4) {
    a += q[i]! * row[i]!;
    b += q[i + 1]! * row[i + 1]!;
    c += q[i + 2]! * row[i + 2]!;
    d += q[i + 3]! * row[i + 3]!;
  }
  return a + b + (c + d);
}

/** The k items of largest score, best first. */
class Best {
  readonly items: number[] = [];
  readonly #scores: number[] = [];
  readonly #k: number;

  constructor(k: number) {
    this.#k = k;
  }

  offer(item: number, score: number): void {
    const { items } = this;
    if (items.length === this.#k && score <= this.#scores[this.#k - 1]!) return;
    let at = Math.min(items.length, this.#k - 1);
    for (; at > 0 && this.#scores[at - 1]! < score; at--) {
      items[at] = items[at - 1]!;
      this.#scores[at] = this.#scores[at - 1]!;
    }
    items[at] = item;
    this.#scores[at] = score;
  }
}
