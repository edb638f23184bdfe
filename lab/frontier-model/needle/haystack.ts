// Texts in which keys and their values lie hidden: "…some years ago K4 never mind how long B7 precisely…", asked for as "?K".
import { charTokenizer } from 'cairn/data';
import type { Rng } from 'cairn/tensor';

export const KEYS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ';
export const VALUES = '0123456789';
const LETTERS = 'abcdefghijklmnopqrstuvwxyz ';
export const tokenizer = charTokenizer(KEYS + VALUES + LETTERS + '?');

/** A key, its value, and where the key stands, from 0 (start of the text) to 1. */
export interface Needle {
  readonly key: string;
  readonly value: string;
  readonly depth: number;
}

export interface Haystack {
  readonly text: string;
  readonly needles: readonly Needle[];
}

/** English in small letters and single blanks: neither keys nor values stand in it. */
export function plainLetters(text: string): string {
  return text
    .toLowerCase()
    .replaceAll(/[^a-z]+/g, ' ')
    .trim();
}

/** `length` characters out of `hay` with `count` keys, each at a random place and followed at once by its value. */
export function hide(hay: string, length: number, count: number, rng: Rng): Haystack {
  const letters = length - 2 * count;
  const start = rng.integer(hay.length - letters);
  // A needle lies after so many letters; several may lie side by side.
  const places = Array.from({ length: count }, () => rng.integer(letters + 1)).toSorted((a, b) => a - b);
  const order = Array.from(rng.permutation(KEYS.length).subarray(0, count), (k) => KEYS[k]!);
  let text = '';
  let at = start;
  const needles = order.map((key, i): Needle => {
    text += hay.slice(at, start + places[i]!);
    at = start + places[i]!;
    const value = VALUES[rng.integer(VALUES.length)]!;
    const depth = text.length / length;
    text += key + value;
    return { key, value, depth };
  });
  return { text: text + hay.slice(at, start + letters), needles };
}

/** Tokens of one question with its answer. */
const ASKED = 3;

/** `[batch, length]`: haystacks with so many keys, then each of them asked for; only the answers count. */
export function lesson(
  hay: string,
  { batch, length, keys }: { readonly batch: number; readonly length: number; readonly keys: number },
  rng: Rng,
): { x: Int32Array; y: Int32Array; weight: Float32Array } {
  const [x, y] = [new Int32Array(batch * length), new Int32Array(batch * length)];
  const weight = new Float32Array(batch * length);
  const hidden = length + 1 - ASKED * keys;
  for (let row = 0; row < batch; row++) {
    const own = rng.fork(row);
    const { text, needles } = hide(hay, hidden, keys, own);
    const asked = Array.from(own.permutation(needles.length), (i) => needles[i]!);
    const ids = tokenizer.encode(text + asked.map(({ key, value }) => `?${key}${value}`).join(''));
    x.set(ids.subarray(0, length), row * length);
    y.set(ids.subarray(1), row * length);
    asked.forEach((_, i) => (weight[row * length + hidden + ASKED * i + 1] = 1));
  }
  return { x, y, weight };
}
