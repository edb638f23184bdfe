// Reads comma-separated values as RFC 4180 has them, with the line each record starts on. Accepts a BOM and CRLF; knows no types.

/** One record of a file. */
export interface CsvRecord {
  readonly fields: readonly string[];
  /** Line the record starts on, from 1. */
  readonly line: number;
}

/**
 * All records of a text; empty lines are left out.
 * @param onFault told of a quote that does not end, or of text after a closing quote
 * @example
 * parseCsv('id,a\n"x, y",1\n', () => {})[1]?.fields; // ['x, y', '1']
 */
export function parseCsv(text: string, onFault: (line: number, message: string) => void): CsvRecord[] {
  const records: CsvRecord[] = [];
  let at = text.charCodeAt(0) === 0xfeff ? 1 : 0;
  let line = 1;
  while (at < text.length) {
    const start = line;
    const fields: string[] = [];
    for (let more = true; more;) {
      let field: string;
      if (text[at] === '"') {
        const end = closingQuote(text, at + 1);
        if (end < 0) {
          onFault(start, 'Expected a closing quote, got the end of the file. Double the quotes inside a cell.');
          return records;
        }
        field = text.slice(at + 1, end).replaceAll('""', '"');
        for (let i = at; i < end; i++) if (text.charCodeAt(i) === 10) line++;
        at = end + 1;
        const next = text[at];
        if (next !== undefined && next !== ',' && next !== '\n' && next !== '\r') {
          onFault(
            line,
            `Expected a comma after the closing quote, got ${JSON.stringify(next)}. Double the quotes inside a cell.`,
          );
        }
        while (at < text.length && text[at] !== ',' && text[at] !== '\n') at++;
      } else {
        const from = at;
        while (at < text.length && text[at] !== ',' && text[at] !== '\n') at++;
        field = text.slice(from, at);
        if (field.endsWith('\r') && text[at] !== ',') field = field.slice(0, -1);
      }
      fields.push(field);
      more = text[at] === ',';
      at++;
    }
    line++;
    if (fields.length > 1 || fields[0] !== '') records.push({ fields, line: start });
  }
  return records;
}

/** Index of the quote that ends a quoted field whose content starts at `from`; -1 if there is none. */
function closingQuote(text: string, from: number): number {
  for (let i = text.indexOf('"', from); i >= 0; i = text.indexOf('"', i + 2)) if (text[i + 1] !== '"') return i;
  return -1;
}

/** One cell, quoted where it must be. */
export function csvCell(value: string | number): string {
  const text = String(value);
  return /[",\r\n]/.test(text) || text.trim() !== text ? `"${text.replaceAll('"', '""')}"` : text;
}
