// What must hold exactly, with fresh random numbers: the transducer loss is the sum over all alignments, its occupancies count, and a
// stream hears what the whole utterance gives.
import {
  asrConfig,
  type AsrConfig,
  asrLoss,
  createRecognizer,
  extractSize,
  sizesOf,
  type HostLattice,
  transducerLoss,
} from 'cairn/nn';
import { createReferenceExecutor, defineProgram, ModelState, Rng } from 'cairn/tensor';
import { drawSpeaker, speakString, SYNTHETIC_WORDS } from 'cairn/data';
import type { LabOptions, Part } from '../report.ts';

export async function identities({ seed, scale }: LabOptions): Promise<Part> {
  const rng = new Rng(seed).fork('identities');
  const lattices = scale === 'ci' ? 60 : 400;
  let [loss, counts] = [0, 0];
  for (let i = 0; i < lattices; i++) {
    const draw = rng.fork(i);
    const [frames, labels] = [1 + draw.integer(4), draw.integer(4)];
    const columns = labels + 1;
    const random = (): Float64Array => Float64Array.from({ length: frames * columns }, () => -4 * draw.uniform());
    const lattice: HostLattice = { blank: random(), label: random(), batch: 1, frames, columns };
    const exact = transducerLoss(lattice, { frames: [frames], labels: [labels] });
    loss = Math.max(loss, Math.abs(exact.losses[0]! - enumerate(lattice)));
    const sum = (x: Float64Array): number => x.reduce((a, b) => a + b, 0);
    counts = Math.max(counts, Math.abs(sum(exact.blank) - frames), Math.abs(sum(exact.label) - labels));
  }
  const { cuts, differing } = await streams(rng.fork('streams'));
  return {
    claims: [
      {
        id: 'rnnt-exact',
        says: `The transducer loss equals the sum over all alignments on ${lattices} random lattices, and its occupancies count frames and labels.`,
        kind: 'identity',
        value: Math.max(loss, counts),
        target: 'value <= 1e-9',
        holds: loss <= 1e-9 && counts <= 1e-9,
      },
      {
        id: 'stream-equals-whole',
        says: `However the sound is cut, every size gives the same words at the same times, alone or within the full model (${cuts} cuttings).`,
        kind: 'identity',
        value: differing,
        target: 'value = 0',
        holds: differing === 0 && cuts > 0,
      },
    ],
    tables: [],
  };
}

/** By recursion over paths: exponential. */
function enumerate({ blank, label, frames, columns }: HostLattice): number {
  const walk = (t: number, u: number): number => {
    const stay = Math.exp(blank[t * columns + u]!);
    const last = t === frames - 1;
    const onward = last ? (u === columns - 1 ? stay : 0) : stay * walk(t + 1, u);
    return onward + (u < columns - 1 ? Math.exp(label[t * columns + u]!) * walk(t, u + 1) : 0);
  };
  return -Math.log(walk(0, 0));
}

/** An untrained model that says much, cut in several ways. */
async function streams(rng: Rng): Promise<{ cuts: number; differing: number }> {
  const config: AsrConfig = asrConfig({
    vocabulary: SYNTHETIC_WORDS,
    hidden_size: 16,
    num_attention_heads: 2,
    intermediate_size: 16,
    conv_kernel: 3,
    left_context: 10,
    asr_right_context: 1,
    joint_size: 8,
    embedding_size: 4,
    audio: { mean: new Array<number>(40).fill(-6), std: new Array<number>(40).fill(3) },
    asr_sizes: {
      small: { causal_layers: 2, noncausal_layers: 0 },
      large: { causal_layers: 2, noncausal_layers: 1 },
    },
  });
  const def = defineProgram((b) => b.output('loss', asrLoss(b, config, { batch: 1, rows: 2, labels: 1 })));
  const state = ModelState.init(def, rng.fork('weights'));
  for (const size of sizesOf(config)) {
    state.set(`joint.${size}.blank.bias`, { data: Float32Array.of(-2), shape: [1], dtype: 'f32' });
  }
  const executor = createReferenceExecutor();
  await using full = createRecognizer(config, state, executor);
  const { samples } = speakString(drawSpeaker(rng), 8000, rng, { words: [1, 4] });
  let [cuts, differing] = [0, 0];
  for (const size of sizesOf(config)) {
    const whole = JSON.stringify((await full.transcribe(samples, { size })).words);
    const part = extractSize({ config, state }, size);
    await using alone = createRecognizer(part.config, part.state, executor);
    for (const n of [160, 1 + rng.integer(700), 4000]) {
      const pieces = Array.from({ length: Math.ceil(samples.length / n) }, (_, i) =>
        samples.subarray(i * n, (i + 1) * n),
      );
      cuts++;
      if (JSON.stringify((await full.transcribe(pieces, { size })).words) !== whole) differing++;
      if (JSON.stringify((await alone.transcribe(pieces)).words) !== whole) differing++;
    }
  }
  return { cuts, differing };
}
