// Dates in text: absolute dates in the common written forms, times relative to the day they were said, and the intervals
// that both mean. Pure arithmetic in UTC days; nothing here reads a clock.
const MONTHS = 'january february march april may june july august september october november december'.split(' ');
const MONTH = `(?:${MONTHS.map((m) => `${m.slice(0, 3)}(?:${m.slice(3)}|\\.)?`).join('|')}|sept\\.?)`;
const DAYS = 'sunday monday tuesday wednesday thursday friday saturday'.split(' ');
const DAY_MS = 86_400_000;

/** A span of time, both ends included, in milliseconds since 1970. */
export interface Interval {
  readonly from: number;
  readonly to: number;
}

/** A date found in a text. */
export interface FoundDate extends Interval {
  /** Offsets in characters. */
  readonly start: number;
  readonly end: number;
  /** `2023-05-07`, `2023-05`, `2023`, or `--05-07` and `--05` where no year is said. */
  readonly iso: string;
}

const ISO = /\b(\d{4})-(\d{2})(?:-(\d{2}))?\b/g;
const DAY_MONTH = new RegExp(`\\b(\\d{1,2})(?:st|nd|rd|th)?(?: of)? (${MONTH})\\b(?:,? (\\d{4})\\b)?`, 'gi');
const MONTH_DAY = new RegExp(`\\b(${MONTH}) (\\d{1,2})(?:st|nd|rd|th)?\\b(?:,? (\\d{4})\\b)?`, 'gi');
const MONTH_YEAR = new RegExp(`\\b(${MONTH})(?: of|,)? (\\d{4})\\b`, 'gi');
const MONTH_ALONE = new RegExp(`\\b(?:in|during|since|until|by|of|last|this|next) (${MONTHS.join('|')})\\b`, 'gi');
const YEAR = /\b(?:in|during|since|until|by|of|before|after|from|year)\s+((?:19|20)\d{2})\b/gi;

/** All dates that a text writes out, by their place; overlapping shorter ones are left out. */
export function findDates(text: string): FoundDate[] {
  const found: FoundDate[] = [];
  const add = (match: RegExpMatchArray, year: number | undefined, month: number | undefined, day?: number): void => {
    const date = dateOf(year, month, day);
    if (date === undefined) return;
    const start = match.index!;
    const end = start + match[0].length;
    if (found.some((other) => start < other.end && other.start < end)) return;
    found.push({ ...date, start, end });
  };
  for (const m of text.matchAll(ISO)) add(m, Number(m[1]), Number(m[2]), m[3] === undefined ? undefined : Number(m[3]));
  for (const m of text.matchAll(DAY_MONTH)) add(m, numberOf(m[3]), monthOf(m[2]!), Number(m[1]));
  for (const m of text.matchAll(MONTH_DAY)) add(m, numberOf(m[3]), monthOf(m[1]!), Number(m[2]));
  for (const m of text.matchAll(MONTH_YEAR)) add(m, Number(m[2]), monthOf(m[1]!));
  for (const m of text.matchAll(MONTH_ALONE)) add(m, undefined, monthOf(m[1]!));
  for (const m of text.matchAll(YEAR)) add(m, Number(m[1]), undefined);
  return found.sort((a, b) => a.start - b.start);
}

/** Terms of the dates in a text, from coarse to fine, so that a date shares its month and year with others. */
export function dateTerms(text: string): string[] {
  if (!/\d|january|february|march|april|may|june|july|august|september|october|november|december/i.test(text))
    return [];
  const found = new Set<string>();
  for (const { iso } of findDates(text)) {
    const [, year, month, day] = /^(\d{4}|-)(?:-(\d{2}))?(?:-(\d{2}))?$/.exec(iso) ?? [];
    if (month !== undefined) found.add(`@m${month}`);
    if (year !== undefined && year !== '-') found.add(`@${year}`);
    if (year !== '-' && month !== undefined) found.add(`@${year}-${month}`);
    if (month !== undefined && day !== undefined) found.add(`@d${month}-${day}`);
  }
  return [...found];
}

const RELATIVE =
  /\b(yesterday|today|tonight|tomorrow|last night|this (?:morning|afternoon|evening|week|weekend|month|year)|(?:last|past|next) (?:week|weekend|month|year|summer|winter|spring|fall|autumn|(?:sun|mon|tues|wednes|thurs|fri|satur)day)|(?:on )?(?:sun|mon|tues|wednes|thurs|fri|satur)day|(?:a|an|one|two|three|four|five|six|seven|eight|nine|ten|\d+|a few|few|couple of|several) (?:day|week|weekend|month|year)s? (?:ago|back|before|later|from now)|the other day|recently|lately|just now|for (?:a|one|two|three|four|five|six|seven|eight|nine|ten|\d+) (?:day|week|month|year)s|since (?:19|20)\d{2}|(?:19|20)\d{2}|soon|so far|upcoming)\b/gi;

/** Places where a text says when, relative to the day it was said. */
export function timeWords(text: string): string[] {
  return [...text.matchAll(RELATIVE)].map((match) => match[0].toLowerCase());
}

/** The interval that a relative time means when said at `at`; undefined where it is too vague. */
export function resolveRelative(phrase: string, at: number): Interval | undefined {
  const day = Math.floor(at / DAY_MS) * DAY_MS;
  const span = (from: number, days: number): Interval => ({ from, to: from + days * DAY_MS - 1 });
  const p = phrase.toLowerCase();
  if (/^(today|tonight|this (morning|afternoon|evening)|just now)$/.test(p)) return span(day, 1);
  if (/^(yesterday|last night)$/.test(p)) return span(day - DAY_MS, 1);
  if (p === 'tomorrow') return span(day + DAY_MS, 1);
  const named = /(?:(last|past|next|this|on) )?((?:sun|mon|tues|wednes|thurs|fri|satur)day)$/.exec(p);
  if (named !== null) {
    const want = DAYS.indexOf(named[2]!);
    const today = new Date(day).getUTCDay();
    const ahead = named[1] === 'next' || named[1] === 'this';
    const shift = ahead ? ((want - today + 6) % 7) + 1 : -(((today - want + 6) % 7) + 1);
    return span(day + shift * DAY_MS, 1);
  }
  const unit = /(last|past|this|next) (week|weekend|month|year)$/.exec(p);
  if (unit !== null) return shifted(day, unit[2]!, unit[1] === 'this' ? 0 : unit[1] === 'next' ? 1 : -1);
  const ago = /^(.+?) (day|week|weekend|month|year)s? (ago|back|before|later|from now)$/.exec(p);
  if (ago !== null) {
    const n = countOf(ago[1]!);
    return n === undefined ? undefined : shifted(day, ago[2]!, /later|from now/.test(ago[3]!) ? n : -n);
  }
  return undefined;
}

function shifted(day: number, unit: string, n: number): Interval {
  const date = new Date(day);
  if (unit === 'day') return { from: day + n * DAY_MS, to: day + (n + 1) * DAY_MS - 1 };
  if (unit === 'month') {
    const from = Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + n, 1);
    return { from, to: Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + n + 1, 1) - 1 };
  }
  if (unit === 'year') {
    const year = date.getUTCFullYear() + n;
    return { from: Date.UTC(year, 0, 1), to: Date.UTC(year + 1, 0, 1) - 1 };
  }
  const monday = day - ((date.getUTCDay() + 6) % 7) * DAY_MS + n * 7 * DAY_MS;
  if (unit === 'weekend') return { from: monday + 5 * DAY_MS, to: monday + 7 * DAY_MS - 1 };
  return { from: monday, to: monday + 7 * DAY_MS - 1 };
}

/** Milliseconds since 1970 of a written date with or without a time, read as UTC; undefined when it is none. */
export function parseDate(text: string): number | undefined {
  const time = /\b(\d{1,2}):(\d{2})(?::\d{2})?\s*(am|pm)?/i.exec(text);
  const date = findDates(text).find(({ iso }) => /^\d{4}/.test(iso));
  if (date === undefined) {
    const parsed = /\d{4}/.test(text) ? Date.parse(text) : NaN;
    return Number.isNaN(parsed) ? undefined : parsed;
  }
  if (/^\d{4}-\d{2}-\d{2}T.*(Z|[+-]\d{2}:?\d{2})$/.test(text)) {
    const exact = Date.parse(text);
    if (!Number.isNaN(exact)) return exact;
  }
  if (time === null) return date.from;
  const half = time[3]?.toLowerCase();
  const hour = (Number(time[1]) % (half === undefined ? 24 : 12)) + (half === 'pm' ? 12 : 0);
  return date.from + (hour * 60 + Number(time[2])) * 60_000;
}

function dateOf(
  year: number | undefined,
  month: number | undefined,
  day: number | undefined,
): Omit<FoundDate, 'start' | 'end'> | undefined {
  if (month !== undefined && (month < 1 || month > 12)) return undefined;
  if (day !== undefined && (day < 1 || day > 31)) return undefined;
  const two = (n: number): string => String(n).padStart(2, '0');
  const tail = `${month === undefined ? '' : `-${two(month)}`}${day === undefined ? '' : `-${two(day)}`}`;
  if (year === undefined) return { iso: `-${tail}`, from: -Infinity, to: Infinity };
  const from = Date.UTC(year, (month ?? 1) - 1, day ?? 1);
  const to =
    day !== undefined ? from + DAY_MS : month !== undefined ? Date.UTC(year, month, 1) : Date.UTC(year + 1, 0, 1);
  return { iso: `${String(year).padStart(4, '0')}${tail}`, from, to: to - 1 };
}

function monthOf(text: string): number {
  return MONTHS.findIndex((month) => month.startsWith(text.slice(0, 3).toLowerCase())) + 1;
}

function numberOf(text: string | undefined): number | undefined {
  return text === undefined ? undefined : Number(text);
}

const SMALL = 'zero one two three four five six seven eight nine ten'.split(' ');

function countOf(text: string): number | undefined {
  if (text === 'a' || text === 'an') return 1;
  if (text === 'couple of') return 2;
  const n = SMALL.indexOf(text);
  if (n >= 0) return n;
  return /^\d+$/.test(text) ? Number(text) : undefined;
}
