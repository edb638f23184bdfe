// Time of greedy decoding, with untrained weights: a thread a stack, one stack after another, and the dense model of twice
// the depth in the fastest of the ways we have. Rounds are interleaved; of every way the fastest round counts, since what else
// a machine does only ever adds time.
import { argmax, createDecoder, createStackDecoder, type Decoder, type LanguageModel } from 'cairn/nn';
import { createOrtExecutor, Rng } from 'cairn/tensor';
import { loadavg } from 'node:os';
import type { LabOptions, Part } from '../report.ts';
import { randomModel } from './models.ts';

const TOKENS = 256;
const PROMPT = [1, 2, 3, 4, 5, 6, 7, 8];

interface Way {
  readonly name: string;
  readonly decoder: Decoder;
  readonly ms: number[];
  tokens: number[];
}

async function decode(decoder: Decoder): Promise<{ ms: number; tokens: number[] }> {
  decoder.reset();
  let token = argmax(await decoder.feed(PROMPT));
  const tokens = [token];
  const start = performance.now();
  for (let i = 0; i < TOKENS; i++) tokens.push((token = argmax(await decoder.feed([token]))));
  return { ms: performance.now() - start, tokens };
}

/** Of the fastest round. */
const least = ({ ms }: Way): number => Math.min(...ms);

export async function speed({ seed, scale, log, signal }: LabOptions): Promise<Part> {
  const rng = new Rng(seed).fork('speed');
  const sizes = scale === 'full' ? [128, 256, 384, 512] : [256];
  const rounds = scale === 'full' ? 9 : 4;
  await using one = await createOrtExecutor({ threads: 1 });
  await using two = await createOrtExecutor({ threads: 2 });
  const rows: (string | number)[][] = [];
  const claims = [];
  for (const d of sizes) {
    signal.throwIfAborted();
    const size = { hidden_size: d, num_attention_heads: 4, max_position_embeddings: 512 };
    const form = { ...size, num_hidden_layers: 4, stag_num_stacks: 2 };
    const staggered = randomModel(form, one, rng.fork(d));
    const narrow = randomModel({ ...form, stag_cross_window: 1 }, one, rng.fork(d));
    const dense = randomModel({ ...size, num_hidden_layers: 8 }, one, rng.fork(d));
    const on = (model: LanguageModel, executor: typeof one): LanguageModel => ({ ...model, executor });
    const way = (name: string, decoder: Decoder): Way => ({ name, decoder, ms: [], tokens: [] });
    const ways = [
      way('2 x 4 layers, a thread each', await createStackDecoder(staggered)),
      way('2 x 4 layers, one after another', await createStackDecoder(staggered, { parallel: false })),
      way('2 x 4 layers, cross window 1, a thread each', await createStackDecoder(narrow)),
      way('2 x 4 layers, cross window 1, one after another', await createStackDecoder(narrow, { parallel: false })),
      way('dense 8 layers, as one stack', await createStackDecoder(dense, { parallel: false })),
      way('dense 8 layers, 1 thread', createDecoder(dense, { frozen: true })),
      way('dense 8 layers, 2 threads', createDecoder(on(dense, two), { frozen: true, threads: 2 })),
    ];
    try {
      for (let round = -1; round < rounds; round++) {
        signal.throwIfAborted();
        for (const w of ways) {
          const { ms, tokens } = await decode(w.decoder);
          if (round >= 0) w.ms.push(ms);
          w.tokens = tokens;
        }
      }
    } finally {
      for (const w of ways) await w.decoder.dispose();
    }
    const [parallel, serial, single, singleSerial, ...others] = ways as [Way, Way, Way, Way, ...Way[]];
    const best = others.reduce((a, b) => (least(b) < least(a) ? b : a));
    const alike = (a: Way, b: Way): boolean => a.tokens.every((t, i) => t === b.tokens[i]);
    const same = alike(parallel, serial) && alike(single, singleSerial);
    /** Times as fast. */
    const faster = (a: Way, b: Way): number => least(b) / least(a);
    const share = 1 / faster(single, singleSerial);
    const gain = faster(single, best);
    log(
      `width ${d}, window 1: ${(least(single) / TOKENS).toFixed(2)} ms a token on threads, ${share.toFixed(2)} of serial`,
    );
    for (const w of ways) rows.push([d, w.name, least(w) / TOKENS, faster(w, best)]);
    if (d !== 256) continue;
    claims.push(
      {
        id: 'stag-parallel',
        says: `With a thread a stack, ${TOKENS} greedy tokens (width 256, 2 x 4 layers, cross window 1) are the same and come sooner. With a full window the tokens are the same too, but the second stack has more than half of the work.`,
        kind: 'measured' as const,
        value: share,
        baseline: 1,
        target: `same tokens and time <= 0.70 of one stack after another, fastest of ${rounds} interleaved rounds`,
        holds: same && share <= 0.7,
      },
      {
        id: 'faster-than-dense',
        says: 'With a cross window of one it decodes faster than the dense model of eight layers in the fastest way we have of running that.',
        kind: 'measured' as const,
        value: gain,
        baseline: best.name,
        target: 'at least as fast (>= 1.0), fastest of the same rounds',
        holds: gain >= 1,
      },
    );
  }
  return {
    claims,
    tables: [
      {
        title: `Decoding ${TOKENS} tokens with a cache; load of the machine ${loadavg()[0]!.toFixed(1)}, and two idle cores are needed`,
        columns: ['width', 'model', 'ms a token', 'times as fast as the fastest dense way'],
        rows,
      },
    ],
  };
}
