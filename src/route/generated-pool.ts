// An evaluation table made up from a seed, for tests, demonstrations and experiments without data: topics with words of their own,
// models with a random skill per topic, errors by chance, prices that rise with mean skill. The truth is known.
import { CairnError } from '../errors.ts';
import { Rng } from '../tensor/index.ts';
import type { ModelInfo, PromptTable } from './tables/prompt-table.ts';

export interface GeneratedPoolOptions {
  readonly seed: number | string;
  readonly prompts: number;
  readonly models: number;
  /** Default 8. */
  readonly topics?: number;
  /**
   * How much of a skill is the topic's, from 0 (every model is equally good at all topics) to 1 (skills are independent and
   * uniform). Default 1.
   */
  readonly variety?: number;
  /** Share of a prompt's words that belong to its topic. Default 0.5. */
  readonly topicality?: number;
}

/** A table with the truth behind it. */
export interface GeneratedPool {
  readonly table: PromptTable;
  /** [n] topic of every prompt. */
  readonly topic: Int32Array;
  /** [topics, M] probability of a right answer. */
  readonly skill: Float64Array;
  readonly topics: number;
}

const SYLLABLES = [
  'ba',
  'co',
  'du',
  'fe',
  'gi',
  'ha',
  'jo',
  'ku',
  'la',
  'me',
  'ni',
  'po',
  'ra',
  'se',
  'ti',
  'vu',
  'wy',
  'zo',
];
const TOPIC_WORDS = 40;
const COMMON_WORDS = 80;

/**
 * @example
 * const { table } = generatePool({ seed: 7, prompts: 400, models: 6 });
 * table.models.length; // 6
 */
export function generatePool(options: GeneratedPoolOptions): GeneratedPool {
  const topics = options.topics ?? 8;
  const { prompts: n, models: M } = options;
  if (!(n >= 1 && M >= 1 && topics >= 1)) {
    throw new CairnError('bad_parameter', `Expected prompts, models and topics, got ${n}, ${M} and ${topics}.`);
  }
  const variety = options.variety ?? 1;
  const rng = new Rng(options.seed).fork('generated-pool');
  const words = wordList(rng.fork('words'), topics * TOPIC_WORDS + COMMON_WORDS);
  const common = words.slice(topics * TOPIC_WORDS);
  const skill = new Float64Array(topics * M);
  const draw = rng.fork('skill');
  for (let m = 0; m < M; m++) {
    const level = draw.uniform();
    for (let t = 0; t < topics; t++) skill[t * M + m] = (1 - variety) * level + variety * draw.uniform();
  }
  const mean = (m: number): number => {
    let sum = 0;
    for (let t = 0; t < topics; t++) sum += skill[t * M + m]!;
    return sum / topics;
  };
  const price = (m: number): number => Number((0.1 * 10 ** (2 * mean(m))).toPrecision(3));
  const models = Array.from({ length: M }, (_, m): ModelInfo => ({
    id: `model-${String.fromCharCode(97 + (m % 26))}${m >= 26 ? Math.floor(m / 26) : ''}`,
    price_in_per_mtok: price(m),
    price_out_per_mtok: price(m),
    mean_cost_usd: price(m),
  }));
  const topic = new Int32Array(n);
  const score = new Float64Array(n * M);
  const write = rng.fork('prompts');
  const mark = rng.fork('scores');
  const prompts = Array.from({ length: n }, (_, j) => {
    const t = write.integer(topics);
    topic[j] = t;
    const length = 8 + write.integer(17);
    const text = Array.from({ length }, () =>
      write.bernoulli(options.topicality ?? 0.5)
        ? words[t * TOPIC_WORDS + write.integer(TOPIC_WORDS)]!
        : common[write.integer(common.length)]!,
    ).join(' ');
    for (let m = 0; m < M; m++) score[j * M + m] = mark.bernoulli(skill[t * M + m]!) ? 1 : 0;
    return { id: `p${j}`, text, task: `topic-${t}` };
  });
  return { table: { prompts, models, score, sha256: {} }, topic, skill, topics };
}

/** Different words of two to four syllables. */
function wordList(rng: Rng, count: number): string[] {
  const found = new Set<string>();
  while (found.size < count) {
    const length = 2 + rng.integer(3);
    found.add(Array.from({ length }, () => SYLLABLES[rng.integer(SYLLABLES.length)]!).join(''));
  }
  return [...found];
}
