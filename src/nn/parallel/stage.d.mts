// Types of stage.mjs.
import type * as Ort from 'onnxruntime-node';

/** Rows of the shared block that a program is fed. */
export interface StageFeed {
  readonly name: string;
  readonly type: 'f32' | 'i32';
  /** First byte of row 0. */
  readonly offset: number;
  /** Elements of a row. */
  readonly width: number;
  /** Added to the position: the first row that is read. */
  readonly shift: number;
  /** Those of all positions of the call, of all but the last one, or of the last one. */
  readonly rows: 'all' | 'earlier' | 'last';
  /** -1 stands for the number of rows. */
  readonly shape: readonly number[];
}

/** Where an output goes: to one place, or to the row of the position. f32. */
export interface StageFetch {
  readonly name: string;
  readonly offset: number;
  readonly width: number;
  readonly perPosition: boolean;
  readonly shift: number;
}

/** An output that is kept and fed to the next call. f32. */
export interface StageCarry {
  /** The same in all programs of a stage. */
  readonly name: string;
  readonly output: string;
  /** The output is the new entries along `axis` only: they go behind those that are carried. Default: it is the whole state. */
  readonly fresh?: boolean | undefined;
  /** Absent in a program that starts anew. */
  readonly input?: string | undefined;
  /** Shape of the state before the first call, which is zeros. */
  readonly empty: readonly number[];
  /** Entries along `axis` that are kept: the last ones. Default: all. */
  readonly limit?: number | undefined;
  readonly axis?: number | undefined;
  /** The first position leaves nothing. */
  readonly fromSecond?: boolean | undefined;
}

export interface StageProgram {
  /** An ONNX model with its weights inside. */
  readonly bytes: Uint8Array;
  readonly feeds: readonly StageFeed[];
  readonly fetches: readonly StageFetch[];
  readonly carries: readonly StageCarry[];
}

export interface StageSpec {
  /** By number; a number may be left out. */
  readonly programs: readonly (StageProgram | undefined)[];
  /** Optimisations of the runtime: `disable_specified_optimizers` and the like. */
  readonly optimization?: Readonly<Record<string, string>>;
}

export interface Stage {
  run(which: number, position: number, length: number): Promise<void>;
  bytes(): number;
  dispose(): Promise<void>;
}

export function createStage(ort: typeof Ort, spec: StageSpec, memory: SharedArrayBuffer): Promise<Stage>;
