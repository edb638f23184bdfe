// Recursive sketches: one constant-size vector per event, from which its parts come back with a stated error.
export { amplitudes, type Amplitudes } from './amplitudes.ts';
export { type Encoded, type EncodeOptions, Sketcher, sketcherOf, type SketcherOptions } from './sketcher.ts';
export { Structure } from './structure.ts';
export { structureOf, type StructureOptions } from './trace.ts';
export {
  type Obj,
  type OneHotGroup,
  type SketchDim,
  type SketchSpec,
  type StructureEdge,
  type StructureObject,
} from './types.ts';
export { encode, objectSketch } from './encode.ts';
export {
  bitsOf,
  dequantise,
  eraseRandom,
  fromBytes,
  keptCoordinates,
  quantise,
  type QuantiseOptions,
  specHash,
  storedBytes,
  type StoredSketch,
  toBytes,
  truncate,
} from './stored.ts';
export { type Readable } from './observe.ts';
export { type Solution } from './solution.ts';
export {
  decode,
  type Decoded,
  type DecodedGroup,
  type PlainDecoded,
  unroll,
  type Unrolled,
  type UnrolledObject,
  type UnrollOptions,
} from './unroll.ts';
export {
  expectedError,
  expectedGroups,
  type ExpectedGroups,
  type ExpectGroupsOptions,
  type ExpectOptions,
} from './expected.ts';
export { add, DEFAULT_STEP, emptySum, exportSum, type IntegerSketch, meanOf, subtract, toInteger } from './integer.ts';
export { similarity, type SimilarityOptions } from './similarity.ts';
export { type ModuleStats, plainCoefficient, plainStats, type PlainStatsOptions, stats } from './statistics.ts';
export { ByteReader, ByteWriter } from './_bytes.ts';
export { identify, type Identified } from './identify.ts';
export { discover, type Discovered, type Discovery, type DiscoverOptions } from './discover.ts';
export {
  blockColumn,
  type BlockFamily,
  learnDictionary,
  type LearnedColumn,
  type LearnedMatrix,
  type LearnOptions,
} from './block-dictionary.ts';
export {
  learnRecursive,
  type LearnedParent,
  type ParentMap,
  parentMap,
  type RecursiveDictionary,
  seenThrough,
} from './recursive-dictionary.ts';
export { type MatchedObjects, type SubmoduleSimilarity, submoduleSimilarity } from './submodule-similarity.ts';
