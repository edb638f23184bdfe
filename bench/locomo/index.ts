// `cairn bench locomo`: retrieval of evidence on LoCoMo, without any language or embedding model. Ours is the product's own
// path (remember, then recall); the plain methods stand beside it on the same terms. The weights of the ranking were fitted
// on two conversations; figures are given for the other ones and for all, with a bootstrap over questions.
import { featureNames, levers, type Lever, rankWeights, type RankWeights, TextMemory } from 'cairn/memory';
import type { BenchOptions, BenchReport, BenchRow } from '../report.ts';
import { baselines, wordBound } from './baselines.ts';
import { type Conversation, findLocomo, readLocomo, toChat } from './data.ts';
import { type FitQuestion, fitWeights, scoresOf, toArray } from './fit.ts';
import { type Answers, interval, mean, type Outcome, outcomes, percent, TOP } from './score.ts';

/** The conversations that every setting was chosen on. */
const FITTED_ON: readonly string[] = ['conv-26', 'conv-42'];
const CATEGORIES: readonly (readonly [number, string])[] = [
  [0, 'all'],
  [1, 'multi-hop'],
  [2, 'temporal'],
  [3, 'open-domain'],
  [4, 'single-hop'],
  [5, 'adversarial'],
];

/** One question with the features of its candidates, best first by the shipped weights. */
interface Weighed extends FitQuestion {
  readonly turns: readonly number[];
}

export async function run(options: BenchOptions): Promise<BenchReport> {
  const { quick = false, seed = 7, log, signal } = options;
  const path = findLocomo(options.data ?? process.env['CAIRN_BENCH_DATA']);
  if (path === undefined) {
    log('LoCoMo: skipped, no locomo*.json; give its folder with --data (the data are not part of this package)');
    return { name: 'locomo', protocol: { skipped: 'no data: give the folder of locomo*.json with --data' }, rows: [] };
  }
  const all = readLocomo(path);
  const conversations = quick ? all.filter(({ id }) => FITTED_ON.includes(id)).slice(0, 1) : all;
  const answers = new Map<string, Map<string, Answers>>();
  const put = (method: string, conversation: Conversation, found: Answers): void => {
    if (!answers.has(method)) answers.set(method, new Map());
    answers.get(method)!.set(conversation.id, found);
  };
  const weighed = new Map<string, readonly Weighed[]>();
  let milliseconds = 0;
  for (const conversation of conversations) {
    signal.throwIfAborted();
    for (const baseline of baselines) put(baseline.name, conversation, baseline.answer(conversation, seed));
    put('bound: shares a word', conversation, wordBound(conversation, 0));
    put('bound: it or a neighbour shares a word', conversation, wordBound(conversation, 1));
    const ours = await answerOurs(conversation, seed, signal);
    put('ours', conversation, ours.answers);
    weighed.set(conversation.id, ours.weighed);
    milliseconds += ours.milliseconds;
    log(`${conversation.id}: ${conversation.turns.length} turns, ${conversation.questions.length} questions`);
  }
  const fitted = FITTED_ON.flatMap((id) => weighed.get(id) ?? []);
  const fresh = fitWeights(fitted);
  const reproduced = quick ? null : largestDifference(fresh, rankWeights);
  if (!quick) {
    for (const lever of Object.keys(levers) as Lever[]) {
      signal.throwIfAborted();
      const weights = fitWeights(fitted, { without: new Set(levers[lever]) });
      for (const c of conversations) put(`ours without ${lever}`, c, rerank(weighed.get(c.id)!, weights));
    }
  }
  const sets: readonly (readonly [string, readonly Conversation[]])[] = quick
    ? [['one conversation', conversations]]
    : [
        ['reported', conversations.filter(({ id }) => !FITTED_ON.includes(id))],
        ['all', conversations],
      ];
  const rows: BenchRow[] = [];
  for (const [set, members] of sets) {
    const of = (method: string): Outcome[] =>
      members.flatMap((conversation) => outcomes(conversation, answers.get(method)!.get(conversation.id)!));
    const own = of('ours');
    for (const [category, title] of CATEGORIES) {
      for (const method of answers.keys()) {
        if (method !== 'ours') rows.push(rowOf(`${set}: ${title}`, method, category, own, of(method), seed));
      }
    }
    for (const method of answers.keys()) log(`${set}: ${summary(method, of(method), seed)}`);
  }
  const questions = conversations.reduce((sum, { questions: asked }) => sum + asked.length, 0);
  return {
    name: 'locomo',
    protocol: {
      measure: `turn recall@${TOP}, mean over questions of the share of evidence turns among the ten best, in per cent`,
      'settings chosen on': FITTED_ON.join(', '),
      reported: sets.map(([set, members]) => `${set}: ${members.map(({ id }) => id).join(', ')}`).join('; '),
      questions,
      'evidence ids that name no turn': conversations.reduce((sum, { dropped }) => sum + dropped.ids, 0),
      'questions without evidence': conversations.reduce((sum, { dropped }) => sum + dropped.questions, 0),
      'largest difference of refitted weights': reproduced === null ? 'not fitted' : reproduced.toFixed(3),
      'milliseconds per question': (milliseconds / questions).toFixed(1),
      weights: featureNames.map((name) => `${name} ${rankWeights[name]}`).join(', '),
      seed,
    },
    rows,
  };
}

/** The product's path: one memory per conversation, filled with the chat as a file, asked in plain words. */
async function answerOurs(
  conversation: Conversation,
  seed: number,
  signal: AbortSignal,
): Promise<{ answers: Answers; weighed: Weighed[]; milliseconds: number }> {
  const memory = await TextMemory.open({ path: ':memory:', seed: `locomo/${seed}` });
  try {
    const bytes = new TextEncoder().encode(toChat(conversation));
    await memory.remember({ uri: conversation.id, bytes, format: 'chat', at: 0 }, { signal });
    const answers: number[][] = [];
    const weighed: Weighed[] = [];
    let milliseconds = 0;
    for (const { text, gold } of conversation.questions) {
      signal.throwIfAborted();
      const start = performance.now();
      const hits = await memory.recall(text, TOP);
      milliseconds += performance.now() - start;
      answers.push(hits.map(({ line }) => line - 1));
      const { ranked } = await memory.rank(text);
      const features = new Float64Array(ranked.length * featureNames.length);
      ranked.forEach((turn, i) =>
        featureNames.forEach((name, f) => {
          features[i * featureNames.length + f] = turn.features[name];
        }),
      );
      const turns = ranked.map(({ turn }) => turn.line - 1);
      const places = new Set(gold.map((turn) => turns.indexOf(turn)).filter((place) => place >= 0));
      weighed.push({ features, count: ranked.length, gold: places, turns });
    }
    return { answers, weighed, milliseconds };
  } finally {
    await memory.close();
  }
}

function rerank(questions: readonly Weighed[], weights: RankWeights): Answers {
  const list = toArray(weights);
  return questions.map((question) => {
    const scores = scoresOf(question, list);
    const order = question.turns.map((_, i) => i).sort((a, b) => scores[b]! - scores[a]! || a - b);
    return order.slice(0, TOP).map((i) => question.turns[i]!);
  });
}

function rowOf(
  name: string,
  method: string,
  category: number,
  ours: readonly Outcome[],
  peer: readonly Outcome[],
  seed: number,
): BenchRow {
  const chosen = ours.flatMap((o, i) => (category === 0 || o.category === category ? [i] : []));
  const own = chosen.map((i) => ours[i]!.recall);
  const other = chosen.map((i) => peer[i]!.recall);
  const [low, high] = interval(
    own.map((x, i) => x - other[i]!),
    seed,
  );
  const a = 100 * mean(own);
  const b = 100 * mean(other);
  return {
    case: name,
    ours: a,
    peer: b,
    peerName: method,
    ratio: b === 0 ? null : a / b,
    unit: '% R@10',
    note: `${chosen.length} questions; ours ${percent(own, seed)}; ours minus peer [${(100 * low).toFixed(1)}, ${(100 * high).toFixed(1)}]`,
  };
}

/** One line per method: recall overall with its interval, by category, any hit, sessions. */
function summary(method: string, found: readonly Outcome[], seed: number): string {
  const of = (category: number): number =>
    100 * mean(found.filter((o) => o.category === category).map(({ recall }) => recall));
  const recall = percent(
    found.map((o) => o.recall),
    seed,
  );
  const categories = [1, 2, 3, 4, 5].map((category) => of(category).toFixed(1)).join(' / ');
  const any = (100 * mean(found.map((o) => o.any))).toFixed(1);
  const sessions = (100 * mean(found.map((o) => o.sessions))).toFixed(1);
  return `${method.padEnd(38)} ${recall}  categories 1-5: ${categories}  any hit ${any}  sessions ${sessions}`;
}

function largestDifference(a: RankWeights, b: RankWeights): number {
  return Math.max(...featureNames.map((name) => Math.abs(a[name] - b[name])));
}
