import { describe, expect, it } from 'vitest';
import { drawSprite, outlineOf, type Sprite, SPRITE_SHAPES, spriteOf } from './sprites.ts';

const ink = (picture: Float32Array): number => picture.reduce((s, v) => s + v, 0);

describe('sprites', () => {
  it('have the area of their formula, wherever they are and however turned', () => {
    const areas = { square: 4, ellipse: Math.PI / 2, heart: undefined };
    for (const shape of SPRITE_SHAPES) {
      const base: Sprite = { shape, scale: 0.2, angle: 0, x: 0.5, y: 0.5 };
      const area = ink(drawSprite(base)) / (0.2 * 64) ** 2;
      if (areas[shape] !== undefined) expect(area).toBeCloseTo(areas[shape], 1);
      expect(ink(drawSprite({ ...base, angle: 1.1, x: 0.4, y: 0.6 })) / (0.2 * 64) ** 2).toBeCloseTo(area, 1);
      expect(ink(drawSprite({ ...base, scale: 0.1 })) / (0.1 * 64) ** 2).toBeCloseTo(area, 0);
    }
  });

  it('lie inside the picture at every corner of the factors, and outlines follow the shape', () => {
    for (const shape of SPRITE_SHAPES) {
      for (const x of [0, 31]) {
        const sprite = spriteOf(shape, { scale: 5, angle: 5, x, y: 31 - x });
        const picture = drawSprite(sprite);
        for (let i = 0; i < 64; i++) expect(picture[i]! + picture[i * 64]! + picture[i * 64 + 63]!).toBe(0);
      }
    }
    const sprite = spriteOf('ellipse', { scale: 5, angle: 0, x: 16, y: 16 });
    for (const [px, py] of outlineOf(drawSprite(sprite), 64)) {
      const [u, v] = [(px - sprite.x * 64) / (sprite.scale * 64), (py - sprite.y * 64) / (sprite.scale * 64)];
      expect(Math.abs(u * u + 4 * v * v - 1)).toBeLessThan(0.05);
    }
    expect(() => spriteOf('heart', { scale: 6, angle: 0, x: 0, y: 0 })).toThrow('Expected scale from 0 to 5, got 6.');
  });
});
