// The nearest neighbours of every point, exact: points in the order of their first coordinate are looked at outwards from each,
// until that coordinate alone is farther than the neighbours found.

export interface NearestPointsOptions {
  /** [n, width] */
  readonly points: Float64Array;
  readonly width: number;
  /** Neighbours of each. */
  readonly k: number;
  readonly pause: () => Promise<void>;
}

/** [n][k] places of the nearest of each point, nearest first; fewer when there are fewer. */
export async function nearestPoints({ points, width, k, pause }: NearestPointsOptions): Promise<number[][]> {
  const n = points.length / width;
  const order = Array.from({ length: n }, (_, i) => i).sort((a, b) => points[a * width]! - points[b * width]! || a - b);
  // In that order, so that looking outwards reads memory in sequence.
  const sorted = new Float64Array(points.length);
  order.forEach((from, at) => sorted.set(points.subarray(from * width, (from + 1) * width), at * width));
  const found: number[][] = Array.from({ length: n }, () => []);
  const places = new Int32Array(k);
  const distances = new Float64Array(k);
  for (let at = 0; at < n; at++) {
    let count = 0;
    let farthest = Infinity;
    const offer = (other: number): void => {
      const distance = distanceUpTo(sorted, at * width, other * width, width, farthest);
      if (count === k && distance >= farthest) return;
      let place = count < k ? count++ : k - 1;
      for (; place > 0 && distances[place - 1]! > distance; place--) {
        distances[place] = distances[place - 1]!;
        places[place] = places[place - 1]!;
      }
      distances[place] = distance;
      places[place] = other;
      if (count === k) farthest = distances[k - 1]!;
    };
    let below = at - 1;
    let above = at + 1;
    const first = sorted[at * width]!;
    while (below >= 0 || above < n) {
      const down = below < 0 ? Infinity : (first - sorted[below * width]!) ** 2;
      const up = above >= n ? Infinity : (sorted[above * width]! - first) ** 2;
      if (Math.min(down, up) >= farthest) break;
      offer(down <= up ? below-- : above++);
    }
    found[order[at]!] = Array.from(places.subarray(0, count), (place) => order[place]!);
    if (at % 16 === 15) await pause();
  }
  return found;
}

/** The squared distance of two rows, or anything at least `bound` once it is that far. */
function distanceUpTo(points: Float64Array, a: number, b: number, width: number, bound: number): number {
  let sum = 0;
  for (let c = 0; c < width; c++) {
    const difference = points[a + c]! - points[b + c]!;
    sum += difference * difference;
    if (sum >= bound) return sum;
  }
  return sum;
}
