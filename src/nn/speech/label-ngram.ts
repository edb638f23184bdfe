// An n-gram model over labels with add-k smoothing and back-off by interpolation: the external model of shallow fusion when words
// follow each other with known frequencies.
import type { LabelModel } from './beam.ts';

export interface LabelNgramOptions {
  /** Labels of the vocabulary. */
  readonly count: number;
  /** Default 2. */
  readonly order?: number;
  /** Pseudo-count of every label. Default 0.5. */
  readonly smoothing?: number;
}

/**
 * @param sequences label sequences, labels from 1 on
 * @example
 * const lm = labelNgram([[1, 2, 1, 2]], { count: 2 });
 * lm.next([1]); // label 2 is likely
 */
export function labelNgram(sequences: readonly (readonly number[])[], options: LabelNgramOptions): LabelModel {
  const { count, order = 2, smoothing = 0.5 } = options;
  const tables = Array.from({ length: order }, () => new Map<string, Float64Array>());
  for (const labels of sequences) {
    for (const [i, label] of labels.entries()) {
      for (let n = 0; n < order; n++) {
        if (n > i) break;
        const key = labels.slice(i - n, i).join(' ');
        const row = tables[n]!.get(key) ?? new Float64Array(count);
        row[label - 1]!++;
        tables[n]!.set(key, row);
      }
    }
  }
  return {
    next(history) {
      let p = new Float64Array(count).fill(1 / count);
      for (let n = 0; n < order && n <= history.length; n++) {
        const row = tables[n]!.get(history.slice(history.length - n).join(' '));
        if (!row) break;
        const total = row.reduce((s, c) => s + c, 0);
        const lower = p;
        const weight = smoothing * count;
        p = row.map((c, k) => (c + weight * lower[k]!) / (total + weight));
      }
      return p.map((x) => Math.log(x));
    },
  };
}
