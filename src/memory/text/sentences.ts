// Splits text into sentences by end marks and line breaks, with offsets. Abbreviations and initials do not end a sentence;
// what has no end marks at all is cut between words.
const END = /[.!?…。！？]+["'”’)\]]*(?=\s|$|\\n)|\n\s*\n|\n(?=\s*(?:[-*+•]|\d+[.)])\s)/gu;
const ABBREVIATION =
  /(?:^|[\s(])(?:[A-Z]|mr|mrs|ms|dr|prof|st|vs|etc|e\.g|i\.e|approx|no|fig|jr|sr|inc|ltd|co|a\.m|p\.m)$/iu;
const MOST_CHARACTERS = 400;

/**
 * Offsets `[start, end)` of the sentences of a text, without the white space around them.
 *
 * @example
 * splitSentences('Dr. Li left. She ran!'); // [[0, 12], [13, 21]]
 */
export function splitSentences(text: string): [number, number][] {
  const found: [number, number][] = [];
  let start = 0;
  const close = (end: number): void => {
    for (const [a, b] of cut(text, start, end)) {
      const piece = text.slice(a, b);
      const from = a + (piece.length - piece.trimStart().length);
      const to = b - (piece.length - piece.trimEnd().length);
      if (from < to) found.push([from, to]);
    }
    start = end;
  };
  for (const match of text.matchAll(END)) {
    if (match[0] === '.' && ABBREVIATION.test(text.slice(Math.max(start, match.index - 12), match.index))) continue;
    close(match.index + match[0].length);
  }
  close(text.length);
  return found;
}

/** A stretch without end marks in pieces of bounded length, cut after white space where there is any. */
function* cut(text: string, start: number, end: number): Generator<[number, number]> {
  let from = start;
  while (end - from > MOST_CHARACTERS) {
    const space = text.lastIndexOf(' ', from + MOST_CHARACTERS);
    let to = space > from ? space + 1 : from + MOST_CHARACTERS;
    // Never between the halves of a character beyond the basic plane.
    if (/[\uD800-\uDBFF]/.test(text[to - 1]!)) to++;
    yield [from, to];
    from = to;
  }
  yield [from, end];
}
