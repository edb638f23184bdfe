// The plain methods that ours is compared with, on the same terms of the same turns: BM25, BM25 with neighbour turns, TF-IDF
// cosine, and sketches of hashed TF-IDF without and with context. None of them knows speakers, dates or kinds of answers.
import { inContext, narrowed, normalised, terms, textVector } from 'cairn/memory';
import { dequantise, quantise, sketcherOf, type SketchDim } from 'cairn/sketch';
import type { Conversation } from './data.ts';
import { type Answers, TOP } from './score.ts';

export interface Baseline {
  readonly name: string;
  answer(conversation: Conversation, seed: number): Answers;
}

interface Corpus {
  readonly lists: readonly (readonly string[])[];
  readonly counts: readonly ReadonlyMap<string, number>[];
  readonly frequency: ReadonlyMap<string, number>;
  readonly average: number;
  /** Positions of the previous and next turn in the same session. */
  readonly previous: readonly (number | undefined)[];
  readonly next: readonly (number | undefined)[];
}

const indexed = new WeakMap<Conversation, Corpus>();

function corpusOf(conversation: Conversation): Corpus {
  const known = indexed.get(conversation);
  if (known !== undefined) return known;
  const { turns } = conversation;
  const lists = turns.map(({ speaker, text }) => terms(`${speaker}: ${text}`));
  const counts = lists.map(countOf);
  const frequency = new Map<string, number>();
  for (const own of counts) for (const term of own.keys()) frequency.set(term, (frequency.get(term) ?? 0) + 1);
  const beside = (i: number, j: number): number | undefined =>
    turns[j]?.session === turns[i]!.session ? j : undefined;
  const corpus: Corpus = {
    lists,
    counts,
    frequency,
    average: lists.reduce((sum, list) => sum + list.length, 0) / lists.length,
    previous: turns.map((_, i) => beside(i, i - 1)),
    next: turns.map((_, i) => beside(i, i + 1)),
  };
  indexed.set(conversation, corpus);
  return corpus;
}

function countOf(list: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const term of list) counts.set(term, (counts.get(term) ?? 0) + 1);
  return counts;
}

function rarity({ lists, frequency }: Corpus): (term: string) => number {
  return (term) => {
    const n = frequency.get(term) ?? 0;
    return Math.log(1 + (lists.length - n + 0.5) / (n + 0.5));
  };
}

/** BM25, k1 = 1.2, b = 0.75. */
function bm25(corpus: Corpus, question: string): number[] {
  const rare = rarity(corpus);
  const asked = [...new Set(terms(question))];
  return corpus.counts.map((counts, i) => {
    const length = corpus.lists[i]!.length;
    let score = 0;
    for (const term of asked) {
      const n = counts.get(term) ?? 0;
      if (n > 0) score += (rare(term) * n * 2.2) / (n + 1.2 * (0.25 + (0.75 * length) / corpus.average));
    }
    return score;
  });
}

function tfidf(corpus: Corpus, question: string): number[] {
  const rare = rarity(corpus);
  const weigh = (counts: ReadonlyMap<string, number>): Map<string, number> =>
    new Map([...counts].map(([term, n]) => [term, (1 + Math.log(n)) * rare(term)] as const));
  const norm = (vector: ReadonlyMap<string, number>): number =>
    Math.sqrt([...vector.values()].reduce((sum, x) => sum + x * x, 0)) || 1;
  const asked = weigh(countOf(terms(question)));
  return corpus.counts.map((counts) => {
    const own = weigh(counts);
    let sum = 0;
    for (const [term, x] of asked) sum += x * (own.get(term) ?? 0);
    return sum / norm(own) / norm(asked);
  });
}

function withNeighbours({ previous, next }: Corpus, scores: readonly number[]): number[] {
  const at = (j: number | undefined): number => (j === undefined ? 0 : scores[j]!);
  return scores.map((score, i) => score + 0.4 * at(previous[i]) + 0.2 * at(next[i]));
}

function best(scores: ArrayLike<number>): number[] {
  return Array.from(scores, (_, i) => i)
    .sort((a, b) => scores[b]! - scores[a]! || a - b)
    .slice(0, TOP);
}

/** Sketches of 8 bits, compared by cosine. */
function sketches(dim: SketchDim, context: boolean): Baseline {
  return {
    name: `sketch${context ? ' with context' : ''}, d = ${dim}`,
    answer(conversation, seed) {
      const corpus = corpusOf(conversation);
      const rare = rarity(corpus);
      const sketcher = sketcherOf({ dim, seed: `locomo/${seed}`, family: 'hd3', store: 'i8', signatures: false });
      const sketch = (vector: Float32Array): Float64Array => {
        const attributes = narrowed(vector, dim);
        return unit(dequantise(quantise(sketcher.encode({ module: 'text/turn', attributes }, { how: 'recursion' }))));
      };
      const vectors = corpus.lists.map((list) => textVector(list, rare));
      const stored = vectors.map((own, i) => {
        const at = (j: number | undefined): Float64Array | undefined => (j === undefined ? undefined : vectors[j]);
        return sketch(context ? inContext(own, at(corpus.previous[i]), at(corpus.next[i])) : normalised(own));
      });
      return conversation.questions.map(({ text }) => {
        const asked = sketch(normalised(textVector(terms(text), rare)));
        return best(stored.map((own) => dot(own, asked)));
      });
    },
  };
}

function unit(values: ArrayLike<number>): Float64Array {
  const norm = Math.sqrt(dot(values, values)) || 1;
  return Float64Array.from(values, (x) => x / norm);
}

function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

const ranked = (name: string, score: (corpus: Corpus, question: string) => number[]): Baseline => ({
  name,
  answer: (conversation) => conversation.questions.map(({ text }) => best(score(corpusOf(conversation), text))),
});

export const baselines: readonly Baseline[] = [
  ranked('BM25', bm25),
  ranked('BM25 + neighbours', (corpus, question) => withNeighbours(corpus, bm25(corpus, question))),
  ranked('TF-IDF cosine', tfidf),
  sketches(512, false),
  sketches(2048, false),
  sketches(2048, true),
];

/** The largest recall that any ranking could reach which sees only turns that share a word with the question. */
export function wordBound(conversation: Conversation, reach: 0 | 1): Answers {
  const corpus = corpusOf(conversation);
  return conversation.questions.map(({ text, gold }) => {
    const asked = new Set(terms(text));
    const speakers = new Set(conversation.turns.flatMap(({ speaker }) => terms(speaker)));
    const shares = (i: number | undefined): boolean =>
      i !== undefined && [...corpus.counts[i]!.keys()].some((term) => asked.has(term) && !speakers.has(term));
    return gold
      .filter((i) => shares(i) || (reach === 1 && (shares(corpus.previous[i]) || shares(corpus.next[i]))))
      .slice(0, TOP);
  });
}
