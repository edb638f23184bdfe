// The peer: plain ONNX Runtime with the exported decoder and a loop that feeds the cache back, as a user would write it.
// Usage: peer-ort-decode.ts <workload folder> <threads, 0: the runtime's own choice>.
import * as module from 'onnxruntime-node';
import { serveEngine } from '../rounds.ts';
import { PROMPT, readDecodeWorkload, TOKENS } from './decode-workload.ts';

const [dir, threads] = process.argv.slice(2) as [string, string];
const ort = 'default' in module ? (module.default as typeof module) : module;
const { config, onnx } = readDecodeWorkload(dir);
const session = await ort.InferenceSession.create(onnx, threads === '0' ? {} : { intraOpNumThreads: Number(threads) });
const heads = config.num_key_value_heads;
const head = config.hidden_size / config.num_attention_heads;
const slots = session.inputNames.filter((name) => name.startsWith('past.'));

async function decode(): Promise<number[]> {
  const tokens = [PROMPT];
  const empty = (): module.Tensor => new ort.Tensor('float32', new Float32Array(0), [1, heads, 0, head]);
  const cache: Record<string, module.Tensor> = Object.fromEntries(slots.map((name) => [name, empty()]));
  for (let i = 0; i < TOKENS; i++) {
    const out = await session.run({
      ids: new ort.Tensor('int32', Int32Array.of(tokens[i]!), [1, 1]),
      positions: new ort.Tensor('int32', Int32Array.of(i), [1]),
      ...cache,
    });
    for (const name of slots) cache[name] = out[name.replace('past.', 'present.')]!;
    const logits = out['logits']!.data as Float32Array;
    let best = 0;
    for (let k = 1; k < logits.length; k++) if (logits[k]! > logits[best]!) best = k;
    tokens.push(best);
  }
  return tokens;
}

await decode();
await serveEngine({
  version: `1.30.0, ${threads === '0' ? 'default threads' : `${threads} thread`}`,
  check: (await decode()).map((token) => token + 1),
  unitsPerCall: TOKENS,
  unit: async () => {
    await decode();
  },
});
process.exit(0);
