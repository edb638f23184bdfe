// What speaks for a turn as the answer to a question: numbers from words, neighbours, speakers, dates and sketches, none of
// which depends on the size of the store. The ranking is their weighted sum; see weights.ts for how the weights were found.
// Sources: BM25 (Robertson and Zaragoza 2009), pseudo-relevance feedback (Lavrenko and Croft 2001).
import { findDates, resolveRelative, timeWords } from './dates.ts';
import { type Question, speakerTerms } from './question.ts';
import { countTerms, terms } from './tokens.ts';

/** A turn as recall reads it from the store. */
export interface TurnView {
  readonly ref: number;
  readonly id: string;
  readonly source: string;
  /** Number in its source, from 0. */
  readonly ordinal: number;
  readonly section: number;
  readonly text: string;
  readonly title: string | undefined;
  readonly speaker: string | undefined;
  readonly at: number | undefined;
}

/** Counts of the whole store. */
export interface TermStatistics {
  readonly documents: number;
  /** Terms of all documents. */
  readonly words: number;
  readonly frequency: ReadonlyMap<string, number>;
}

/** What sketches say about a turn, each in -1..1 and 0..1; absent for turns that no signature led to. */
export interface Resemblance {
  readonly cosine: number;
  readonly overlap: number;
}

/** Levers that an ablation takes away, with the features that each stands for. */
export const levers = {
  words: ['bm25', 'relative', 'cover'],
  neighbours: ['before', 'after', 'before2', 'after2', 'reply', 'window'],
  section: ['section'],
  speaker: ['speaker', 'addressed'],
  walk: ['walk', 'walkBefore'],
  sketch: ['sketch', 'components'],
  content: ['size', 'question', 'answering'],
  answer: ['time', 'number', 'name', 'quote'],
  dates: ['date'],
} as const satisfies Readonly<Record<string, readonly string[]>>;

export type Lever = keyof typeof levers;
export const featureNames = Object.values(levers).flat() as readonly FeatureName[];
export type FeatureName = (typeof levers)[Lever][number];
export type Features = Record<FeatureName, number>;

/** A candidate with everything that was found in its text, worked out once. */
export interface Candidate {
  readonly turn: TurnView;
  readonly counts: ReadonlyMap<string, number>;
  /** Terms with repetitions. */
  readonly length: number;
}

/** Speaker, heading and text: what a turn is indexed by. */
export function indexedText(turn: Pick<TurnView, 'speaker' | 'title' | 'text'>): string {
  const head = [turn.speaker, turn.title].filter((part) => part !== undefined).join(' ');
  return head === '' ? turn.text : `${head}: ${turn.text}`;
}

export function candidateOf(turn: TurnView): Candidate {
  const list = terms(indexedText(turn));
  return { turn, counts: countTerms(list), length: list.length };
}

/** Inverse document frequency as BM25 has it, never negative. */
export function rarityOf(term: string, statistics: TermStatistics): number {
  const n = statistics.frequency.get(term) ?? 0;
  return Math.log(1 + (statistics.documents - n + 0.5) / (n + 0.5));
}

/** Saturation of a count, BM25 with k1 = 1.2 and b = 0.75. */
export function saturation(count: number, length: number, average: number): number {
  return (count * 2.2) / (count + 1.2 * (0.25 + (0.75 * length) / average));
}

/** Weighted terms that top candidates share: the walk goes over them to turns that the question's words do not reach. */
export type Expansion = ReadonlyMap<string, number>;

/**
 * Features of all candidates of one question; candidates must bring their neighbours with them.
 * @returns in the order of the candidates
 */
export function featuresOf(
  question: Question,
  candidates: readonly Candidate[],
  statistics: TermStatistics,
  resemblance: ReadonlyMap<number, Resemblance>,
  expansion: Expansion,
): Features[] {
  const { named, wanted } = splitTerms(question, candidates);
  const rarity = new Map(wanted.map((term) => [term, rarityOf(term, statistics)] as const));
  const total = [...rarity.values()].reduce((sum, x) => sum + x, 0) || 1;
  const average = statistics.documents === 0 ? 1 : statistics.words / statistics.documents;
  const place = new Map(candidates.map((c, i) => [`${c.turn.source}\0${c.turn.ordinal}`, i] as const));
  const near = (i: number, step: number): number | undefined => {
    const { source, ordinal, section } = candidates[i]!.turn;
    const j = place.get(`${source}\0${ordinal + step}`);
    return j !== undefined && candidates[j]!.turn.section === section ? j : undefined;
  };
  const bm25 = candidates.map(({ counts, length }) => {
    let sum = 0;
    for (const [term, weight] of rarity) {
      const count = counts.get(term);
      if (count !== undefined) sum += weight * saturation(count, length, average);
    }
    return sum / total;
  });
  const walk = candidates.map(({ counts, length }) => {
    let sum = 0;
    for (const [term, weight] of expansion) {
      const count = counts.get(term);
      if (count !== undefined) sum += weight * saturation(count, length, average);
    }
    return sum;
  });
  const best = Math.max(...bm25, 1e-9);
  const sections = sectionCover(candidates, rarity, total);
  const cover = (terms: Iterable<string>): number => {
    let sum = 0;
    for (const term of terms) sum += rarity.get(term)!;
    return sum / total;
  };
  return candidates.map((candidate, i): Features => {
    const { turn, counts } = candidate;
    const at = (step: number, list: readonly number[]): number => {
      const j = near(i, step);
      return j === undefined ? 0 : list[j]!;
    };
    const before = near(i, -1);
    const after = near(i, 1);
    const asked = before !== undefined && candidates[before]!.turn.text.includes('?') ? 1 : 0;
    const inWindow = wanted.filter((term) =>
      [i, before, after].some((j) => j !== undefined && candidates[j]!.counts.has(term)),
    );
    const speaks = turn.speaker !== undefined && named.has(turn.speaker);
    const like = resemblance.get(turn.ref);
    return {
      bm25: bm25[i]!,
      relative: bm25[i]! / best,
      cover: cover(wanted.filter((term) => counts.has(term))),
      before: at(-1, bm25),
      after: at(1, bm25),
      before2: at(-2, bm25),
      after2: at(2, bm25),
      reply: asked * at(-1, bm25),
      window: cover(inWindow),
      section: sections.get(sectionOf(turn)) ?? 0,
      speaker: named.size === 1 && speaks ? 1 : 0,
      addressed: named.size === 1 && !speaks && [...named].some((name) => mentions(candidate, name)) ? 1 : 0,
      walk: walk[i]!,
      walkBefore: at(-1, walk),
      sketch: like?.cosine ?? 0,
      components: like?.overlap ?? 0,
      size: Math.log(1 + counts.size),
      question: /\?["'”’)\s]*$/.test(turn.text) ? 1 : 0,
      answering: asked,
      time: question.answer === 'time' && saysWhen(turn) ? 1 : 0,
      number: question.answer === 'number' && NUMBERS.test(turn.text) ? 1 : 0,
      name: question.answer === 'name' && saysName(turn, named) ? 1 : 0,
      quote: question.answer === 'name' && /["“«]\p{Lu}/u.test(turn.text) ? 1 : 0,
      date: Math.max(0, ...question.dates.map((date) => dateMatch(date, turn))),
    };
  });
}

/** The speakers that a question names, and its other terms. */
export function splitTerms(
  question: Question,
  candidates: readonly Candidate[],
): { readonly named: ReadonlySet<string>; readonly wanted: readonly string[] } {
  const speakers = new Set(candidates.flatMap(({ turn }) => turn.speaker ?? []));
  const asked = new Set(question.terms);
  const named = new Set([...speakers].filter((speaker) => speakerTerms(speaker).some((term) => asked.has(term))));
  const names = new Set([...named].flatMap(speakerTerms));
  const wanted = question.terms.filter((term) => !names.has(term));
  // A question of nothing but a name asks for the name.
  return { named, wanted: wanted.length === 0 ? question.terms : wanted };
}

function sectionOf({ source, section }: TurnView): string {
  return `${source}\0${section}`;
}

/** How much of the question the candidates of each section hold together, with diminishing returns per term. */
function sectionCover(
  candidates: readonly Candidate[],
  rarity: ReadonlyMap<string, number>,
  total: number,
): Map<string, number> {
  const sums = new Map<string, Map<string, number>>();
  for (const { turn, counts } of candidates) {
    const key = sectionOf(turn);
    let own = sums.get(key);
    if (own === undefined) sums.set(key, (own = new Map()));
    for (const term of rarity.keys()) {
      const count = counts.get(term);
      if (count !== undefined) own.set(term, (own.get(term) ?? 0) + count);
    }
  }
  const cover = new Map<string, number>();
  for (const [key, own] of sums) {
    let sum = 0;
    for (const [term, count] of own) sum += (rarity.get(term)! * count) / (count + 1);
    cover.set(key, sum / total);
  }
  return cover;
}

const NUMBERS =
  /\b\d+\b|\b(?:two|three|four|five|six|seven|eight|nine|ten|once|twice|first|second|third|dozen|couple)\b/i;

function mentions({ counts }: Candidate, speaker: string): boolean {
  return speakerTerms(speaker).some((term) => counts.has(term));
}

function saysWhen({ text }: TurnView): boolean {
  return timeWords(text).length > 0 || findDates(text).length > 0;
}

/** A capitalised word inside a sentence that is none of the speakers that were asked about. */
function saysName({ text }: TurnView, named: ReadonlySet<string>): boolean {
  for (const [word] of text.matchAll(/(?<=[\p{Ll},] )\p{Lu}\p{Ll}+/gu)) if (!named.has(word)) return true;
  return false;
}

const DAY_MS = 86_400_000;

/** How well a turn fits a date of the question: 1 when it speaks of that time, less when it was only said near it. */
function dateMatch(date: Question['dates'][number], turn: TurnView): number {
  const parts = /^(\d{4}|-)(?:-(\d{2}))?(?:-(\d{2}))?$/.exec(date.iso)!;
  const year =
    parts[1] === '-' ? (turn.at === undefined ? undefined : new Date(turn.at).getUTCFullYear()) : Number(parts[1]);
  if (year === undefined) return 0;
  const month = parts[2] === undefined ? undefined : Number(parts[2]) - 1;
  const from = Date.UTC(year, month ?? 0, parts[3] === undefined ? 1 : Number(parts[3]));
  const to =
    parts[3] !== undefined
      ? from + DAY_MS
      : month !== undefined
        ? Date.UTC(year, month + 1, 1)
        : Date.UTC(year + 1, 0, 1);
  const spoken = findDates(turn.text).filter(({ iso }) => iso.length >= 7 && !iso.startsWith('-'));
  const { at } = turn;
  const meant = at === undefined ? [] : timeWords(turn.text).flatMap((phrase) => resolveRelative(phrase, at) ?? []);
  if ([...spoken, ...meant].some((m) => m.from < to && m.to >= from && m.to - m.from <= 40 * DAY_MS)) return 1;
  if (at === undefined) return 0;
  if (month === undefined) return at >= from && at < to ? 0.3 : 0;
  // What happened is told on the day or later, rarely before.
  const late = at < from ? (from - at) / DAY_MS + 3 : at >= to ? (at - to) / DAY_MS : 0;
  return late <= 0.5 ? 0.8 : late <= 10 ? 0.5 : late <= 30 ? 0.2 : 0;
}
