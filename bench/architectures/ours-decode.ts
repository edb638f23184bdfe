// The engine under test: greedy decoding with a cache. Usage: ours-decode.ts <workload folder>.
import { byteTokenizer } from 'cairn/data';
import { argmax, createDecoder } from 'cairn/nn';
import { createOrtExecutor } from 'cairn/tensor';
import { serveEngine } from '../rounds.ts';
import { decodeState, PROMPT, readDecodeWorkload, TOKENS } from './decode-workload.ts';

const [dir] = process.argv.slice(2) as [string];
const { config, seed } = readDecodeWorkload(dir);
const executor = await createOrtExecutor();
const model = { config, state: decodeState(config, seed), executor, tokenizer: byteTokenizer(), generation: {} };
const decoder = createDecoder(model, { frozen: true });

async function decode(): Promise<number[]> {
  decoder.reset();
  const tokens = [PROMPT];
  for (let i = 0; i < TOKENS; i++) tokens.push(argmax(await decoder.feed([tokens.at(-1)!])));
  return tokens;
}

await decode();
await serveEngine({
  version: 'onnxruntime-node 1.30.0',
  check: (await decode()).map((token) => token + 1),
  unitsPerCall: TOKENS,
  unit: async () => {
    await decode();
  },
});
process.exit(0);
