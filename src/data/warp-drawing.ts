// Drawings as network inputs: centred by ink, scaled by spread, and for training bent a little, the way another hand would
// draw the same character. Plain host code; it invents no characters.
import type { Rng } from '../tensor/index.ts';
import { DRAWING_SIDE } from './omniglot.ts';

const SIDE = DRAWING_SIDE;

/** How far drawings are bent for training; all zeros leave them as they are. */
export interface BendRange {
  /** Degrees. */
  readonly rotate: number;
  /** Relative change of each axis. */
  readonly scale: number;
  readonly shear: number;
  /** Shift in output pixels. */
  readonly shift: number;
  /** Standard deviation of the smooth displacement field, in output pixels. */
  readonly elastic: number;
}

/** A drawing ready to be sampled: softened ink, its centre and its spread. */
export interface PreparedDrawing {
  readonly ink: Float32Array; // [105, 105]
  readonly x: number;
  readonly y: number;
  /** Root of the mean squared distance of the ink from its centre along the wider axis. */
  readonly spread: number;
}

/** Softens the ink (two 3 x 3 box blurs) and measures centre and spread. An empty drawing is centred on the sheet. */
export function prepareDrawing(image: Uint8Array): PreparedDrawing {
  let count = 0;
  let [sx, sy, sxx, syy] = [0, 0, 0, 0];
  for (let y = 0; y < SIDE; y++) {
    for (let x = 0; x < SIDE; x++) {
      if (image[y * SIDE + x] === 0) continue;
      count++;
      sx += x;
      sy += y;
      sxx += x * x;
      syy += y * y;
    }
  }
  const ink = blur(blur(Float32Array.from(image)));
  if (count === 0) return { ink, x: (SIDE - 1) / 2, y: (SIDE - 1) / 2, spread: SIDE / 4 };
  const [cx, cy] = [sx / count, sy / count];
  const spread = Math.sqrt(Math.max(sxx / count - cx * cx, syy / count - cy * cy));
  return { ink, x: cx, y: cy, spread: Math.max(spread, 6) };
}

function blur(image: Float32Array): Float32Array {
  const rows = new Float32Array(SIDE * SIDE);
  const out = new Float32Array(SIDE * SIDE);
  for (let i = 0; i < SIDE * SIDE; i++) {
    const x = i % SIDE;
    rows[i] = ((x > 0 ? image[i - 1]! : 0) + image[i]! + (x < SIDE - 1 ? image[i + 1]! : 0)) / 3;
  }
  for (let i = 0; i < SIDE * SIDE; i++) {
    out[i] = ((i >= SIDE ? rows[i - SIDE]! : 0) + rows[i]! + (i < SIDE * (SIDE - 1) ? rows[i + SIDE]! : 0)) / 3;
  }
  return out;
}

/** A displacement that one drawing gets: an affine map and a coarse field of shifts. */
export interface Bend {
  readonly rotate: number;
  readonly scaleX: number;
  readonly scaleY: number;
  readonly shear: number;
  readonly dx: number;
  readonly dy: number;
  /** `[4, 4, 2]` shifts in output pixels, interpolated in between. */
  readonly field?: Float32Array;
}

/** Leaves a drawing as it is. */
export const NO_BEND: Bend = { rotate: 0, scaleX: 1, scaleY: 1, shear: 0, dx: 0, dy: 0 };

/** Draws a bend, uniform within the range; the field is normal. */
export function drawBend(rng: Rng, range: BendRange): Bend {
  const within = (limit: number): number => (2 * rng.uniformF32() - 1) * limit;
  const field = new Float32Array(32);
  if (range.elastic > 0) rng.fillNormal(field, range.elastic);
  return {
    rotate: (within(range.rotate) * Math.PI) / 180,
    scaleX: 1 + within(range.scale),
    scaleY: 1 + within(range.scale),
    shear: within(range.shear),
    dx: within(range.shift),
    dy: within(range.shift),
    ...(range.elastic > 0 ? { field } : {}),
  };
}

/** Spread of a drawn character as a share of the output's side: nearly everything then lies inside. */
const SPREAD = 0.23;

/**
 * Samples a drawing on a grid of `side` x `side`, centred and scaled, bent by `bend`, turned by `turns` quarter turns.
 * Values are 0 to 1.
 */
export function sampleDrawing(
  drawing: PreparedDrawing,
  bend: Bend,
  turns: number,
  side: number,
  out: Float32Array,
  offset = 0,
): void {
  const step = drawing.spread / (SPREAD * side); // sheet pixels per output pixel
  const centre = (side - 1) / 2;
  const [c, s] = [Math.cos(bend.rotate), Math.sin(bend.rotate)];
  const [ax, ay] = [step / bend.scaleX, step / bend.scaleY];
  const quarter = [
    [1, 0, 0, 1],
    [0, 1, -1, 0],
    [-1, 0, 0, -1],
    [0, -1, 1, 0],
  ][((turns % 4) + 4) % 4]!;
  const field = bend.field;
  for (let row = 0; row < side; row++) {
    for (let column = 0; column < side; column++) {
      const u = column - centre;
      const v = row - centre;
      let px = quarter[0]! * u + quarter[1]! * v - bend.dx;
      let py = quarter[2]! * u + quarter[3]! * v - bend.dy;
      if (field !== undefined) {
        const gx = (column / (side - 1)) * 2.999;
        const gy = (row / (side - 1)) * 2.999;
        px += at(field, gx, gy, 0);
        py += at(field, gx, gy, 1);
      }
      const qx = c * px + s * py + bend.shear * py;
      const qy = -s * px + c * py;
      out[offset + row * side + column] = ink(drawing, drawing.x + ax * qx, drawing.y + ay * qy);
    }
  }
}

/** Value of the field between its 4 x 4 nodes. */
function at(field: Float32Array, x: number, y: number, part: number): number {
  const [x0, y0] = [Math.floor(x), Math.floor(y)];
  const [fx, fy] = [x - x0, y - y0];
  const i = (y0 * 4 + x0) * 2 + part;
  return (1 - fy) * ((1 - fx) * field[i]! + fx * field[i + 2]!) + fy * ((1 - fx) * field[i + 8]! + fx * field[i + 10]!);
}

function ink({ ink }: PreparedDrawing, x: number, y: number): number {
  const x0 = Math.floor(x);
  const y0 = Math.floor(y);
  if (x0 < 0 || y0 < 0 || x0 >= SIDE - 1 || y0 >= SIDE - 1) return 0;
  const [fx, fy] = [x - x0, y - y0];
  const i = y0 * SIDE + x0;
  return (
    (1 - fy) * ((1 - fx) * ink[i]! + fx * ink[i + 1]!) + fy * ((1 - fx) * ink[i + SIDE]! + fx * ink[i + SIDE + 1]!)
  );
}
