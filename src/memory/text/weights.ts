// The weights of the ranking. They were fitted once, by a softmax over all turns of a conversation, on the questions of two
// conversations of LoCoMo (conv-26 and conv-42) and on nothing else; `cairn bench locomo` fits them again and reports on
// the conversations that they were not fitted on.
import type { FeatureName } from './features.ts';

export type RankWeights = Readonly<Record<FeatureName, number>>;

export const rankWeights: RankWeights = {
  bm25: 0,
  relative: 3.01,
  cover: 0,
  before: 0,
  after: 0,
  before2: 1.88,
  after2: 0.98,
  reply: 2.49,
  window: 3.18,
  section: 3.53,
  speaker: 1.07,
  addressed: 0.23,
  walk: 0,
  walkBefore: 0.36,
  sketch: 0,
  components: 0.26,
  size: 0.21,
  question: -0.46,
  answering: 0.5,
  time: 2.61,
  number: 1.22,
  name: 1.02,
  quote: 1.56,
  date: 6.19,
};
