// What the loss of two streams costs a dense model: dense models that are wider or deeper, trained by the same recipe on
// the same batches, give the loss that a longer step buys; where that line meets AltUp's loss is the price.
import type { Part } from '../report.ts';
import type { Losses } from './gain.ts';
import { type KindName, KINDS, LARGER, mean } from './models.ts';
import type { StepCost, StepCosts } from './times.ts';

/** What AltUp's loss was to cost a dense model at least, in steps of the smaller one. */
const AIM = 1.5;
const WAYS = Object.keys(LARGER) as (keyof typeof LARGER)[];

export interface Purchase {
  /** Step cost as a multiple of the dense one, > 1. */
  readonly cost: number;
  /** Nats below dense, one a seed. */
  readonly less: readonly number[];
}

export interface Price {
  /** Multiple of the dense step; Infinity when larger models are no better. */
  readonly value: number;
  /** 5 and 95 percent of all draws of as many seeds, with repetition. */
  readonly interval: readonly [low: number, high: number];
}

/**
 * Nats below dense are taken as proportional to the logarithm of the cost (least squares through the dense model, means over
 * seeds), and solved for the cost at `gained`.
 * @param gained nats below dense that are to be bought, one a seed
 */
export function priceOf(gained: readonly number[], bought: readonly Purchase[]): Price {
  const priceAt = (seeds: readonly number[]): number => {
    const over = (xs: readonly number[]): number => mean(seeds.map((s) => xs[s]!));
    let [down, across] = [0, 0];
    for (const { cost, less } of bought) {
      down += Math.log(cost) * over(less);
      across += Math.log(cost) ** 2;
    }
    const slope = down / across;
    const nats = over(gained);
    if (nats <= 0) return 1;
    return slope > 0 ? Math.exp(nats / slope) : Infinity;
  };
  const n = gained.length;
  const draws = Array.from({ length: n ** n }, (_, draw) =>
    priceAt(Array.from({ length: n }, (_seed, i) => Math.floor(draw / n ** i) % n)),
  ).sort((a, b) => a - b);
  const at = (share: number): number => draws[Math.round(share * (draws.length - 1))]!;
  return { value: priceAt(gained.map((_, i) => i)), interval: [at(0.05), at(0.95)] };
}

/** The price in step time and in operations, of wider and of deeper models. */
export function price(losses: Losses, costs: StepCosts): Part {
  const less = (kind: KindName): number[] => losses[kind].map((x, i) => losses.dense[i]! - x);
  const gained = less('altup');
  const priceIn = (way: (typeof WAYS)[number], unit: keyof StepCost): Price =>
    priceOf(
      gained,
      LARGER[way].map((kind) => ({ cost: costs[kind]![unit], less: less(kind) })),
    );
  const paid = costs.altup!;
  const text = (x: number): string => (x < 100 ? x.toFixed(2) : 'not reached');
  const rows = (['time', 'operations'] as const).flatMap((unit) => {
    const prices = WAYS.map((way) => priceIn(way, unit));
    const least = Math.min(...prices.map((p) => p.value));
    return prices.map(({ value, interval }, i) => [
      `dense, ${WAYS[i]!}`,
      unit === 'time' ? 'step time' : 'operations',
      text(value),
      `${text(interval[0])} to ${text(interval[1])}`,
      paid[unit],
      text(value / paid[unit]),
      value > least ? '' : `cheapest; at least ${AIM} was the aim: ${value >= AIM ? 'reached' : 'missed'}`,
    ]);
  });
  return {
    claims: [],
    tables: [
      {
        title: `What AltUp's loss (${mean(gained).toFixed(4)} nats below dense) costs a dense model, as multiples of the dense step; ${gained.length} paired seeds`,
        columns: ['model', 'cost', 'price', '5 to 95 % of seeds drawn again', 'AltUp pays', 'price / AltUp', 'aim'],
        rows,
      },
      {
        title: 'The dense models it was read from',
        columns: ['model', 'step / dense', 'operations / dense', 'nats below dense', 'least', 'most'],
        rows: [...WAYS.flatMap((way) => [...LARGER[way]]), 'altup' as const].map((kind) => [
          KINDS[kind].name,
          costs[kind]!.time,
          costs[kind]!.operations,
          mean(less(kind)),
          Math.min(...less(kind)),
          Math.max(...less(kind)),
        ]),
      },
    ],
  };
}
