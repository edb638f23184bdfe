// A picture as ink on a square, the form in which networks here take one. It is scaled as a whole: nothing is searched for in it.
import { type GrayImage, resample } from './gray.ts';

/**
 * Ink `[size * size]`, row by row, 0 where the background is and 1 farthest from it. The background is light or dark, whichever most
 * of the edge is; a picture that is no square is centred on one.
 * @example
 * toInk(readPng(bytes), 28); // [784]
 */
export function toInk(image: GrayImage, size: number): Float32Array {
  const { width, height } = image;
  const edge = edgeOf(image);
  const light = edge.filter((v) => v >= 128).length * 2 >= edge.length;
  const side = Math.max(width, height);
  const square = { x: (width - side) / 2, y: (height - side) / 2, width: side, height: side };
  const { data } = resample(image, square, size, size, light ? 255 : 0);
  return Float32Array.from(data, (v) => (light ? 255 - v : v) / 255);
}

function edgeOf({ width, height, data }: GrayImage): number[] {
  const edge: number[] = [];
  for (let x = 0; x < width; x++) edge.push(data[x]!, data[(height - 1) * width + x]!);
  for (let y = 0; y < height; y++) edge.push(data[y * width]!, data[y * width + width - 1]!);
  return edge;
}
