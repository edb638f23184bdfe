// What must hold exactly, with fresh random weights: both ways of decoding agree bit for bit, both with the whole forward
// pass, and nothing sees its own position of the stack before.
import { createStackDecoder, lmLogits, lmProgram, lmConfig, parameterCount, transformerForward } from 'cairn/nn';
import { createOrtExecutor, defineProgram, Rng } from 'cairn/tensor';
import type { LabOptions, Part } from '../report.ts';
import { randomModel, SMALL } from './models.ts';

const TOKENS = 40;
const FORMS = [
  ['separate weights', {}],
  ['shared weights', { stag_shared: true }],
  ['cross window 1', { stag_cross_window: 1 }],
  ['three stacks, combined', { stag_num_stacks: 3, stag_combine: true }],
] as const;

export async function identities({ seed }: LabOptions): Promise<Part> {
  const rng = new Rng(seed).fork('identities');
  await using executor = await createOrtExecutor({ threads: 1 });
  const rows: [string, number, number, number][] = [];
  let differing = 0;
  for (const [name, form] of FORMS) {
    const settings = { ...SMALL, num_hidden_layers: 2, stag_num_stacks: 2, ...form };
    const model = randomModel(settings, executor, rng.fork(name));
    const draw = rng.fork(`tokens of ${name}`);
    const ids = Array.from({ length: TOKENS }, () => draw.integer(model.config.vocab_size));
    const full = await lmLogits(model, ids);
    await using parallel = await createStackDecoder(model);
    await using serial = await createStackDecoder(model, { parallel: false });
    let unlike = 0;
    let gap = 0;
    for (let at = 0; at < TOKENS;) {
      const piece = at === 0 ? ids.slice(0, 8) : [ids[at]!];
      at += piece.length;
      const [a, b] = [await parallel.feed(piece), await serial.feed(piece)];
      const [bitsA, bitsB] = [a, b].map((x) => new Uint32Array(x.slice().buffer)) as [Uint32Array, Uint32Array];
      unlike += bitsA.reduce((n, bits, i) => n + (bits === bitsB[i] ? 0 : 1), 0);
      const v = model.config.vocab_size;
      a.forEach((x, i) => (gap = Math.max(gap, Math.abs(x - Number(full.data[(at - 1) * v + i])))));
    }
    if (parallel.mode !== 'parallel') unlike++;
    differing += unlike;
    rows.push([name, unlike, gap, await leak(model.config, model)]);
  }
  const count = (settings: object): number =>
    parameterCount(
      lmProgram(lmConfig({ vocab_size: 65, ...SMALL, num_hidden_layers: 2, ...settings }), { batch: 1, length: 1 }),
    );
  const cross = 2 * (4 * 64 * 64 + 2 * 64);
  const sizes = [count({ stag_num_stacks: 2, stag_shared: true }), count({ stag_num_stacks: 2 })];
  const expected = [count({}) + cross, count({ num_hidden_layers: 4 }) + cross];
  return {
    claims: [
      {
        id: 'parallel-is-serial',
        says: 'Decoding with a thread a stack gives the logits of decoding one stack after another, bit for bit.',
        kind: 'identity',
        value: differing,
        target: `0 of ${FORMS.length} x ${TOKENS - 7} x 65 logits differ`,
        holds: differing === 0,
      },
      {
        id: 'decoding-is-forward',
        says: 'Both give the logits of the whole forward pass.',
        kind: 'identity',
        value: Math.max(...rows.map((r) => r[2])),
        target: 'largest difference of a logit <= 1e-5',
        holds: rows.every((r) => r[2] <= 1e-5),
      },
      {
        id: 'staggered',
        says: 'The last stack at position i does not depend on the stack before at position i.',
        kind: 'identity',
        value: Math.max(...rows.map((r) => r[3])),
        target: '= 0 when the stack before is changed at i, for all i up to i',
        holds: rows.every((r) => r[3] === 0),
      },
      {
        id: 'parameters',
        says: 'Shared weights cost the dense model and h (4 d^2 + 2 d) for cross-attention; separate ones the dense model of twice the depth and as much.',
        kind: 'identity',
        value: sizes.join(', '),
        baseline: expected.join(', '),
        target: 'equal (d 64, h 2)',
        holds: sizes.every((n, i) => n === expected[i]),
      },
    ],
    tables: [
      {
        title: `Fresh random weights, ${TOKENS} tokens`,
        columns: ['model', 'logits that differ in a bit', 'gap to the forward pass', 'leak from the same position'],
        rows,
      },
    ],
  };
}

/** How much the last stack changes up to a position when the stack before is changed there. */
async function leak(
  config: ReturnType<typeof lmConfig>,
  { state, executor }: ReturnType<typeof randomModel>,
): Promise<number> {
  const [length, at, d] = [10, 6, config.hidden_size];
  const last = `stacks.${config.stag_num_stacks! - 1}.hook_out`;
  const outputs: Float32Array[] = [];
  for (const change of [0, 1]) {
    const def = defineProgram((b) => void transformerForward(b, config, b.input('ids', [1, length], 'i32')), {
      capture: [last],
      patch: {
        'stacks.0.hook_out': (x, { builder }) => {
          const shift = new Float32Array(length * d);
          for (let i = 0; i < d / 2; i++) shift[at * d + i] = change;
          return x.add(builder.constant(shift, [1, length, d]));
        },
      },
    });
    await using program = await executor.compile(def, { state });
    outputs.push((await program.run({ ids: new Int32Array(length).fill(3) }))[last]!.data as Float32Array);
  }
  let worst = 0;
  for (let i = 0; i <= at * d + d - 1; i++) worst = Math.max(worst, Math.abs(outputs[0]![i]! - outputs[1]![i]!));
  return worst;
}
