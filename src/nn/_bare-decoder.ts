// For tests: decodes with the exported step files in bare sessions of ONNX Runtime, as a program without this library would.
// All it knows is in the files: names and shapes of inputs, spans of masks and inputs computed from ids in the metadata.
import * as ort from 'onnxruntime-node';
import type { ExportedModel } from './export-model.ts';
import { type Span, spanned } from './lm-call.ts';
import type { LmConfig } from './lm-config.ts';
import { lmFeeds } from './lm-inputs.ts';
import { softFeeds } from './soft/feeds.ts';

export interface BareDecoder extends AsyncDisposable {
  /**
   * Logits `[vocab]` after one more token.
   * @param soft its vector, where it marks a place for one
   */
  step(id: number, soft?: Float32Array): Promise<Float32Array>;
}

/** Opens `decoder.onnx`, and with a stride its companions `decoder.<phase>.onnx`. */
export async function createBareDecoder(
  config: LmConfig,
  files: readonly ExportedModel[],
  spans: readonly Span[],
): Promise<BareDecoder> {
  const steps = files.filter(({ name }) => name.startsWith('decoder.'));
  const sessions = await Promise.all(steps.map(({ bytes }) => ort.InferenceSession.create(bytes)));
  const stride = sessions.length;
  const ids: number[] = [];
  const cache = new Map<string, ort.Tensor>();
  return {
    async step(id, soft) {
      const at = ids.length;
      const session = sessions[at % stride]!;
      const feeds: Record<string, ort.Tensor> = {
        ids: new ort.Tensor('int32', Int32Array.of(id), [1, 1]),
        positions: new ort.Tensor('int32', Int32Array.of(at), [1]),
      };
      const host = { ...lmFeeds(config, Int32Array.of(id), 1, ids), ...softFeeds(config, [id], soft) };
      for (const [name, t] of Object.entries(host)) {
        feeds[name] = new ort.Tensor(t.dtype === 'i32' ? 'int32' : 'float32', t.data as Int32Array, t.shape);
      }
      for (const span of spans) feeds[spanned('mask', span)] = maskOf(span, at);
      for (const input of session.inputMetadata) {
        if (!input.isTensor || !input.name.startsWith('past.')) continue;
        feeds[input.name] = cache.get(input.name) ?? empty(input.shape);
      }
      const known = new Set(session.inputNames);
      const out = await session.run(Object.fromEntries(Object.entries(feeds).filter(([name]) => known.has(name))));
      for (const [name, t] of Object.entries(out)) {
        if (name.startsWith('present.')) cache.set(name.replace('present.', 'past.'), t);
      }
      ids.push(id);
      return out['logits']!.data as Float32Array;
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(sessions.map((session) => session.release()));
    },
  };
}

/** Nothing was seen yet: no positions where a length is symbolic, zeros elsewhere. */
function empty(shape: readonly (number | string)[]): ort.Tensor {
  const dims = shape.map((d) => (typeof d === 'string' ? 0 : d));
  return new ort.Tensor('float32', new Float32Array(dims.reduce((n, d) => n * d, 1)), dims);
}

/** What the new position sees of all positions that take part; nothing is ever dropped from the cache here. */
function maskOf({ window, lag, stride = 1 }: Span, at: number): ort.Tensor {
  const own = Math.floor(at / stride);
  const data = Float32Array.from({ length: own + 1 }, (_, j) => {
    const distance = own - j;
    return distance >= lag && distance < lag + (window ?? Infinity) ? 0 : -1e9;
  });
  return new ort.Tensor('float32', data, [1, own + 1]);
}
