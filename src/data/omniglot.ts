// Handwritten characters of many alphabets as the Omniglot background archives hold them: `set/alphabet/characterNN/
// image_drawer.png`, 105 x 105, one drawing per character and drawer. Reads archives in memory; downloads nothing.
import { CairnError } from '../errors.ts';
import { readPng } from './image/index.ts';
import { readZip } from './zip.ts';

/** Side of a drawing in pixels. */
export const DRAWING_SIDE = 105;

/** Drawings of characters: `images [count, 105, 105]` with 1 for ink, and who drew what. */
export interface Drawings {
  readonly count: number;
  readonly images: Uint8Array;
  /** Character of every drawing, an index into `characters`. */
  readonly character: Uint16Array;
  /** Drawer of every drawing, from 1. */
  readonly drawer: Uint8Array;
  /** `alphabet/characterNN`, sorted. */
  readonly characters: readonly string[];
  /** Alphabet of every character, an index into `alphabets`. */
  readonly alphabetOf: Uint8Array;
  /** Sorted names. */
  readonly alphabets: readonly string[];
}

/**
 * Reads drawings from archives. What is in several archives is taken once.
 * @throws CairnError `bad_zip`, `bad_png` and so on for damaged files; `bad_drawings` when there are none, or a drawing has
 * another size.
 * @example
 * const drawings = readDrawings([await readFile('images_background_small1.zip')]);
 */
export function readDrawings(archives: readonly Uint8Array[]): Drawings {
  const found = new Map<string, { character: string; alphabet: string; drawer: number; read: () => Uint8Array }>();
  for (const bytes of archives) {
    for (const entry of readZip(bytes)) {
      const match = /([^/]+)\/(character\d+)\/\d+_(\d+)\.png$/.exec(entry.name);
      if (!match) continue;
      const [, alphabet, name, drawer] = match as unknown as [string, string, string, string];
      const character = `${alphabet}/${name}`;
      found.set(`${character}/${drawer}`, { character, alphabet, drawer: Number(drawer), read: () => entry.read() });
    }
  }
  if (found.size === 0) {
    throw new CairnError('bad_drawings', 'Expected drawings named alphabet/characterNN/image_drawer.png, got none.', {
      hint: 'Pass the Omniglot background archives.',
    });
  }
  const list = [...found].sort((a, b) => (a[0] < b[0] ? -1 : 1)).map(([, item]) => item);
  const characters = [...new Set(list.map((d) => d.character))];
  const alphabets = [...new Set(list.map((d) => d.alphabet))];
  const size = DRAWING_SIDE ** 2;
  const images = new Uint8Array(list.length * size);
  list.forEach(({ character, read }, k) => {
    const { width, height, data } = readPng(read());
    if (width !== DRAWING_SIDE || height !== DRAWING_SIDE) {
      throw new CairnError('bad_drawings', `Expected 105 x 105 pixels in ${character}, got ${width} x ${height}.`);
    }
    for (let i = 0; i < size; i++) images[k * size + i] = data[i]! < 128 ? 1 : 0;
  });
  return {
    count: list.length,
    images,
    character: Uint16Array.from(list, (d) => characters.indexOf(d.character)),
    drawer: Uint8Array.from(list, (d) => d.drawer),
    characters,
    alphabetOf: Uint8Array.from(characters, (c) => alphabets.indexOf(c.slice(0, c.lastIndexOf('/')))),
    alphabets,
  };
}
