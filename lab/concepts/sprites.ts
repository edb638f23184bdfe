// A concrete example: outlines of sprites are concepts in the plane. The four edges of a square are found as four lines, an
// ellipse as one equation of degree 2, from the grey pictures alone.
import { discoverConcepts, FeatureMap, Moments, MomentSignature } from 'cairn/memory';
import { drawSprite, outlineOf, type SpriteShape, spriteOf } from 'cairn/data';
import type { Rng } from 'cairn/tensor';
import type { Cell, Part } from '../report.ts';
import { mean } from './part.ts';

const SIZE = 64;

export function sprites(rng: Rng, count: number): Part {
  const lines: number[] = [];
  const fits: Record<SpriteShape, number[]> = { square: [], ellipse: [], heart: [] };
  for (let i = 0; i < count; i++) {
    const from = rng.fork(i);
    for (const shape of ['square', 'ellipse', 'heart'] as const) {
      const points = outline(from.fork(shape), shape);
      if (shape === 'square') lines.push(straightLines(points));
      fits[shape].push(quadricError(points));
    }
  }
  const four = lines.filter((n) => n === 4).length / lines.length;
  const [worstEllipse, bestOther] = [Math.max(...fits.ellipse), Math.min(...fits.square, ...fits.heart)];
  return {
    claims: [
      {
        id: 'edges-of-squares',
        says: 'The outline of a square falls apart into four lines, without being told that there are lines.',
        kind: 'measured',
        value: four,
        target: 'four lines in >= 0.9 of the squares',
        holds: four >= 0.9,
      },
      {
        id: 'ellipses-have-an-equation',
        says: 'Outlines of ellipses satisfy an equation of degree 2, those of squares and hearts do not.',
        kind: 'measured',
        value: worstEllipse,
        baseline: bestOther,
        target: 'the worst ellipse violates its equation at most a third as much as the best other shape',
        holds: worstEllipse <= bestOther / 3,
      },
    ],
    tables: [
      {
        title: `Outlines of ${count} sprites of each shape at random scale, turn and place, ${SIZE} x ${SIZE} pixels`,
        columns: ['shape', 'smallest eigenvalue of degree 2, mean', 'largest', 'smallest'],
        rows: (['square', 'ellipse', 'heart'] as const).map((s): Cell[] => [
          s,
          mean(fits[s]),
          Math.max(...fits[s]),
          Math.min(...fits[s]),
        ]),
      },
    ],
  };
}

/** Points of the outline, centred, with a mean square of 1 along each axis on average. */
function outline(rng: Rng, shape: SpriteShape): [number, number][] {
  const sprite = spriteOf(shape, {
    scale: 3 + rng.integer(3),
    angle: rng.integer(40),
    x: rng.integer(32),
    y: rng.integer(32),
  });
  const points = outlineOf(drawSprite(sprite, SIZE), SIZE);
  const centre = [0, 1].map((axis) => mean(points.map((p) => p[axis]!)));
  const shifted = points.map((p) => [p[0] - centre[0]!, p[1] - centre[1]!] as const);
  const size = Math.sqrt(mean(shifted.map(([x, y]) => (x * x + y * y) / 2)));
  return shifted.map(([x, y]) => [x / size, y / size]);
}

/** Groups whose points satisfy one linear equation. */
function straightLines(points: readonly [number, number][]): number {
  const map = new FeatureMap({ dim: 2, constant: true });
  return discoverConcepts(
    points.map((p) => map.apply(p)),
    { minMembers: Math.max(8, Math.floor(points.length / 12)) },
  ).filter((c) => c.rank === 2).length;
}

/** Mean violation of the best equation of degree 2 on whitened features. */
function quadricError(points: readonly [number, number][]): number {
  const map = new FeatureMap({ dim: 2, degree: 2 });
  const moments = new Moments(map.size);
  for (const p of points) moments.add(map.apply(p));
  const signature = MomentSignature.of(moments, { degrees: map.degrees, nullity: 1 });
  return mean(points.map((p) => signature.residual(map.apply(p))));
}
