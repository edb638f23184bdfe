// Neighbours in a set of streams under replacement: counts of adjacent pairs, the commonest one first, in O(n log n) for a whole
// run of replacements (after Larsson and Moffat's Re-Pair, 1999). Runs of one symbol are seen as such, so `aaa` holds one `aa`.

/** What one replacement would do. */
export interface Step {
  /** A pair, or a run of one symbol with exactly this length. */
  readonly kind: 'pair' | 'run';
  readonly a: number;
  readonly b: number;
  /** Length of the run; 2 for a pair. */
  readonly length: number;
  /** Places where it is replaced, none overlapping. */
  readonly uses: number;
  /** Tokens that go away in all. */
  readonly saved: number;
}

const END = -1;
const BASE = 2 ** 26;

export class Neighbours {
  readonly #symbol: Int32Array;
  readonly #next: Int32Array;
  readonly #previous: Int32Array;
  readonly #counts = new Map<number, number>();
  readonly #places = new Map<number, number[]>();
  readonly #occurrences = new Map<number, number>();
  readonly #heap: { key: number; estimate: number }[] = [];
  /** Tokens left in all streams. */
  length = 0;

  /** Streams are kept apart by an end mark that no pair crosses. */
  constructor(streams: readonly ArrayLike<number>[]) {
    const n = streams.reduce((s, x) => s + x.length + 1, 0);
    this.#symbol = new Int32Array(n);
    this.#next = Int32Array.from({ length: n }, (_, i) => i + 1);
    this.#previous = Int32Array.from({ length: n }, (_, i) => i - 1);
    let at = 0;
    for (const stream of streams) {
      for (let i = 0; i < stream.length; i++) {
        this.#symbol[at++] = stream[i]!;
        this.#occurrences.set(stream[i]!, (this.#occurrences.get(stream[i]!) ?? 0) + 1);
      }
      this.#symbol[at++] = END;
      this.length += stream.length;
    }
    for (let i = 0; i + 1 < n; i++) this.#meet(i, false);
    for (const [key, count] of this.#counts) this.#push(key, count);
  }

  occurrences(symbol: number): number {
    return this.#occurrences.get(symbol) ?? 0;
  }

  /** Up to `limit` steps that save most tokens, best first; ties by smaller symbols. Steps of fewer than two uses are left out. */
  best(limit: number): Step[] {
    const out: Step[] = [];
    const seen: { key: number; estimate: number }[] = [];
    const met = new Set<number>();
    while (out.length < limit && this.#heap.length > 0) {
      const { key, estimate } = this.#pop();
      if (met.has(key)) continue;
      const count = this.#counts.get(key) ?? 0;
      if (count < 1) continue;
      const [a, b] = [Math.floor(key / BASE), key % BASE];
      if (a !== b) {
        if (estimate > count) {
          this.#push(key, count);
          continue;
        }
        met.add(key);
        seen.push({ key, estimate: count });
        if (count >= 2) out.push({ kind: 'pair', a, b, length: 2, uses: count, saved: count });
        continue;
      }
      const steps = this.#runs(a);
      const best = Math.max(0, ...steps.map((s) => s.saved));
      if (best < estimate && best < (this.#heap[0]?.estimate ?? 0)) {
        if (best > 0) this.#push(key, best);
        continue;
      }
      met.add(key);
      seen.push({ key, estimate: count });
      out.push(...steps);
    }
    for (const { key, estimate } of seen) this.#push(key, estimate);
    return out;
  }

  /** Puts `symbol` in all places of a step. */
  replace(step: Step, symbol: number): void {
    const length = step.kind === 'pair' ? 2 : step.length;
    for (const start of this.#starts(step)) {
      let last = start;
      for (let i = 1; i < length; i++) last = this.#next[last]!;
      const before = this.#previous[start]!;
      const after = this.#next[last]!;
      if (before >= 0) this.#part(before);
      for (let i = start; i !== after; i = this.#next[i]!) {
        this.#part(i);
        const s = this.#symbol[i]!;
        this.#occurrences.set(s, this.#occurrences.get(s)! - 1);
        if (i !== start) this.#symbol[i] = END - 1;
      }
      this.#symbol[start] = symbol;
      this.#next[start] = after;
      if (after < this.#previous.length) this.#previous[after] = start;
      this.#occurrences.set(symbol, (this.#occurrences.get(symbol) ?? 0) + 1);
      this.length -= length - 1;
      if (before >= 0) this.#meet(before, true);
      this.#meet(start, true);
    }
  }

  /** The streams as they are now. */
  streams(): number[][] {
    const out: number[][] = [];
    let current: number[] = [];
    for (let i = 0; i < this.#symbol.length; i = this.#next[i]!) {
      const s = this.#symbol[i]!;
      if (s !== END) current.push(s);
      else {
        out.push(current);
        current = [];
      }
    }
    return out;
  }

  /** First tokens of the places of a step, rising, none overlapping. */
  #starts({ kind, a, b, length }: Step): number[] {
    const places = this.#valid(a, b);
    if (kind === 'run')
      return this.#runStarts(a)
        .filter(([, n]) => n === length)
        .map(([start]) => start);
    if (a !== b) return places;
    return this.#runStarts(a).flatMap(([start, n]) => {
      const out: number[] = [];
      for (let i = 0, at = start; i + 1 < n; i += 2, at = this.#next[this.#next[at]!]!) out.push(at);
      return out;
    });
  }

  /** Places where a is followed by b, rising; forgets the others. */
  #valid(a: number, b: number): number[] {
    const key = a * BASE + b;
    const kept: number[] = [];
    let last = -1;
    for (const place of (this.#places.get(key) ?? []).sort((x, y) => x - y)) {
      if (place === last || this.#symbol[place] !== a) continue;
      const next = this.#next[place]!;
      if (next >= this.#symbol.length || this.#symbol[next] !== b) continue;
      kept.push(place);
      last = place;
    }
    this.#places.set(key, kept);
    return kept;
  }

  #runStarts(a: number): [start: number, length: number][] {
    const out: [number, number][] = [];
    let expected = -1;
    for (const place of this.#valid(a, a)) {
      const run = out[out.length - 1];
      if (run !== undefined && place === expected) run[1]++;
      else out.push([place, 2]);
      expected = this.#next[place]!;
    }
    return out;
  }

  /** The pair step and one step for every length of a run from 3. */
  #runs(a: number): Step[] {
    const lengths = new Map<number, number>();
    let pairs = 0;
    for (const [, n] of this.#runStarts(a)) {
      pairs += n >> 1;
      if (n >= 3) lengths.set(n, (lengths.get(n) ?? 0) + 1);
    }
    const steps: Step[] = pairs >= 2 ? [{ kind: 'pair', a, b: a, length: 2, uses: pairs, saved: pairs }] : [];
    for (const [length, uses] of [...lengths].sort((x, y) => x[0] - y[0])) {
      steps.push({ kind: 'run', a, b: a, length, uses, saved: uses * (length - 1) });
    }
    return steps.sort((x, y) => y.saved - x.saved);
  }

  #key(place: number): number | undefined {
    const next = this.#next[place]!;
    if (next >= this.#symbol.length) return undefined;
    const [a, b] = [this.#symbol[place]!, this.#symbol[next]!];
    return a < 0 || b < 0 ? undefined : a * BASE + b;
  }

  #meet(place: number, tell: boolean): void {
    const key = this.#key(place);
    if (key === undefined) return;
    const count = (this.#counts.get(key) ?? 0) + 1;
    this.#counts.set(key, count);
    const places = this.#places.get(key);
    if (places === undefined) this.#places.set(key, [place]);
    else places.push(place);
    if (tell) this.#push(key, count);
  }

  #part(place: number): void {
    const key = this.#key(place);
    if (key !== undefined) this.#counts.set(key, this.#counts.get(key)! - 1);
  }

  #push(key: number, estimate: number): void {
    if (estimate < 2) return;
    const heap = this.#heap;
    let i = heap.push({ key, estimate }) - 1;
    while (i > 0) {
      const up = (i - 1) >> 1;
      if (!before(heap[i]!, heap[up]!)) break;
      [heap[i], heap[up]] = [heap[up]!, heap[i]!];
      i = up;
    }
  }

  #pop(): { key: number; estimate: number } {
    const heap = this.#heap;
    const top = heap[0]!;
    const last = heap.pop()!;
    if (heap.length > 0) {
      heap[0] = last;
      for (let i = 0; ;) {
        let down = 2 * i + 1;
        if (down >= heap.length) break;
        if (down + 1 < heap.length && before(heap[down + 1]!, heap[down]!)) down++;
        if (!before(heap[down]!, heap[i]!)) break;
        [heap[i], heap[down]] = [heap[down]!, heap[i]!];
        i = down;
      }
    }
    return top;
  }
}

function before(x: { key: number; estimate: number }, y: { key: number; estimate: number }): boolean {
  return x.estimate > y.estimate || (x.estimate === y.estimate && x.key < y.key);
}
