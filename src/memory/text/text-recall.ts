// Recall by a question in plain words: candidates by words, by the sketch and by a walk over shared terms, then one weighted
// sum of features, then a selection that covers the question. No model is asked; the same question gives the same answer.
import type { Memory } from '../memory.ts';
import type { StoredCandidate, StoredTurn, TextCorpus } from './corpus.ts';
import {
  candidateOf,
  type Expansion,
  type FeatureName,
  featureNames,
  type Features,
  featuresOf,
  type Lever,
  levers,
  type Resemblance,
  splitTerms,
  type TermStatistics,
} from './features.ts';
import type { IdfTable } from './idf.ts';
import { parseQuestion, type Question } from './question.ts';

import { type RankedTurn, selectTurns } from './select.ts';
import { termOf, words } from './tokens.ts';
import { type TextEmbedder, traceOfQuestion } from './trace.ts';
import { expansionOf, type Seed, WALK, walkTerms } from './walk.ts';
import { rankWeights, type RankWeights } from './weights.ts';

export interface TextRecallOptions {
  /** Only turns said, or else recorded, in this interval. */
  readonly between?: readonly [number, number] | undefined;
  /** Only turns of sources whose name contains this. */
  readonly source?: string | undefined;
  /** What the store knew then: turns retracted later count, turns recorded later do not. */
  readonly asOf?: number | undefined;
  readonly weights?: RankWeights | undefined;
  /** Levers to do without. */
  readonly without?: readonly Lever[] | undefined;
}

/** Why a turn was found: what each lever adds to the score, best first, and the words it shares with the question. */
export interface TextReasons {
  readonly parts: readonly { readonly lever: Lever; readonly adds: number }[];
  readonly words: readonly string[];
}

/** Everything that was weighed for one question. */
export interface Ranking {
  readonly question: Question;
  /** Best first. */
  readonly ranked: readonly RankedTurn[];
  readonly statistics: TermStatistics;
  readonly expansion: Expansion;
}

const BY_WORDS = 256;
const BY_SKETCH = 48;
const BY_WALK = 64;

interface Tools {
  readonly memory: Memory;
  readonly corpus: TextCorpus;
  readonly idf: () => Promise<IdfTable | undefined>;
  readonly embedder: TextEmbedder | undefined;
}

export class TextRecall {
  readonly #tools: Tools;

  constructor(tools: Tools) {
    this.#tools = tools;
  }

  /** All candidates of a question, ranked. */
  async rank(text: string, options: TextRecallOptions = {}): Promise<Ranking> {
    const { corpus } = this.#tools;
    const without = new Set(options.without ?? []);
    const question = parseQuestion(text);
    const resemblance = without.has('sketch') ? new Map<number, Resemblance>() : await this.#resembling(text);
    const lexical = await corpus.lexical(question.terms, BY_WORDS);
    const statistics = {
      documents: lexical.documents,
      words: lexical.words,
      frequency: new Map(lexical.frequency),
    };
    const inside = (found: readonly StoredCandidate[]): StoredCandidate[] =>
      found.filter(({ turn }) => isInside(turn, options));
    let candidates = inside(await corpus.candidates([...new Set([...lexical.refs, ...resemblance.keys()])]));
    let expansion: Expansion = new Map();
    if (!without.has('walk')) {
      const walked = await this.#walk(question, candidates, statistics, resemblance);
      expansion = walked.expansion;
      const known = new Set(candidates.map(({ turn }) => turn.ref));
      const more = await corpus.candidates([...new Set([...lexical.refs, ...resemblance.keys(), ...walked.refs])]);
      candidates = [...candidates, ...inside(more.filter(({ turn }) => !known.has(turn.ref)))];
    }
    candidates.sort((a, b) => (a.turn.id < b.turn.id ? -1 : 1));
    const weights = effective(options.weights ?? rankWeights, without);
    const features = featuresOf(question, candidates, statistics, resemblance, expansion);
    const ranked = candidates.map(({ turn }, i) => ({
      turn: turn as StoredTurn,
      features: features[i]!,
      score: scoreOf(features[i]!, weights),
    }));
    ranked.sort((a, b) => b.score - a.score || (a.turn.id < b.turn.id ? -1 : 1));
    return { question, ranked, statistics, expansion };
  }

  /** The `k` turns that answer best together. */
  async find(
    text: string,
    k: number,
    options: TextRecallOptions = {},
  ): Promise<{ ranking: Ranking; best: RankedTurn[] }> {
    const ranking = await this.rank(text, options);
    return { ranking, best: selectTurns(ranking.ranked, k) };
  }

  /** Turns whose sketch resembles the question's, and those that share its names, titles, dates or identifiers. */
  async #resembling(text: string): Promise<Map<number, Resemblance>> {
    const { memory, embedder } = this.#tools;
    const table = await this.#tools.idf();
    const embedding =
      embedder === undefined ? undefined : { id: embedder.id, vector: (await embedder.embed([text]))[0]! };
    const root = traceOfQuestion(text, table?.rarity ?? (() => 1), memory.spec.dim, embedding);
    const hits = await memory.recall({ root }, BY_SKETCH);
    return new Map(hits.map((hit) => [hit.ordinal, { cosine: hit.centred ?? 0, overlap: hit.overlap }] as const));
  }

  /** Goes over the rare terms of the best candidates; their counts join the statistics. */
  async #walk(
    question: Question,
    candidates: readonly StoredCandidate[],
    statistics: TermStatistics & { readonly frequency: Map<string, number> },
    resemblance: ReadonlyMap<number, Resemblance>,
  ): Promise<{ readonly expansion: Expansion; readonly refs: readonly number[] }> {
    const { corpus } = this.#tools;
    const first = featuresOf(question, candidates, statistics, resemblance, new Map());
    const seeds = candidates
      .map((candidate, i): Seed => {
        const f = first[i]!;
        return { candidate, score: f.bm25 + 0.4 * f.before + 0.2 * f.after + 0.3 * f.speaker };
      })
      .filter(({ score }) => score > 0)
      .sort((a, b) => b.score - a.score)
      .slice(0, WALK.seeds);
    const { named } = splitTerms(question, candidates);
    const asked = new Set([...question.terms, ...namesOf(candidates), ...named]);
    const list = walkTerms(seeds, asked);
    const counts = await corpus.lexical(list, 0);
    for (const [term, n] of counts.frequency) statistics.frequency.set(term, n);
    const expansion = expansionOf(seeds, new Set(list), statistics);
    if (expansion.size === 0) return { expansion, refs: [] };
    const found = await corpus.lexical([...expansion.keys()], BY_WALK, [...expansion.values()]);
    return { expansion, refs: found.refs };
  }
}

/** What each lever added to a score. */
export function reasonsOf(ranked: RankedTurn, ranking: Ranking, weights: RankWeights = rankWeights): TextReasons {
  const parts = (Object.keys(levers) as Lever[])
    .map((lever) => ({
      lever,
      adds: levers[lever].reduce((sum, name) => sum + weights[name] * ranked.features[name], 0),
    }))
    .filter(({ adds }) => Math.abs(adds) >= 0.005)
    .sort((a, b) => b.adds - a.adds);
  return { parts, words: sharedWords(ranked, ranking) };
}

/** Words of the question, as they stand in it, whose terms the turn has. */
function sharedWords({ turn }: RankedTurn, { question }: Ranking): string[] {
  const own = candidateOf(turn).counts;
  const shared = words(question.text).filter(({ word }) => {
    const term = termOf(word);
    return term !== undefined && own.has(term);
  });
  return [...new Set(shared.map(({ word }) => word))];
}

export function scoreOf(features: Features, weights: RankWeights): number {
  let sum = 0;
  for (const name of featureNames) sum += weights[name] * features[name];
  return sum;
}

function effective(weights: RankWeights, without: ReadonlySet<Lever>): RankWeights {
  if (without.size === 0) return weights;
  const off = new Set<FeatureName>([...without].flatMap((lever) => [...levers[lever]]));
  return Object.fromEntries(featureNames.map((name) => [name, off.has(name) ? 0 : weights[name]])) as RankWeights;
}

function namesOf(candidates: readonly StoredCandidate[]): string[] {
  const speakers = new Set(candidates.flatMap(({ turn }) => turn.speaker ?? []));
  return [...speakers].flatMap((speaker) => parseQuestion(speaker).terms);
}

function isInside(turn: StoredTurn, { between, source, asOf }: TextRecallOptions): boolean {
  if (source !== undefined && !turn.source.includes(source)) return false;
  if (asOf !== undefined && turn.recordedAt > asOf) return false;
  if (turn.retractedAt !== undefined && !(asOf !== undefined && turn.retractedAt > asOf)) return false;
  const at = turn.at ?? turn.recordedAt;
  return between === undefined || (at >= between[0] && at <= between[1]);
}
