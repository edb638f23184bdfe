// Held-out loss of AltUp beside the dense model and its controls, in pairs: the models of one seed see the same batches.
import type { LmConfig } from 'cairn/nn';
import { createOrtExecutor } from 'cairn/tensor';
import type { LabOptions, Part } from '../report.ts';
import { loadText } from '../text.ts';
import { corpusOf, heldOutLoss, mean, model } from './models.ts';

const KINDS = {
  dense: {},
  altup: { altup_num_inputs: 2 },
  recycled: { altup_num_inputs: 2, altup_recycled: true },
  same: { altup_num_inputs: 2, altup_schedule: 'same' },
  four: { altup_num_inputs: 4 },
  stride: { altup_sequence_stride: 2 },
  wide: { hidden_size: 96 },
} satisfies Record<string, Partial<LmConfig>>;
type Kind = keyof typeof KINDS;

const NAMES: Readonly<Record<Kind, string>> = {
  dense: 'dense',
  altup: 'AltUp, 2 streams, alternating',
  recycled: 'recycled: one embedding and head for both streams',
  same: '2 streams, layers always on the first',
  four: 'AltUp, 4 streams',
  stride: 'sequence form: inner layers on every second position',
  wide: 'dense, width 96',
};

/** Trains two models at a time, each on one thread: the best use of two cores for models of this size. */
export async function gain({ seed, scale, data, log, plot, signal }: LabOptions): Promise<Part> {
  const full = scale === 'full';
  const corpus = await loadText(data);
  const tokens = corpusOf(corpus.text);
  const budget = full ? { steps: 400, windows: 1280 } : { steps: 150, windows: 384 };
  const kinds = (Object.keys(KINDS) as Kind[]).slice(0, full ? undefined : 2);
  const losses = Object.fromEntries(kinds.map((kind) => [kind, [] as number[]])) as Record<Kind, number[]>;
  const executor = await createOrtExecutor({ threads: 1 });
  try {
    for (let pair = 0; pair < 3; pair++) {
      const options = { seed: seed + 1000 * pair, executor, signal };
      for (let at = 0; at < kinds.length; at += 2) {
        const two = kinds.slice(at, at + 2);
        const found = await Promise.all(
          two.map((kind) => heldOutLoss(model(tokens.vocabulary, KINDS[kind]), tokens, budget, options)),
        );
        two.forEach((kind, i) => losses[kind].push(found[i]!));
      }
      log(`seed ${pair + 1} of 3: dense ${losses.dense.at(-1)!.toFixed(4)}, AltUp ${losses.altup.at(-1)!.toFixed(4)}`);
    }
  } finally {
    await executor.dispose();
  }
  const less = (kind: Kind): number[] => losses.dense.map((x, i) => x - losses[kind][i]!);
  plot('held-out-loss', {
    title: `Nats a character under the dense model, ${corpus.name}`,
    x: { label: 'seed' },
    y: { label: 'nats below dense' },
    curves: kinds
      .filter((kind) => kind !== 'dense')
      .map((kind) => ({ name: NAMES[kind], points: less(kind).map((y, x) => [x + 1, y] as const) })),
  });
  const gained = mean(less('altup'));
  return {
    claims: [
      {
        id: 'altup-gain',
        says: `Two streams lower the loss on held-out text (${corpus.name}) at the same width of every layer.`,
        kind: 'measured',
        value: mean(losses.altup),
        baseline: mean(losses.dense),
        target: 'at least 0.015 nats lower, mean of three paired seeds',
        holds: gained >= 0.015,
      },
      ...(full
        ? [
            {
              id: 'altup-recycled',
              says: 'With one embedding and head for both streams the loss is no worse than the dense one.',
              kind: 'measured' as const,
              value: mean(losses.recycled),
              baseline: mean(losses.dense),
              target: 'at most 0.01 nats higher, mean of three paired seeds',
              holds: mean(less('recycled')) >= -0.01,
            },
          ]
        : []),
    ],
    tables: [
      {
        title: `Nats a character on the last tenth of ${corpus.name} after ${budget.steps} steps; three seeds`,
        columns: ['model', 'mean', 'below dense', 'least', 'most'],
        rows: kinds.map((kind) => [
          NAMES[kind],
          mean(losses[kind]),
          mean(less(kind)),
          Math.min(...less(kind)),
          Math.max(...less(kind)),
        ]),
      },
    ],
  };
}
