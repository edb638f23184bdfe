// Public names of the mind.
export { Mind, type Explanation, type MindOptions } from './mind.ts';
export { Engine, type Checker, type EngineOptions, type Routing } from './engine.ts';
export { calibrateModules, type CalibrateOptions, type Calibration, type Judge } from './calibrate.ts';
export {
  decodeReceipt,
  encodeReceipt,
  forEachCall,
  receiptOf,
  receiptUsage,
  type Receipt,
  type ReceiptCall,
} from './receipt.ts';
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
export * from './growth/index.ts';
export * from './boards/index.ts';
export * from './speech/index.ts';
export { hasNotes, notesFile, type NotesOptions, openNotes } from './notes.ts';
export { type MapComponent, type MapEvent, type MapOptions, type MemoryMap, memoryMap } from './memory-map.ts';
