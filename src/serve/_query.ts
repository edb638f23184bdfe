// Values of strangers made safe: whole numbers in a range, event ids, words of a list. Every refusal says what was expected.
import { CairnError } from '../errors.ts';
import { printable } from './_body.ts';

/** A whole number in [low, high]; `undefined` stays `undefined`. Accepts a number or its decimal text. Throws `bad_query`. */
export function toInteger(name: string, value: unknown, low: number, high: number): number | undefined {
  if (value === undefined || value === null || value === '') return undefined;
  const number = typeof value === 'string' && /^-?\d{1,15}$/.test(value) ? Number(value) : value;
  if (typeof number === 'number' && Number.isInteger(number) && number >= low && number <= high) return number;
  throw new CairnError(
    'bad_query',
    `Expected ${name} as a whole number from ${low} to ${high}, got ${printable(String(value))}.`,
    {
      hint: `Send for example ${name}=${low}.`,
    },
  );
}

/** An event id that is at least formed like one. Whether it exists is for the memory to say. Throws `bad_event_id`. */
export function toEventId(value: unknown): string {
  if (typeof value === 'string' && /^[A-Za-z0-9_-]{1,128}$/.test(value)) return value;
  throw new CairnError(
    'bad_event_id',
    `Expected an event id, got ${typeof value === 'string' ? printable(value) : 'none'}.`,
    {
      hint: 'Take an id from /api/events.',
    },
  );
}

/** 81 cells, 0 for blank or unknown, from an array or a line of 81 characters. Throws `bad_board`. */
export function toDigits(value: unknown): number[] {
  const cells: unknown[] =
    typeof value === 'string'
      ? [...value].map((ch) => (ch === '.' ? 0 : Number(ch)))
      : Array.isArray(value)
        ? value
        : [];
  if (cells.length === 81 && cells.every((d) => typeof d === 'number' && Number.isInteger(d) && d >= 0 && d <= 9)) {
    return cells.map(Number);
  }
  throw new CairnError('bad_board', `Expected 81 cells of 0 to 9 (or "."), got ${cells.length} that do not fit.`, {
    hint: 'Send {"digits": "53..7...."} with 81 characters, row by row.',
  });
}
