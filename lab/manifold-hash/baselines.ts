// Comparing drawings without learning: the modified Hausdorff distance between ink points, and the cosine of a blurred,
// centred and size-normalised 14 x 14 grid. Dubuisson and Jain 1994.
import { DRAWING_SIDE, NO_BEND, type PreparedDrawing, sampleDrawing } from 'cairn/data';

/** Ink points of a drawing, centred on their mean, at most `limit` of them. */
export function inkPoints(image: Uint8Array, limit = 250): Float32Array {
  const at: number[] = [];
  for (let i = 0; i < image.length; i++) if (image[i] === 1) at.push(i);
  const step = Math.max(1, Math.ceil(at.length / limit));
  const kept = at.filter((_, k) => k % step === 0);
  const points = Float32Array.from(kept.flatMap((i) => [i % DRAWING_SIDE, Math.floor(i / DRAWING_SIDE)]));
  const mean = [0, 1].map((axis) => kept.reduce((s, _, k) => s + points[2 * k + axis]!, 0) / Math.max(1, kept.length));
  return points.map((v, i) => v - mean[i % 2]!);
}

/** The larger of the two mean distances from the points of one drawing to the nearest of the other. */
export function modifiedHausdorff(a: Float32Array, b: Float32Array): number {
  return Math.max(meanNearest(a, b), meanNearest(b, a));
}

function meanNearest(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i += 2) {
    let least = Infinity;
    for (let j = 0; j < b.length; j += 2) {
      const d = (a[i]! - b[j]!) ** 2 + (a[i + 1]! - b[j + 1]!) ** 2;
      if (d < least) least = d;
    }
    sum += Math.sqrt(least);
  }
  return sum / (a.length / 2);
}

/** A drawing on a 14 x 14 grid: centred, scaled, averaged over 4 x 4 samples a cell, blurred. */
export function blurredGrid(drawing: PreparedDrawing): Float32Array {
  const fine = new Float32Array(56 * 56);
  sampleDrawing(drawing, NO_BEND, 0, 56, fine);
  const cells = new Float32Array(16 * 16);
  for (let y = 0; y < 56; y++) {
    for (let x = 0; x < 56; x++) cells[((y >> 2) + 1) * 16 + (x >> 2) + 1]! += fine[y * 56 + x]! / 16;
  }
  const out = new Float32Array(14 * 14);
  for (let y = 0; y < 14; y++) {
    for (let x = 0; x < 14; x++) {
      let sum = 0;
      for (let dy = 0; dy < 3; dy++) {
        for (let dx = 0; dx < 3; dx++) {
          sum += cells[(y + dy) * 16 + x + dx]! * [1, 2, 1][dy]! * [1, 2, 1][dx]!;
        }
      }
      out[y * 14 + x] = sum / 16;
    }
  }
  return out;
}
