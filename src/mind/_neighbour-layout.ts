// Places points in the plane so that near neighbours stay near: stochastic gradient of the cross-entropy of neighbour
// probabilities with sampled repulsion, as LargeVis (1602.00370) and UMAP (1802.03426) do it, started from given places.
// For pictures only: distances between clusters mean little.
import { Rng } from '../tensor/index.ts';

export interface NeighbourLayoutOptions {
  /** [n][K] neighbours of each point. */
  readonly neighbours: readonly (readonly number[])[];
  /** [n] places to start from. */
  readonly start: readonly (readonly [number, number])[];
  readonly seed: string;
  /** Called often; waits when others want to work. */
  readonly pause: () => Promise<void>;
}

const EPOCHS = 120;
const NEGATIVES = 4;
const MOST_STEP = 4;

/** [n] places, centred. */
export async function neighbourLayout(options: NeighbourLayoutOptions): Promise<[number, number][]> {
  const { neighbours, start, pause } = options;
  const n = start.length;
  const next = draws(new Rng(options.seed).u32(), n);
  const x = Float64Array.from(start, ([px]) => 10 * px);
  const y = Float64Array.from(start, ([, py]) => 10 * py);
  for (let epoch = 0; epoch < EPOCHS; epoch++) {
    const rate = 1 - epoch / EPOCHS;
    for (let i = 0; i < n; i++) {
      for (const j of neighbours[i]!) {
        let dx = x[i]! - x[j]!;
        let dy = y[i]! - y[j]!;
        const pull = -2 / (1 + dx * dx + dy * dy);
        x[i]! += rate * clip(pull * dx);
        y[i]! += rate * clip(pull * dy);
        x[j]! -= rate * clip(pull * dx);
        y[j]! -= rate * clip(pull * dy);
        for (let k = 0; k < NEGATIVES; k++) {
          const other = next();
          if (other === i) continue;
          dx = x[i]! - x[other]!;
          dy = y[i]! - y[other]!;
          const d2 = dx * dx + dy * dy;
          const push = 2 / ((0.1 + d2) * (1 + d2));
          x[i]! += rate * clip(push * dx);
          y[i]! += rate * clip(push * dy);
        }
      }
      if (i % 256 === 255) await pause();
    }
  }
  const [mx, my] = [x.reduce((s, v) => s + v, 0) / (n || 1), y.reduce((s, v) => s + v, 0) / (n || 1)];
  return Array.from(x, (v, i) => [v - mx, y[i]! - my]);
}

function clip(v: number): number {
  return v > MOST_STEP ? MOST_STEP : v < -MOST_STEP ? -MOST_STEP : v;
}

/** Places below n one after another, by xorshift: what is repelled need not be a good random number, only a cheap one. */
function draws(seed: number, n: number): () => number {
  let state = seed | 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return Math.floor(((state >>> 0) / 4294967296) * n);
  };
}
