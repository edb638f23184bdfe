// The weights of the ranking. They were fitted once, by a softmax over all turns of a conversation, on the questions of two
// conversations of LoCoMo (conv-26 and conv-42) and on nothing else; `cairn bench locomo` fits them again and reports on
// the conversations that they were not fitted on.
import type { FeatureName } from './features.ts';

export type RankWeights = Readonly<Record<FeatureName, number>>;

export const rankWeights: RankWeights = {
  bm25: -3.91,
  relative: 4.07,
  cover: 1.57,
  before: -1.7,
  after: -0.45,
  before2: 1.79,
  after2: 0.96,
  reply: 3.38,
  window: 3.5,
  section: 4.28,
  speaker: 1.34,
  addressed: 0.41,
  walk: 0.04,
  walkBefore: 0.63,
  sketch: 0,
  components: 0,
  size: 0.3,
  question: -0.32,
  answering: 0.48,
  time: 2.57,
  number: 1.21,
  name: 1.05,
  quote: 1.29,
  date: 6.52,
};
