// The handwriting of a board as something a canvas can draw: black ink with the grey value as its opacity, so that one picture
// serves light and dark.
import type { BoardView } from '../../src/mind/boards/view.ts';
import { api } from './api.ts';

/** 252 × 252 pixels: nine by nine cells of 28. */
export type Ink = ImageData;

const SIDE = 252;
const KEPT = 24;
const cache = new Map<string, Promise<Ink | null>>();

/** Loads the handwriting of a board once; null when it was not kept: a user's own picture never is. */
export function pictureOf({ id, source }: BoardView): Promise<Ink | null> {
  if (source === 'image') return Promise.resolve(null);
  const known = cache.get(id);
  if (known) return known;
  const loading = api.picture(id).then(
    ({ cells }) => toInk(cells),
    () => null,
  );
  cache.set(id, loading);
  if (cache.size > KEPT) cache.delete(cache.keys().next().value!);
  return loading;
}

function toInk(base64: string): Ink {
  const grey = Uint8Array.from(atob(base64), (ch) => ch.charCodeAt(0)); // [81 * 784]
  const ink = new ImageData(SIDE, SIDE);
  for (let cell = 0; cell < 81; cell++) {
    const top = Math.floor(cell / 9) * 28;
    const left = (cell % 9) * 28;
    for (let p = 0; p < 784; p++) {
      const x = left + (p % 28);
      const y = top + Math.floor(p / 28);
      ink.data[(y * SIDE + x) * 4 + 3] = grey[cell * 784 + p] ?? 0;
    }
  }
  return ink;
}

/** Draws all of a board, or one cell of it. */
export function drawInk(canvas: HTMLCanvasElement, ink: Ink, cell?: number): void {
  const side = cell === undefined ? SIDE : 28;
  canvas.width = side;
  canvas.height = side;
  const context = canvas.getContext('2d');
  if (!context) return;
  const left = cell === undefined ? 0 : (cell % 9) * 28;
  const top = cell === undefined ? 0 : Math.floor(cell / 9) * 28;
  context.putImageData(ink, -left, -top);
}
