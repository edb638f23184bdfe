// Counts of hashed tokens of one text: words, pairs of words and four-letter windows, in one pass over the characters and
// without allocating. Not an encoder: `lsa.ts` turns the counts into a vector.
//
// `ascii-v1`: runs of [a-z], digits, any other character alone; CRC-32 over the UTF-8 bytes of "w:word", "b:word_word",
// "c:gram". `unicode-v1`: runs of letters and marks of any script, characters of scripts written without spaces alone, and
// beside the counts the first and last three words by position; FNV-1a over UTF-16 code units with a final mix.
import { CairnError } from '../../errors.ts';
import { ALONE, characterClasses, classOf, DIGIT, LETTER, lowerCase, SPACE } from './_characters.ts';

export type HashKind = 'ascii-v1' | 'unicode-v1';

/** Longer texts are read at both ends only: this many characters each. */
export const LONG_TEXT = 16_384;

const CRC = Uint32Array.from({ length: 256 }, (_, n) => {
  let c = n;
  for (let k = 0; k < 8; k++) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1;
  return c >>> 0;
});
const EDGE = 3;

/** An accumulator of 2^bits counts, to be used again for every text. */
export class HashedCounts {
  readonly kind: HashKind;
  readonly bits: number;
  /** [2^bits] */
  readonly counts: Float32Array;
  /** The first `size` entries are the hashes that occur, in order of first occurrence. */
  readonly touched: Uint32Array;
  size = 0;

  readonly #ascii: boolean;
  readonly #mask: number;
  readonly #classes = characterClasses();
  readonly #lower = lowerCase();
  readonly #start: { word: number; pair: number; gram: number };
  readonly #window = new Int32Array(4); // the last four characters of "<run>"
  readonly #last = new Int32Array(EDGE); // hashes of the last words, a ring
  #words = 0;
  #pairBefore = 0; // hash state of "b:" + the word before + "_"
  #lastPair = 0;

  constructor(kind: HashKind, bits = 15) {
    if (!Number.isInteger(bits) || bits < 8 || bits > 22) {
      throw new CairnError('bad_parameter', `Expected 8 to 22 hash bits, got ${bits}.`);
    }
    this.kind = kind;
    this.bits = bits;
    this.counts = new Float32Array(2 ** bits);
    this.touched = new Uint32Array(2 ** bits);
    this.#ascii = kind === 'ascii-v1';
    this.#mask = 2 ** bits - 1;
    const prefix = (text: string): number => {
      let h = this.#ascii ? -1 : 0x811c9dc5 | 0;
      for (let i = 0; i < text.length; i++) h = this.#feed(h, text.charCodeAt(i));
      return h;
    };
    this.#start = { word: prefix('w:'), pair: prefix('b:'), gram: prefix('c:') };
  }

  /** Replaces the counts by those of `text`. */
  count(text: string): void {
    for (let i = 0; i < this.size; i++) this.counts[this.touched[i]!] = 0;
    this.size = 0;
    this.#words = 0;
    let from = 0;
    let to = text.length;
    while (from < to && this.#classes[text.charCodeAt(from)] === SPACE) from++;
    while (to > from && this.#classes[text.charCodeAt(to - 1)] === SPACE) to--;
    if (to - from <= 2 * LONG_TEXT) this.#scan(text, from, to);
    else {
      this.#scan(text, from, from + LONG_TEXT);
      this.#scan(text, to - LONG_TEXT, to);
    }
    if (!this.#ascii) this.#edges();
  }

  #scan(text: string, from: number, to: number): void {
    const { word: w0, pair: b0 } = this.#start;
    let paired = false; // whether there is a word before this one in the same stretch
    let at = from;
    while (at < to) {
      let c = text.charCodeAt(at);
      let kind = this.#classes[c]!;
      let width = 1;
      if (c >= 0xd800 && c <= 0xdbff && at + 1 < text.length) {
        const point = text.codePointAt(at)!;
        if (point > 0xffff) {
          width = 2;
          kind = classOf(String.fromCodePoint(point));
          c = point;
        }
      }
      if (kind === SPACE) {
        at += width;
        continue;
      }
      let word = w0;
      let pair = this.#pairBefore;
      let next = b0;
      const run = this.#inRun(c, kind);
      if (run) {
        let length = 0;
        this.#window[length++] = 60; // '<'
        for (;;) {
          c = width === 1 ? this.#lower[c]! : c;
          word = this.#feed(word, c);
          pair = this.#feed(pair, c);
          next = this.#feed(next, c);
          if (length >= 4) this.#shift(c);
          else this.#window[length] = c;
          length++;
          if (length >= 4) this.#gram(4);
          at += width;
          if (at >= to) break;
          c = text.charCodeAt(at);
          width = 1;
          if (c >= 0xd800 && c <= 0xdbff) break;
          if (!this.#inRun(c, this.#classes[c]!)) break;
        }
        if (length >= 4) this.#shift(62);
        else this.#window[length] = 62; // '>'
        length++;
        this.#gram(Math.min(4, length));
      } else {
        if (width === 1) c = this.#lower[c]!;
        word = this.#feed(word, c);
        pair = this.#feed(pair, c);
        next = this.#feed(next, c);
        at += width;
      }
      this.#add(word);
      if (paired) this.#add(pair);
      this.#position(word, pair, paired);
      this.#pairBefore = this.#feed(next, 95); // '_'
      paired = true;
    }
  }

  #inRun(c: number, kind: number): boolean {
    if (!this.#ascii) return kind === LETTER;
    return c < 0x10000 && this.#lower[c]! >= 97 && this.#lower[c]! <= 122;
  }

  /** Words at the beginning count by position at once, words at the end when the end is known. */
  #position(word: number, pair: number, paired: boolean): void {
    if (this.#ascii) return;
    if (this.#words < EDGE) this.#add(mix(word ^ (0x51ab + this.#words)));
    if (this.#words === 1 && paired) this.#add(mix(pair ^ 0x51cd));
    this.#last[this.#words % EDGE] = word;
    this.#lastPair = paired ? pair : 0;
    this.#words++;
  }

  #edges(): void {
    const n = this.#words;
    for (let i = 0; i < Math.min(EDGE, n); i++) this.#add(mix(this.#last[(n - 1 - i) % EDGE]! ^ (0x7e01 + i)));
    if (n > 1) this.#add(mix(this.#lastPair ^ 0x7e23));
  }

  #shift(c: number): void {
    const w = this.#window;
    w[0] = w[1]!;
    w[1] = w[2]!;
    w[2] = w[3]!;
    w[3] = c;
  }

  #gram(length: number): void {
    let h = this.#start.gram;
    for (let i = 0; i < length; i++) h = this.#feed(h, this.#window[i]!);
    this.#add(h);
  }

  #add(state: number): void {
    const h = (this.#ascii ? ~state : mix(state)) & this.#mask;
    const before = this.counts[h]!;
    if (before === 0) this.touched[this.size++] = h;
    this.counts[h] = before + 1;
  }

  /** One character (a code point) into a hash state. */
  #feed(h: number, c: number): number {
    if (!this.#ascii) {
      if (c > 0xffff) return Math.imul(Math.imul(h ^ (c >>> 16), 0x01000193) ^ (c & 0xffff), 0x01000193);
      return Math.imul(h ^ c, 0x01000193);
    }
    if (c < 0x80) return CRC[(h ^ c) & 255]! ^ (h >>> 8);
    if (c < 0x800) return byte(byte(h, 0xc0 | (c >> 6)), 0x80 | (c & 63));
    if (c < 0x10000) return byte(byte(byte(h, 0xe0 | (c >> 12)), 0x80 | ((c >> 6) & 63)), 0x80 | (c & 63));
    return byte(
      byte(byte(byte(h, 0xf0 | (c >> 18)), 0x80 | ((c >> 12) & 63)), 0x80 | ((c >> 6) & 63)),
      0x80 | (c & 63),
    );
  }
}

function byte(h: number, b: number): number {
  return CRC[(h ^ b) & 255]! ^ (h >>> 8);
}

/** The final mix of MurmurHash3: every bit of the state moves every bit of the hash. */
function mix(state: number): number {
  let h = state | 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}

/** Whether a class of character counts as a word of its own in `unicode-v1`. */
export function standsAlone(kind: number): boolean {
  return kind === ALONE || kind === DIGIT || kind === 0;
}
