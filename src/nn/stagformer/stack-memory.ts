// The block of memory that the stacks of one decoder share: where tokens, the rows that stacks hand on, and logits lie.
import type { LmConfig } from '../lm-config.ts';
import { lmInputs } from '../lm-inputs.ts';

/** Consecutive rows of 4-byte numbers. */
export interface Region {
  readonly offset: number;
  readonly width: number;
  readonly type: 'f32' | 'i32';
}

export interface StackMemory {
  readonly block: SharedArrayBuffer;
  /** 0, 1, 2, … one per position. */
  readonly positions: Region;
  readonly ids: Region;
  /** Host-computed inputs, by name. */
  readonly inputs: ReadonlyMap<string, Region>;
  /** What each stack makes of a position; before position 0 lies a row of zeros. */
  readonly rows: readonly Region[];
  /** What each stack gives to a learned combination. */
  readonly closed: readonly Region[];
  readonly logits: Region;
}

/** Lays out and fills in what never changes. */
export function createStackMemory(c: LmConfig, stacks: number, outWidth: number): StackMemory {
  const context = c.max_position_embeddings;
  let size = 0;
  const region = (width: number, rows: number, type: Region['type'] = 'f32'): Region => {
    const offset = size;
    size += Math.ceil((4 * width * rows) / 64) * 64; // no cache line is written by two threads
    return { offset, width, type };
  };
  const positions = region(1, context, 'i32');
  const ids = region(1, context, 'i32');
  const inputs = new Map(
    lmInputs(c).map(({ name, dtype, trailing }) => [
      name,
      region(
        trailing.reduce((n, d) => n * d, 1),
        context,
        dtype,
      ),
    ]),
  );
  const rows = Array.from({ length: stacks }, () => region(c.hidden_size, context + 1));
  const closed = c.stag_combine === true ? Array.from({ length: stacks }, () => region(outWidth, context)) : [];
  const logits = region(c.vocab_size, 1);
  const block = new SharedArrayBuffer(size);
  const count = new Int32Array(block, positions.offset, context);
  for (let i = 0; i < context; i++) count[i] = i;
  return { block, positions, ids, inputs, rows, closed, logits };
}

/** Writes rows of a region from a position on. */
export function writeRows(memory: StackMemory, region: Region, position: number, values: ArrayLike<number>): void {
  const at = region.offset + 4 * region.width * position;
  if (region.type === 'f32') new Float32Array(memory.block, at, values.length).set(values);
  else new Int32Array(memory.block, at, values.length).set(values);
}
