// Features of prompts.
export { HashedCounts, LONG_TEXT, type HashKind } from './hashed-counts.ts';
export { FEW_PROMPTS, fitLsa, LsaEncoder, type LsaOptions, type LsaParts } from './lsa.ts';
export { rightSingularVectors, type RightVectors, type SparseRows } from './sparse.ts';
export { Surface, SURFACE_SIZE } from './surface.ts';
export {
  encoderCases,
  RemoteEncoder,
  toPromptEncoder,
  type EncoderCase,
  type FetchEmbeddings,
  type PromptEncoder,
  type RemoteEncoderOptions,
} from './prompt-encoder.ts';
