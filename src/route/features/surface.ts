// The shape of a text in a few numbers: its length and what share of it is digits, letters, punctuation and line ends, how it
// ends, how much it repeats itself. Words say what a prompt is about; this says what kind of thing it is. Upper and lower
// case make no difference, nor does white space around the text.
import { characterClasses, DIGIT, LETTER, ALONE, lowerCase, SPACE } from './_characters.ts';
import { LONG_TEXT } from './hashed-counts.ts';

/** Numbers per text. */
export const SURFACE_SIZE = 18;

const SETS = {
  maths: '$\\{}^_',
  code: '()[]=<>;',
  comma: ',',
  stop: '.',
  question: '?',
  quote: '"\u201c\u201d',
  blank: '_',
};
const FLAGS = Uint8Array.from({ length: 128 }, (_, c) => {
  const character = String.fromCharCode(c);
  let bits = 0;
  Object.values(SETS).forEach((set, i) => (bits |= set.includes(character) ? 1 << i : 0));
  return bits;
});
const SLOTS = 1024;

/** Measures texts; keeps a table of words seen so that nothing is allocated per text. */
export class Surface {
  readonly #classes = characterClasses();
  readonly #lower = lowerCase();
  readonly #stamp = new Int32Array(SLOTS);
  readonly #tally = new Int32Array(Object.keys(SETS).length);
  #turn = 0;

  /** Writes [SURFACE_SIZE] raw numbers of a text to `out`. An empty text is all zeros. */
  measure(text: string, out: Float64Array): void {
    out.fill(0, 0, SURFACE_SIZE);
    let from = 0;
    let to = text.length;
    while (from < to && this.#classes[text.charCodeAt(from)] === SPACE) from++;
    while (to > from && this.#classes[text.charCodeAt(to - 1)] === SPACE) to--;
    if (from === to) return;
    this.#turn++;
    this.#tally.fill(0);
    let digits = 0;
    let letters = 0;
    let spaces = 0;
    let lines = 0;
    let foreign = 0;
    let words = 0;
    let fresh = 0;
    let word = 0;
    const long = to - from > 2 * LONG_TEXT;
    for (let i = from; i <= to; i++) {
      if (long && i === from + LONG_TEXT) i = to - LONG_TEXT;
      const c = i < to ? text.charCodeAt(i) : 32;
      const kind = this.#classes[c]!;
      if (kind === LETTER || kind === ALONE) {
        word = Math.imul(word ^ this.#lower[c]!, 0x01000193) | 1;
        letters++;
      } else if (word !== 0) {
        words++;
        const slot = (word ^ (word >>> 15)) & (SLOTS - 1);
        if (this.#stamp[slot] !== this.#turn) {
          this.#stamp[slot] = this.#turn;
          fresh++;
        }
        word = 0;
      }
      if (i === to) break;
      if (kind === DIGIT) digits++;
      else if (kind === SPACE) spaces++;
      if (c === 10) lines++;
      if (c > 127) foreign++;
      else {
        const bits = FLAGS[c]!;
        if (bits !== 0)
          for (let s = 0; s < this.#tally.length; s++) if (bits & (1 << s)) this.#tally[s] = this.#tally[s]! + 1;
      }
    }
    const n = Math.min(to - from, 2 * LONG_TEXT);
    const last = text.charCodeAt(to - 1);
    const t = this.#tally;
    out[0] = Math.log1p(to - from);
    out[1] = digits / n;
    out[2] = letters / n;
    out[3] = spaces / n;
    out[4] = lines / n;
    out[5] = Math.log1p(lines);
    out[6] = t[0]! / n;
    out[7] = t[1]! / n;
    out[8] = t[2]! / n;
    out[9] = t[3]! / n;
    out[10] = t[4]! / n;
    out[11] = t[5]! / n;
    out[12] = t[6]! > 0 ? 1 : 0;
    out[13] = foreign / n;
    out[14] = words > 0 ? letters / words / 10 : 0;
    out[15] = words > 0 ? fresh / words : 0;
    out[16] = last === 63 ? 1 : 0;
    out[17] = last === 46 ? 1 : 0;
  }
}
