// The string literals of a line of JSON with their places: a parser gives values without offsets, and a quotation needs them.

export interface JsonString {
  /** Offsets of what stands between the quotation marks. */
  readonly start: number;
  readonly end: number;
  readonly value: string;
  /** True for the name of a field. */
  readonly key: boolean;
}

const LITERAL = /"((?:[^"\\]|\\.)*)"(\s*:)?/g;

/** All string literals of valid JSON in order. */
export function* jsonStrings(json: string): Generator<JsonString> {
  for (const match of json.matchAll(LITERAL)) {
    const start = match.index + 1;
    yield {
      start,
      end: start + match[1]!.length,
      value: JSON.parse(`"${match[1]!}"`) as string,
      key: match[2] !== undefined,
    };
  }
}
