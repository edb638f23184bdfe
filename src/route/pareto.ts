// Which of several models are worth their cost: the front of those that nothing beats, the hull that mixtures of them reach,
// the area below, and who is beaten with what certainty. Costs are to be small, qualities large.
import { CairnError } from '../errors.ts';

export interface ParetoPoint {
  readonly id: string;
  readonly cost: number;
  readonly quality: number;
  /** 95 % interval of the quality; absent: known exactly. */
  readonly ciLow?: number;
  readonly ciHigh?: number;
}

export interface ParetoFront {
  /** Rising in cost and quality; points that are equal in both are all here. */
  readonly front: readonly ParetoPoint[];
  /** Ids of front points that are equal in both, one list a tie. */
  readonly ties: readonly (readonly string[])[];
}

/**
 * The points that no other point beats: none is as cheap and better, or as good and cheaper.
 * @throws CairnError `bad_point` for numbers that are not finite and intervals that leave out the quality
 * @example
 * paretoFront([{ id: 'small', cost: 1, quality: 0.8 }, { id: 'bad', cost: 2, quality: 0.7 }]).front; // small
 */
export function paretoFront(points: readonly ParetoPoint[]): ParetoFront {
  points.forEach(check);
  const sorted = [...points].sort((a, b) => a.cost - b.cost || b.quality - a.quality || (a.id < b.id ? -1 : 1));
  const front: ParetoPoint[] = [];
  for (const p of sorted) {
    const best = front.at(-1);
    if (!best || p.quality > best.quality || (p.quality === best.quality && p.cost === best.cost)) front.push(p);
  }
  const groups = new Map<string, string[]>();
  for (const p of front) {
    const key = `${p.cost} ${p.quality}`;
    groups.set(key, [...(groups.get(key) ?? []), p.id]);
  }
  return { front, ties: [...groups.values()].filter((ids) => ids.length > 1) };
}

function check(p: ParetoPoint): void {
  const { id, cost, quality, ciLow = quality, ciHigh = quality } = p;
  if (![cost, quality, ciLow, ciHigh].every(Number.isFinite)) {
    throw new CairnError(
      'bad_point',
      `Expected finite numbers for \`${id}\`, got cost ${cost} and quality ${quality}.`,
    );
  }
  if (ciLow > quality || ciHigh < quality) {
    throw new CairnError(
      'bad_point',
      `Expected an interval around ${quality} for \`${id}\`, got ${ciLow} to ${ciHigh}.`,
    );
  }
}

/** The corners of the concave hull of a front: what sending inputs to two models at random reaches lies on its edges. */
export function upperHull(points: readonly ParetoPoint[]): ParetoPoint[] {
  const hull: ParetoPoint[] = [];
  for (const p of paretoFront(points).front) {
    if (hull.at(-1)?.cost === p.cost) continue;
    while (hull.length >= 2 && turn(hull.at(-2)!, hull.at(-1)!, p) >= 0) hull.pop();
    hull.push(p);
  }
  return hull;
}

/** Positive when `b` lies below the line from `a` to `c`, 0 on it. */
function turn(a: ParetoPoint, b: ParetoPoint, c: ParetoPoint): number {
  return (b.cost - a.cost) * (c.quality - a.quality) - (b.quality - a.quality) * (c.cost - a.cost);
}

/** Area between the staircase of the front and a reference that is dearer and worse; points beyond it count nothing. */
export function hypervolume(
  points: readonly ParetoPoint[],
  reference: { readonly cost: number; readonly quality: number },
): number {
  let area = 0;
  let floor = reference.quality;
  for (const p of paretoFront(points).front) {
    if (p.cost >= reference.cost || p.quality <= floor) continue;
    area += (reference.cost - p.cost) * (p.quality - floor);
    floor = p.quality;
  }
  return area;
}

/**
 * For each point that another one beats with 95 % confidence, the id of the cheapest that does: no dearer, and its interval
 * lies above. Points with intervals that touch are never beaten.
 */
export function surelyDominated(points: readonly ParetoPoint[]): Map<string, string> {
  points.forEach(check);
  const beaten = new Map<string, string>();
  for (const p of points) {
    const better = points.filter((q) => q.cost <= p.cost && (q.ciLow ?? q.quality) > (p.ciHigh ?? p.quality));
    const [first] = better.sort((a, b) => a.cost - b.cost || b.quality - a.quality);
    if (first) beaten.set(p.id, first.id);
  }
  return beaten;
}

/**
 * Indices of rows that no row beats in any number of objectives, all to be small: as small everywhere and smaller
 * somewhere. Equal rows all stay.
 */
export function nonDominated(rows: readonly (readonly number[])[]): number[] {
  const beats = (a: readonly number[], b: readonly number[]): boolean =>
    a.every((v, i) => v <= b[i]!) && a.some((v, i) => v < b[i]!);
  return rows.flatMap((row, i) => (rows.some((other) => beats(other, row)) ? [] : [i]));
}
