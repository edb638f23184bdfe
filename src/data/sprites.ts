// Sprites drawn from formulas: a square, an ellipse or a heart, scaled, turned and moved, as grey pictures. The factors are
// those of the dSprites data (3 shapes x 6 scales x 40 turns x 32 x 32 places); nothing is read from a file.
import { CairnError } from '../errors.ts';

export const SPRITE_SHAPES = ['square', 'ellipse', 'heart'] as const;
export type SpriteShape = (typeof SPRITE_SHAPES)[number];

/** What a sprite looks like; the numbers may lie between the steps of the data set. */
export interface Sprite {
  readonly shape: SpriteShape;
  /** Half of its width as a share of the picture's, 0.05 to 0.3. */
  readonly scale: number;
  /** Turn in radians. */
  readonly angle: number;
  /** Centre as a share of the picture, 0 to 1. */
  readonly x: number;
  readonly y: number;
}

export const SPRITE_STEPS = { scale: 6, angle: 40, x: 32, y: 32 } as const;

/**
 * The sprite with these step numbers.
 * @throws CairnError `bad_sprite`
 * @example
 * spriteOf('ellipse', { scale: 5, angle: 0, x: 16, y: 16 }); // the largest, in the middle
 */
export function spriteOf(shape: SpriteShape, steps: Readonly<Record<keyof typeof SPRITE_STEPS, number>>): Sprite {
  for (const key of Object.keys(SPRITE_STEPS) as (keyof typeof SPRITE_STEPS)[]) {
    if (!Number.isInteger(steps[key]) || steps[key] < 0 || steps[key] >= SPRITE_STEPS[key]) {
      throw new CairnError('bad_sprite', `Expected ${key} from 0 to ${SPRITE_STEPS[key] - 1}, got ${steps[key]}.`);
    }
  }
  return {
    shape,
    scale: 0.1 + 0.02 * steps.scale,
    angle: (2 * Math.PI * steps.angle) / SPRITE_STEPS.angle,
    x: 0.3 + (0.4 * steps.x) / (SPRITE_STEPS.x - 1),
    y: 0.3 + (0.4 * steps.y) / (SPRITE_STEPS.y - 1),
  };
}

/**
 * How far inside the sprite a place lies, positive inside, in units of its scale; its zero set is the outline.
 * @param u across, from the centre, before turning, in units of the scale
 * @param v down
 */
function inside(shape: SpriteShape, u: number, v: number): number {
  switch (shape) {
    case 'square':
      return 1 - Math.max(Math.abs(u), Math.abs(v));
    case 'ellipse': {
      // First-order distance to u² + 4 v² = 1.
      const f = 1 - u * u - 4 * v * v;
      return f / Math.max(1e-6, 2 * Math.sqrt(u * u + 16 * v * v));
    }
    case 'heart': {
      const [a, b] = [1.2 * u, -1.2 * v + 0.1];
      const r = a * a + b * b - 1;
      const f = a * a * b ** 3 - r ** 3;
      const fa = 2 * a * b ** 3 - 6 * a * r * r;
      const fb = 3 * a * a * b * b - 6 * b * r * r;
      return f / Math.max(1e-3, 1.2 * Math.sqrt(fa * fa + fb * fb));
    }
    default:
      return shape satisfies never;
  }
}

/**
 * A grey picture of the sprite, 0 to 1, with soft edges one pixel wide.
 * @param size pixels along a side
 * @returns [size * size], row by row
 */
export function drawSprite(sprite: Sprite, size = 64): Float32Array {
  const out = new Float32Array(size * size);
  const [c, s] = [Math.cos(sprite.angle), Math.sin(sprite.angle)];
  const unit = sprite.scale * size;
  for (let row = 0; row < size; row++) {
    for (let col = 0; col < size; col++) {
      const dx = (col + 0.5 - sprite.x * size) / unit;
      const dy = (row + 0.5 - sprite.y * size) / unit;
      const depth = inside(sprite.shape, c * dx + s * dy, c * dy - s * dx) * unit;
      out[row * size + col] = Math.min(1, Math.max(0, 0.5 + depth));
    }
  }
  return out;
}

/**
 * Points where a picture crosses half of full ink between neighbouring pixels, as [x, y] in pixels.
 * @param picture [size * size]
 */
export function outlineOf(picture: Float32Array, size: number): [number, number][] {
  const out: [number, number][] = [];
  const cross = (a: number, b: number): number | undefined => (a < 0.5 !== b < 0.5 ? (0.5 - a) / (b - a) : undefined);
  for (let row = 0; row < size; row++) {
    for (let col = 0; col < size; col++) {
      const here = picture[row * size + col]!;
      const right = col + 1 < size ? cross(here, picture[row * size + col + 1]!) : undefined;
      const below = row + 1 < size ? cross(here, picture[(row + 1) * size + col]!) : undefined;
      if (right !== undefined) out.push([col + 0.5 + right, row + 0.5]);
      if (below !== undefined) out.push([col + 0.5, row + 0.5 + below]);
    }
  }
  return out;
}
