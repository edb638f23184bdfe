// The encoder over a stream: one compiled program takes a fixed number of feature rows and what earlier pieces left behind. Constant
// memory for audio of any length. Rows are gathered until a piece is full, so the cutting of the input never shows.
import { defineProgram, type Executor, type ModelState, type Program, type ProgramDef } from '../../tensor/index.ts';
import { type AsrConfig, type AsrSize, featureConfig, lookAhead, secondsPerFrame } from './config.ts';
import { encode, programCarry } from './encoder.ts';
import { encoderProjection } from './hat.ts';

/** Feature rows of one piece: 240 ms with three frames of 10 ms in a row. Even, because rows are pooled in pairs. */
export const PIECE_ROWS = 8;

/**
 * The program of one piece. Inputs `features [1, rows, width]`, `valid [1, rows, 1]` and `in:<name>`; outputs `joint:<size>`
 * `[1, frames, joint_size]`, `valid:<size>` and `out:<name>`. Frames of a size with look-ahead come late.
 */
export function streamProgram(config: AsrConfig, sizes: readonly AsrSize[], rows = PIECE_ROWS): ProgramDef {
  return defineProgram((b) => {
    const features = b.input('features', [1, rows, config.audio.mels * config.audio.stack]);
    const valid = b.input('valid', [1, rows, 1]);
    const encoded = encode(b, config, features, valid, sizes, programCarry(b));
    for (const size of sizes) {
      b.output(`joint:${size}`, encoderProjection(b, config, size, encoded[size].x));
      b.output(`valid:${size}`, encoded[size].valid!);
    }
  });
}

/** A compiled encoder that streams share. */
export interface StreamEncoder extends AsyncDisposable {
  readonly sizes: readonly AsrSize[];
  /** Floating-point operations for one piece. */
  readonly flops: number;
  /** Seconds of one piece. */
  readonly pieceSeconds: number;
  open(): EncoderStream;
}

/** Frames of the joint, by size. */
export type JointFrames = Partial<Record<AsrSize, Float32Array[]>>;

export interface EncoderStream {
  /** Takes feature rows `[n * width]`; returns the frames that are determined now. */
  push(rows: Float32Array): Promise<JointFrames>;
  /** The frames that waited for more. The stream starts anew. */
  flush(): Promise<JointFrames>;
}

export async function compileStreamEncoder(
  config: AsrConfig,
  sizes: readonly AsrSize[],
  executor: Executor,
  state: ModelState,
): Promise<StreamEncoder> {
  const def = streamProgram(config, sizes);
  const program = await executor.compile(def, { state });
  const lag = Math.max(...sizes.map((size) => lookAhead(config, size)));
  const perPiece = PIECE_ROWS / (config.funnel_layer === null ? 1 : 2);
  const carried = def.graph.inputs
    .filter((x) => x.name.startsWith('in:'))
    .map((x) => ({ name: x.name.slice(3), shape: def.graph.nodes[x.node]!.outputs[0]!.shape }));
  return {
    sizes,
    flops: program.stats().flops,
    pieceSeconds: perPiece * secondsPerFrame(config),
    open: () => openStream(program, config, sizes, carried, Math.ceil(lag / perPiece)),
    [Symbol.asyncDispose]: () => program.dispose(),
  };
}

function openStream(
  program: Program,
  config: AsrConfig,
  sizes: readonly AsrSize[],
  carried: readonly { readonly name: string; readonly shape: readonly number[] }[],
  trailing: number,
): EncoderStream {
  const { mels, stack } = featureConfig(config);
  const width = mels * stack;
  const piece = new Float32Array(PIECE_ROWS * width);
  let filled = 0;
  const zeros = (): Record<string, Float32Array> =>
    Object.fromEntries(carried.map(({ name, shape }) => [`in:${name}`, new Float32Array(shape[1]! * shape[2]!)]));
  let memory = zeros();

  const run = async (into: JointFrames): Promise<void> => {
    piece.fill(0, filled * width);
    const valid = new Float32Array(PIECE_ROWS).fill(1, 0, filled);
    filled = 0;
    const out = await program.run({ features: piece, valid, ...memory });
    memory = Object.fromEntries(carried.map(({ name }) => [`in:${name}`, out[`out:${name}`]!.data as Float32Array]));
    for (const size of sizes) {
      const [frames, real] = [out[`joint:${size}`]!, out[`valid:${size}`]!.data];
      const values = frames.data as Float32Array;
      const joint = frames.shape[2]!;
      const list = (into[size] ??= []);
      for (let t = 0; t < frames.shape[1]!; t++) if (real[t]! > 0) list.push(values.slice(t * joint, (t + 1) * joint));
    }
  };
  return {
    async push(rows) {
      const out: JointFrames = {};
      for (let at = 0; at < rows.length;) {
        const n = Math.min(PIECE_ROWS - filled, (rows.length - at) / width);
        piece.set(rows.subarray(at, at + n * width), filled * width);
        filled += n;
        at += n * width;
        if (filled === PIECE_ROWS) await run(out);
      }
      return out;
    },
    async flush() {
      const out: JointFrames = {};
      if (filled > 0) await run(out);
      for (let i = 0; i < trailing; i++) await run(out);
      memory = zeros();
      return out;
    },
  };
}
