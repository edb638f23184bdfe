// Markdown: headings begin sections and give them titles; paragraphs, list items, table rows, quotations and blocks of code are turns.
// Only the block structure is read; inline marks stay in the text, since ranges must point at the bytes as they are.
import type { RawTurn } from './tree.ts';

const HEADING = /^ {0,3}(#{1,6})[ \t]+(.*?)[ \t#]*$/;
const FENCE = /^ {0,3}(`{3,}|~{3,})/;
const ITEM = /^[ \t]*(?:[-*+]|\d{1,9}[.)])[ \t]+/;
const RULE = /^ {0,3}(?:(?:-[ \t]*){3,}|(?:\*[ \t]*){3,}|(?:_[ \t]*){3,}|=+[ \t]*)$/;

export function* readMarkdown(text: string): Generator<RawTurn> {
  let section = 0;
  const titles: string[] = [];
  let open: number | undefined;
  let fence: string | undefined;
  let at = 0;
  const turn = (end: number): RawTurn[] => {
    const start = open;
    open = undefined;
    if (start === undefined) return [];
    const title = titles.filter((t) => t !== undefined && t !== '').join(' › ');
    return [{ start, end, section, ...(title === '' ? {} : { title }) }];
  };
  const frontMatter = /^---\r?\n[\s\S]*?\n---[ \t]*(?:\r?\n|$)/.exec(text);
  if (frontMatter !== null) {
    open = 0;
    at = frontMatter[0].length;
    yield* turn(at);
  }
  while (at <= text.length) {
    const next = text.indexOf('\n', at);
    const end = next < 0 ? text.length : next;
    const line = text.slice(at, end).replace(/\r$/, '');
    const mark = FENCE.exec(line)?.[1];
    if (fence !== undefined) {
      if (mark !== undefined && mark.startsWith(fence)) {
        fence = undefined;
        yield* turn(end);
      }
    } else if (mark !== undefined) {
      yield* turn(at);
      fence = mark;
      open = at;
    } else if (line.trim() === '' || RULE.test(line)) {
      yield* turn(at);
    } else {
      const heading = HEADING.exec(line);
      if (heading !== null) {
        yield* turn(at);
        section++;
        titles.length = heading[1]!.length - 1;
        titles[heading[1]!.length - 1] = heading[2]!.trim();
        open = at;
        yield* turn(end);
      } else if (ITEM.test(line) || line.startsWith('|')) {
        yield* turn(at);
        open = at;
      } else {
        open ??= at;
      }
    }
    if (next < 0) break;
    at = next + 1;
  }
  yield* turn(text.length);
}
