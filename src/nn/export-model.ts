// Writes a model directory as plain ONNX files. A language model becomes two graphs: the whole context at once, and one
// token with a cache of any length. Batch and length stay symbolic where the architecture allows.
import { CairnError } from '../errors.ts';
import { type Builder, defineProgram, exportOnnx, type ProgramDef, type Tensor } from '../tensor/index.ts';
import { stateOf } from './classifier.ts';
import type { ModelConfig } from './config.ts';
import { readModel } from './directory.ts';
import { forward } from './forward.ts';
import type { LmConfig } from './lm-config.ts';
import { lmSpans, type Span, sightMask } from './lm-call.ts';
import { describeInputs } from './lm-inputs.ts';
import { decodeProgram, lmProgram, lmState } from './lm.ts';
import { oneOfEach, softProgram } from './soft/encoders.ts';
import { asrState, decoderProgram, sizesOf, streamProgram } from './speech/index.ts';
import { transformerForward } from './transformer.ts';

export interface ExportedModel {
  /** `model.onnx` or `decoder.onnx`. */
  readonly name: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
}

/**
 * The .onnx files of a model directory. A classifier takes `x [batch, inputs]`; a language model's `model.onnx` takes
 * `ids [batch, length]` and its `decoder.onnx` one token, `positions [1]` and the past keys and values; with a stride there
 * is one `decoder.<phase>.onnx` more for every position after an anchor. Inputs that are computed from ids, and which earlier
 * positions a `mask.<span>` shows, are in the metadata `cairn.inputs` and `cairn.spans`. Where pictures or sounds stand in a text,
 * `image-encoder.onnx` and `audio-encoder.onnx` turn one into the vectors for its places. A speech model gives two for each size: the
 * encoder of one piece of a stream with what it carries on, and the decoder of one frame.
 * @throws CairnError what `readModel` throws; `unknown_model` for a directory that is neither
 * @example
 * for (const { name, bytes } of await exportModelDir('models/read-digit-large')) writeFileSync(name, bytes);
 */
export async function exportModelDir(
  dir: string,
  options: { readonly opset?: 17 | 18 | 19 | 20 } = {},
): Promise<ExportedModel[]> {
  const { config, tensors } = await readModel(dir);
  const write = (name: string, def: ProgramDef, state: ReturnType<typeof stateOf>): ExportedModel => ({
    name,
    bytes: exportOnnx(def, state, {
      ...options,
      metadata: {
        'cairn.config': JSON.stringify(config),
        ...(isLanguageModel(config)
          ? { 'cairn.inputs': describeInputs(config), 'cairn.spans': JSON.stringify(lmSpans(config)) }
          : {}),
      },
    }),
    inputs: def.graph.inputs.map((x) => x.name),
    outputs: def.graph.outputs.map((x) => x.name),
  });
  if (isLanguageModel(config)) {
    const state = lmState(config, tensors);
    const phases = Array.from({ length: config.altup_sequence_stride ?? 1 }, (_, phase) =>
      write(phase === 0 ? 'decoder.onnx' : `decoder.${phase}.onnx`, decodeProgram(config, 1, { phase }), state),
    );
    const { images, clips } = oneOfEach(config);
    const encoders = [
      ...(images > 0 ? [write('image-encoder.onnx', softProgram(config, { images, clips: 0 }), state)] : []),
      ...(clips > 0 ? [write('audio-encoder.onnx', softProgram(config, { images: 0, clips }), state)] : []),
    ];
    return [write('model.onnx', contextProgram(config), state), ...phases, ...encoders];
  }
  if (config.model_type === 'cairn_asr') {
    const state = asrState(config, tensors);
    return sizesOf(config).flatMap((size) => [
      write(`encoder-${size}.onnx`, streamProgram(config, [size]), state),
      write(`decoder-${size}.onnx`, decoderProgram(config, size), state),
    ]);
  }
  if (config.model_type === 'cairn_classifier') {
    const def = defineProgram((b) => {
      b.output('logits', forward(b, config.layers, b.input('x', [b.symbol('batch'), config.input_size])));
    });
    return [write('model.onnx', def, stateOf(def, tensors))];
  }
  throw new CairnError('unknown_model', `Expected a language model or a classifier in ${dir}, got something else.`);
}

function isLanguageModel(config: ModelConfig): config is LmConfig {
  return config.model_type === 'cairn_lm';
}

/**
 * `ids [batch, length] -> logits [batch, length, vocab]` with both dimensions symbolic, unless heads share keys or layers
 * compute on some positions only.
 */
function contextProgram(config: LmConfig): ProgramDef {
  if (config.num_key_value_heads !== config.num_attention_heads || (config.altup_sequence_stride ?? 1) > 1) {
    return lmProgram(config, { batch: 1, length: config.max_position_embeddings });
  }
  return defineProgram((b) => {
    const length = b.symbol('length');
    const ids = b.input('ids', [b.symbol('batch'), length], 'i32');
    const positions = countUp(b, ids, length);
    const frame = { positions, mask: (span: Span) => sightMask(positions, positions, span) };
    b.output('logits', transformerForward(b, config, ids, { frame }));
  });
}

/** 0, 1, 2, … of a length that is only known when the graph runs. i32 `[length]`. */
function countUp(b: Builder, ids: Tensor, length: number): Tensor {
  const row = ids.sliceAxis(0, 0, 1).reshape([length]);
  const zeros = row.sub(row);
  return zeros.add(b.constant(1, [], 'i32')).cumsum(0, { exclusive: true });
}
