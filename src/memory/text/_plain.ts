// Plain text: paragraphs between blank lines are turns, form feeds (pages) and lines of capitals or underlines do not matter
// but for the former, which begin sections.
import type { RawTurn } from './tree.ts';

const BREAK = /\n[ \t]*(?:\n[ \t]*)+|\f/g;

export function* readPlain(text: string): Generator<RawTurn> {
  let start = 0;
  let page = 0;
  for (const match of text.matchAll(BREAK)) {
    yield { start, end: match.index, section: page };
    start = match.index + match[0].length;
    if (match[0] === '\f') page++;
  }
  yield { start, end: text.length, section: page };
}
