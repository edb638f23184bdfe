// Fits the weights of the ranking: for each question a softmax over its candidates, the mean log-probability of the evidence
// raised by Adam with a quadratic penalty. Deterministic: no sampling, fixed steps.
import { type FeatureName, featureNames, type RankWeights } from 'cairn/memory';

/** One question: features of its candidates row by row, and which of them are evidence. */
export interface FitQuestion {
  readonly features: Float64Array; // [candidates, features]
  readonly count: number;
  readonly gold: ReadonlySet<number>;
}

/** Features that may speak against a turn; all others are evidence, and more of it never lowers a score. */
const signed: ReadonlySet<FeatureName> = new Set(['question']);

export interface FitOptions {
  /** Features that stay out, at weight 0. */
  readonly without?: ReadonlySet<FeatureName>;
  readonly penalty?: number;
  readonly steps?: number;
}

export function fitWeights(questions: readonly FitQuestion[], options: FitOptions = {}): RankWeights {
  const { without = new Set(), penalty = 0.03, steps = 200 } = options;
  const k = featureNames.length;
  const size = deviations(questions, k);
  const weights = new Float64Array(k);
  const first = new Float64Array(k);
  const second = new Float64Array(k);
  const usable = questions.filter(({ gold }) => gold.size > 0);
  for (let step = 1; step <= steps; step++) {
    const gradient = new Float64Array(k);
    for (const question of usable) addGradient(question, weights, gradient);
    const rate = 0.05 * Math.min(1, (2 * (steps - step + 1)) / steps);
    for (let f = 0; f < k; f++) {
      if (without.has(featureNames[f]!)) continue;
      // In units of each feature's own size, so that one rate and one penalty serve all.
      const g = gradient[f]! / usable.length / size[f]! + penalty * weights[f]! * size[f]!;
      first[f] = 0.9 * first[f]! + 0.1 * g;
      second[f] = 0.99 * second[f]! + 0.01 * g * g;
      const move = first[f]! / (1 - 0.9 ** step) / (Math.sqrt(second[f]! / (1 - 0.99 ** step)) + 1e-8);
      const next = weights[f]! - (rate * move) / size[f]!;
      weights[f] = signed.has(featureNames[f]!) ? next : Math.max(0, next);
    }
  }
  return Object.fromEntries(featureNames.map((name, f) => [name, weights[f]!])) as RankWeights;
}

/** Scores of all candidates. */
export function scoresOf({ features, count }: FitQuestion, weights: ArrayLike<number>): Float64Array {
  const k = weights.length;
  const scores = new Float64Array(count);
  for (let i = 0; i < count; i++) {
    let sum = 0;
    for (let f = 0; f < k; f++) sum += weights[f]! * features[i * k + f]!;
    scores[i] = sum;
  }
  return scores;
}

export function toArray(weights: RankWeights): Float64Array {
  return Float64Array.from(featureNames, (name) => weights[name]);
}

function addGradient(question: FitQuestion, weights: Float64Array, gradient: Float64Array): void {
  const k = weights.length;
  const { features, count, gold } = question;
  const p = scoresOf(question, weights);
  const top = p.reduce((a, b) => Math.max(a, b), -Infinity);
  let sum = 0;
  for (let i = 0; i < count; i++) sum += p[i] = Math.exp(p[i]! - top);
  for (let i = 0; i < count; i++) {
    const d = p[i]! / sum - (gold.has(i) ? 1 / gold.size : 0);
    for (let f = 0; f < k; f++) gradient[f]! += d * features[i * k + f]!;
  }
}

/** Root mean square of each feature. */
function deviations(questions: readonly FitQuestion[], k: number): Float64Array {
  const sums = new Float64Array(k);
  let rows = 0;
  for (const { features, count } of questions) {
    rows += count;
    for (let i = 0; i < features.length; i++) sums[i % k]! += features[i]! ** 2;
  }
  return sums.map((sum) => Math.sqrt(sum / Math.max(1, rows)) || 1);
}
