// A small language model that looks: it learns to say what a picture shows, is stored, and answers about pictures it has not seen.
// From the command line: cairn generate --model DIR --prompt "<image>=" --image mine.png --tokens 1
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { charTokenizer, withAddedTokens } from 'cairn/data';
import { createMixedEncoder, generate, lmConfig, loadLm, type MixedExample, saveLm, trainMixed } from 'cairn/nn';
import { createOrtExecutor, Rng } from 'cairn/tensor';

const SIZE = 16;
const tokenizer = withAddedTokens(charTokenizer('-|x='), ['<image>']);
const config = lmConfig({
  vocab_size: tokenizer.vocabSize,
  hidden_size: 32,
  num_hidden_layers: 1,
  num_attention_heads: 2,
  max_position_embeddings: 16,
  image_token_id: tokenizer.added.get('<image>')!,
  image_size: SIZE,
  image_patch_size: 8,
  image_hidden_size: 64,
});

/** A line across, a line down, or both, somewhere and a little dirty; and its name. */
function draw(rng: Rng): MixedExample {
  const answer = '-|x'[rng.integer(3)]!;
  const [row, column] = [2 + rng.integer(SIZE - 4), 2 + rng.integer(SIZE - 4)];
  const image = Float32Array.from({ length: SIZE * SIZE }, (_, i) => {
    const across = answer !== '|' && Math.floor(i / SIZE) === row;
    const down = answer !== '-' && i % SIZE === column;
    return across || down ? 1 : 0.2 * rng.uniform();
  });
  return { prompt: [{ image }, '='], answer };
}

export async function main(): Promise<void> {
  const rng = new Rng(7);
  const batch = 32;
  await using executor = await createOrtExecutor({ threads: 1 });
  const model = await trainMixed({
    config,
    tokenizer,
    executor,
    seed: 7,
    shape: { batch, length: 6, images: batch, clips: 0 },
    recipe: { beta1: 0.9, beta2: 0.99, eps: 1e-8, weightDecay: 0.01, clipNorm: 1, rate: 3e-3, steps: 200 },
    examples: () => Array.from({ length: batch }, () => draw(rng)),
  });
  const dir = await mkdtemp(join(tmpdir(), 'cairn-see-'));
  try {
    await saveLm(dir, model);
    const stored = await loadLm(dir, executor);
    await using encoder = createMixedEncoder(stored);
    let right = 0;
    for (let i = 0; i < 30; i++) {
      const { prompt, answer } = draw(rng);
      if ((await generate(stored, await encoder.encode(prompt), { maxTokens: 1 }).text()) === answer) right++;
    }
    assert.ok(right >= 27, `${right} of 30 new pictures were named rightly`);
  } finally {
    await rm(dir, { recursive: true });
  }
}
