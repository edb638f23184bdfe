// Texts in memory: readers, and the memory that finds turns by a question in plain words.
export {
  type RememberedText,
  type RememberTextOptions,
  type TextDocument,
  type TextHit,
  TextMemory,
  type TextMemoryOptions,
} from './text-memory.ts';
export { type TextErasure, type TextExplanation } from './erasure.ts';
export { type FeatureName, featureNames, type Features, type Lever, levers } from './features.ts';
export { formatOf, readText } from './reader.ts';
export { isPdf, pdfText } from './pdf.ts';
export { type Ranking, scoreOf, type TextReasons, type TextRecallOptions } from './text-recall.ts';
export { type RankWeights, rankWeights } from './weights.ts';
export { type RankedTurn, selectTurns } from './select.ts';
export { type SourceState } from './sources.ts';
export { type StoredTurn } from './corpus.ts';
export { type TextEmbedder } from './trace.ts';
export { type ByteRange, type Section, type Sentence, textFormats, type TextFormat, type Turn } from './tree.ts';
export { terms } from './tokens.ts';
export { ATTRIBUTES, inContext, narrowed, normalised, split, textVector } from './attributes.ts';
export { parseDate } from './dates.ts';
export { namesIn } from './names.ts';
