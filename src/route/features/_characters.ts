// What each character is to the tokenizers, and its lower case, as tables over the basic plane that are made on first use.

/** A letter or mark that belongs to a run. */
export const LETTER = 1;
export const DIGIT = 2;
export const SPACE = 3;
/** A letter of a script written without spaces: a token of its own. */
export const ALONE = 4;

let classes: Uint8Array | undefined;
let lower: Uint16Array | undefined;

const DENSE =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]/u;

/** [65536] class of every code unit; surrogates are 0 here. */
export function characterClasses(): Uint8Array {
  if (classes) return classes;
  classes = new Uint8Array(65536);
  for (let c = 0; c < 65536; c++) classes[c] = c >= 0xd800 && c <= 0xdfff ? 0 : classOf(String.fromCharCode(c));
  return classes;
}

/** Class of any character, given as text. */
export function classOf(character: string): number {
  if (/^\s$/u.test(character)) return SPACE;
  if (/^\p{Nd}$/u.test(character)) return DIGIT;
  if (!/^[\p{L}\p{M}]$/u.test(character)) return 0;
  return DENSE.test(character) ? ALONE : LETTER;
}

/** [65536] lower case of every code unit whose lower case is one code unit; itself otherwise. */
export function lowerCase(): Uint16Array {
  if (lower) return lower;
  lower = new Uint16Array(65536);
  for (let c = 0; c < 65536; c++) {
    const low = String.fromCharCode(c).toLowerCase();
    lower[c] = low.length === 1 ? low.charCodeAt(0) : c;
  }
  return lower;
}
