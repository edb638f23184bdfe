// Held-out loss of AltUp beside the dense model and its controls, in pairs: the models of one seed see the same batches.
import { createOrtExecutor } from 'cairn/tensor';
import type { LabOptions, Part } from '../report.ts';
import { loadText } from '../text.ts';
import { configOf, corpusOf, heldOutLoss, type KindName, KINDS, mean, PRICED } from './models.ts';

/** Held-out losses by kind of model, one a seed; kinds that no price is made of have fewer. */
export type Losses = Readonly<Record<KindName, readonly number[]>>;

/** Trains one model after another: the runtime runs one program at a time, on all threads. */
export async function gain({ seed, scale, data, log, plot, signal }: LabOptions): Promise<Part & { losses: Losses }> {
  const full = scale === 'full';
  const corpus = await loadText(data);
  const tokens = corpusOf(corpus.text);
  const budget = full ? { steps: 400, windows: 1280 } : { steps: 150, windows: 384 };
  const kinds = (Object.keys(KINDS) as KindName[]).slice(0, full ? undefined : 2);
  const losses = Object.fromEntries(kinds.map((kind) => [kind, [] as number[]])) as Record<KindName, number[]>;
  const seeds = full ? 5 : 3;
  const executor = await createOrtExecutor();
  try {
    for (let pair = 0; pair < seeds; pair++) {
      const options = { seed: seed + 1000 * pair, executor, signal };
      const trained = pair < 3 ? kinds : PRICED;
      for (const kind of trained) {
        losses[kind].push(await heldOutLoss(configOf(kind, tokens.vocabulary), tokens, budget, options));
      }
      log(
        `seed ${pair + 1} of ${seeds}: dense ${losses.dense.at(-1)!.toFixed(4)}, AltUp ${losses.altup.at(-1)!.toFixed(4)}`,
      );
    }
  } finally {
    await executor.dispose();
  }
  const less = (kind: KindName): number[] => losses[kind].map((x, i) => losses.dense[i]! - x);
  plot('held-out-loss', {
    title: `Nats a character under the dense model, ${corpus.name}`,
    x: { label: 'seed' },
    y: { label: 'nats below dense' },
    curves: kinds
      .filter((kind) => kind !== 'dense')
      .map((kind) => ({ name: KINDS[kind].name, points: less(kind).map((y, x) => [x + 1, y] as const) })),
  });
  const gained = mean(less('altup'));
  return {
    losses,
    claims: [
      {
        id: 'altup-gain',
        says: `Two streams lower the loss on held-out text (${corpus.name}) at the same width of every layer.`,
        kind: 'measured',
        value: mean(losses.altup),
        baseline: mean(losses.dense),
        target: `at least 0.015 nats lower, mean of ${seeds} paired seeds`,
        holds: gained >= 0.015,
      },
      ...(full
        ? [
            {
              id: 'altup-recycled',
              says: 'With one embedding and head for both streams the loss is no worse than the dense one.',
              kind: 'measured' as const,
              value: mean(losses.recycled),
              baseline: mean(losses.dense.slice(0, losses.recycled.length)),
              target: 'at most 0.01 nats higher, mean of three paired seeds',
              holds: mean(less('recycled')) >= -0.01,
            },
          ]
        : []),
    ],
    tables: [
      {
        title: `Nats a character on the last tenth of ${corpus.name} after ${budget.steps} steps; paired seeds`,
        columns: ['model', 'seeds', 'mean', 'below dense', 'least', 'most'],
        rows: kinds.map((kind) => [
          KINDS[kind].name,
          losses[kind].length,
          mean(losses[kind]),
          mean(less(kind)),
          Math.min(...less(kind)),
          Math.max(...less(kind)),
        ]),
      },
    ],
  };
}
