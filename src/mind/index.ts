// Public names of the mind.
export { Mind, receiptOf, forEachCall, type Explanation, type MindOptions } from './mind.ts';
export { Engine, type Checker, type EngineOptions, type Routing } from './engine.ts';
export { calibrateModules, type CalibrateOptions, type Calibration, type Judge } from './calibrate.ts';
export { decodeReceipt, encodeReceipt, receiptUsage, type Receipt, type ReceiptCall } from './receipt.ts';
export type {
  Answer,
  Attempt,
  Budget,
  Call,
  Certificate,
  Cost,
  EventId,
  Json,
  Limits,
  Module,
  NestedLimits,
  Outcome,
  Provenance,
  Reply,
  RouteNote,
  TraceInput,
  TraceNode,
  Usage,
} from './module.ts';
export * from './boards/index.ts';
export { hasNotes, notesFile, type NotesOptions, openNotes } from './notes.ts';
export { type MapComponent, type MapEvent, type MapOptions, type MemoryMap, memoryMap } from './memory-map.ts';
