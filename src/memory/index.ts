// The memory: remembers events as sketches, finds them by the whole and by components, and forgets them with a certificate.
export {
  type EventId,
  Memory,
  type MemoryOptions,
  type MemoryStats,
  type QuarantinedEvent,
  type Remembered,
} from './memory.ts';
export { type EventRecord } from './_intake.ts';
export { type NamedLink } from './_event-links.ts';
export { type Cue, type Target, type Words } from './_cue.ts';
export { type DecodedComponent, type Hit, type Recency, type ScoreParts, type ScoreWeights } from './_hit.ts';
export { type Bucket, type BucketMember, type BucketOptions, type ConceptNode, type ConceptSink } from './_buckets.ts';
export { type FitOptions, type Fitted } from './_tiers.ts';
export { type Novelty } from './_unseen.ts';
export { type RecallOptions } from './_recall.ts';
export { type ComponentCue, type SharedComponent } from './_slots.ts';
export { type ErasedObject, type Erasure, type ForgetHow, type Readability } from './_erasure.ts';
export { type Json, type Meta, type Provenance } from './_record.ts';
export { type StoredEvent } from './_stored-event.ts';
export { type Component, ComponentKeys, type ComponentOptions, KEY_STEP, keysOf } from './components.ts';
export {
  type Change,
  type CorruptRow,
  type Degree,
  type Entity,
  type FullRecord,
  type Id,
  idFromText,
  idToText,
  isCorrupt,
  type NewEvent,
  type OwnedLinks,
  type Row,
  type Sharing,
  type SharingOptions,
  type SourceInfo,
  type SourceName,
  type SourceSlice,
  type Store,
  type StoredRow,
  type StoredSketchRow,
  type StoreStats,
  type Times,
  type Tombstone,
  type Written,
} from './store.ts';
export { type Copied, type CopyOptions, type CopyProgress, copyStore } from './copy.ts';
export { openStore, type OpenStoreOptions, placeText } from './open-store.ts';
export {
  PartitionedStore,
  type PartitionedStoreOptions,
  type RebalanceProgress,
  type ServerOptions,
} from './partitioned/partitioned-store.ts';
export { PostgresStore, type PostgresStoreOptions } from './postgres/postgres-store.ts';
export { type Sql } from './postgres/_link.ts';
export {
  fromText as fromPostgresText,
  numbers as numberArray,
  texts as textArray,
  toText as toPostgresText,
} from './postgres/_literals.ts';
export { Server as PostgresServer } from './postgres/_server.ts';
export { isPostgresUrl, parseTarget as parsePostgresUrl } from './postgres/_target.ts';
export {
  type Graph,
  type GraphOptions,
  graphOf,
  indexOfNode,
  loadGraph,
  pageRank,
  type PageRankOptions,
} from './graph.ts';
export {
  forwardPush,
  graphNeighbourhood,
  type Neighbourhood,
  type Step,
  storeNeighbourhood,
  type Walk,
  type WalkOptions,
} from './walk.ts';
export { type Edge, type EdgeKind, edgeKinds, EDGE_UNIT, type Link } from './links.ts';
export { type Lexical, type LexicalOptions, type TermList } from './_terms.ts';
export { digestStore, type KindDigest, type StoreDigest } from './digest.ts';
export { SqliteStore, type SqliteStoreOptions } from './sqlite-store.ts';
export type { Near } from './_nearest-list.ts';
export { type CentredQuery, LshIndex, type LshOptions } from './lsh.ts';
export { candidateRate, probeKeys } from './probes.ts';
export { cosineOfHamming, hamming, SIGNATURE_BITS, type Signed, Signer } from './signature.ts';
export { decodePostings, encodePostings } from './postings.ts';
export { InMemoryStore } from './in-memory-store.ts';
export { conformance, type ConformanceCase, type StoreFactory, syntheticEvent } from './conformance.ts';
export * from './concepts/index.ts';
export * from './text/index.ts';
